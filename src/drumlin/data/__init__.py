"""A name or a folder → labelled images; splits; training batches. Nothing else knows about image files."""

from drumlin.data.adaptation import adapt
from drumlin.data.augmentation import augment
from drumlin.data.batches import train_batches
from drumlin.data.decoding import load_image
from drumlin.data.files import ImageFiles
from drumlin.data.images import Images
from drumlin.data.loading import load
from drumlin.data.named import DataSetInfo, datasets
from drumlin.data.opening import AnyImages
from drumlin.data.roots import data_root
from drumlin.data.splits import holdout_split
from drumlin.data.synthetic import inverted, load_ood, noise

__all__ = [
    "AnyImages",
    "DataSetInfo",
    "ImageFiles",
    "Images",
    "adapt",
    "augment",
    "data_root",
    "datasets",
    "holdout_split",
    "inverted",
    "load",
    "load_image",
    "load_ood",
    "noise",
    "train_batches",
]
