"""What settings that say "as is best" become."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from drumlin.settings.backbones import backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import RunSettings, TrainingSettings
from drumlin.training.resolution import check_augmentation, resolve, steps_per_epoch

CPU = torch.device("cpu")


def settings(**training: int) -> RunSettings:
    return RunSettings(
        data=DataSettings(name="cifar10"),
        head=head_settings("gm"),
        backbone=backbone_settings("resnet-20"),
        training=TrainingSettings(**training),
    )


@pytest.mark.parametrize(
    ("num_images", "batch_size", "epochs"),
    [
        (10, 8, 1500),  # one step an epoch, the smallest batch
        (256, 8, 47),  # 32 steps an epoch: 47 x 32 = 1504
        (1000, 16, 25),  # 31 images a step fit, 16 is the power of two below; 62 steps
        (4096, 128, 47),
        (45_000, 128, 12),
        (10_000_000, 128, 12),
    ],
)
def test_batch_and_epochs_follow_the_number_of_images(num_images: int, batch_size: int, epochs: int) -> None:
    resolved = resolve(settings(), num_images, CPU).training
    assert (resolved.batch_size, resolved.epochs) == (batch_size, epochs)


def test_what_is_given_stays() -> None:
    resolved = resolve(settings(epochs=3, batch_size=50), 1000, CPU)
    assert (resolved.training.epochs, resolved.training.batch_size) == (3, 50)
    assert resolved.head.warmup_steps == 15  # a quarter of 3 x 20 steps
    fixed = dataclasses.replace(resolved, head=head_settings("gm", warmup_steps=7))
    assert resolve(fixed, 1000, CPU).head.warmup_steps == 7


def test_nothing_is_left_open_and_resolving_again_changes_nothing() -> None:
    once = resolve(settings(), 1000, CPU)
    assert once.training.precision in ("float32", "bfloat16")
    assert once.data.augment is not None
    assert once.data.augment.flip
    assert resolve(once, 77, CPU) == once


def test_a_batch_larger_than_the_set_is_one_step() -> None:
    assert steps_per_epoch(5, 128) == 1


def test_a_shift_beyond_the_reflection_is_refused_before_the_run_begins() -> None:
    with pytest.raises(ValueError, match=r"augment\.shift is 8: images of 8x9 can be shifted by 7 pixels at most"):
        check_augmentation(AugmentSettings(shift=8, pad="reflect"), (8, 9), 2)
    check_augmentation(AugmentSettings(shift=7, pad="reflect"), (8, 9), 2)
    check_augmentation(AugmentSettings(shift=8), (8, 9), 2)


def test_more_plain_epochs_than_there_are_are_refused_before_the_run_begins() -> None:
    with pytest.raises(ValueError, match=r"augment\.plain_epochs is 3: the training has 2 epochs"):
        check_augmentation(AugmentSettings(plain_epochs=3), (8, 8), 2)
    check_augmentation(AugmentSettings(plain_epochs=2), (8, 8), 2)
