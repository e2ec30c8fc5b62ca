"""A run's folder → one self-contained page, and figures as files. Never touches a model."""

from drumlin.report.writing import write_report

__all__ = ["write_report"]
