"""Training: settings in, a run's folder out."""

from drumlin.training.distributed import first_process
from drumlin.training.divergence import TrainingError
from drumlin.training.following import Probe
from drumlin.training.loop import train
from drumlin.training.progress import reporter
from drumlin.training.runs import Run, read_config

__all__ = ["Probe", "Run", "TrainingError", "first_process", "read_config", "reporter", "train"]
