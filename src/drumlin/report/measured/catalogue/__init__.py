"""The tables of README and docs, by name: of which recipe's records, and how they are made of them."""

from drumlin.report.measured.catalogue import attacks, costs, faces, feature_spaces, models
from drumlin.report.measured.catalogue.base import Table

TABLES: dict[str, Table] = models.TABLES | feature_spaces.TABLES | faces.TABLES | attacks.TABLES | costs.TABLES
"""Every table by its name."""

__all__ = ["TABLES", "Table"]
