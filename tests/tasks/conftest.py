from collections.abc import Callable
from pathlib import Path

import pytest

from drumlin.tasks import Subject
from drumlin.training import Run


@pytest.fixture
def subject(copied: Callable[[str], Path]) -> Callable[[str], Subject]:
    """Return a copy of a digits run as a subject."""
    return lambda head: Subject(Run(copied(head)), recipe="test", scale="smoke")
