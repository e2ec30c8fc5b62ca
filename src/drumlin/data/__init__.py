"""A name or a folder → labelled images; splits; training batches. Nothing else knows about image files."""

from drumlin.data.adaptation import adapt
from drumlin.data.alignment import align
from drumlin.data.augmentation import augment
from drumlin.data.batches import train_batches
from drumlin.data.decoding import load_image
from drumlin.data.files import ImageFiles
from drumlin.data.images import Images
from drumlin.data.landmarks import detect_landmarks
from drumlin.data.loading import load
from drumlin.data.named import DataSetInfo, datasets
from drumlin.data.opening import AnyImages
from drumlin.data.roots import data_root
from drumlin.data.splits import class_by_class, holdout_split, some
from drumlin.data.synthetic import inverted, load_ood, noise
from drumlin.data.windows import crops

__all__ = [
    "AnyImages",
    "DataSetInfo",
    "ImageFiles",
    "Images",
    "adapt",
    "align",
    "augment",
    "class_by_class",
    "crops",
    "data_root",
    "datasets",
    "detect_landmarks",
    "holdout_split",
    "inverted",
    "load",
    "load_image",
    "load_ood",
    "noise",
    "some",
    "train_batches",
]
