"""One question asked of a trained model a file: numbers as records, curves and maps as arrays."""

from drumlin.tasks.base import Subject, TaskResult, stored_records

__all__ = ["Subject", "TaskResult", "stored_records"]
