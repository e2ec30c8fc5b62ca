import copy
import dataclasses
import math

import pytest
import torch

from drumlin.recipes.faces.verification import digit_pairs
from drumlin.tasks import curves
from drumlin.tasks.curves import nearness, pair_errors
from drumlin.tasks.verification import verification


def test_it_says_of_the_holdout_what_its_nearest_training_features_and_their_means_say(subject):
    one = subject("gm")
    training, holdout = one.run.train_images(), one.run.holdout_images()
    found = nearness(one.run.classifier, training, holdout)
    known, fresh = one.features(training), one.features(holdout)
    votes = torch.cdist(fresh.z.double(), known.z.double()).argsort(1)[:, :5]
    right = 0
    for row, y in zip(known.y[votes].tolist(), fresh.y.tolist(), strict=True):
        most = max(row.count(k) for k in row)
        right += next(k for k in row if row.count(k) == most) == y
    assert found["neighbour_error"] == pytest.approx(1 - right / len(fresh))
    means = torch.stack([known.z[known.y == k].mean(0) for k in range(8)])
    expected = 0.5 * (fresh.z - means[fresh.y]).square().sum(1).mean()
    assert found["center_loss"] == pytest.approx(float(expected), rel=1e-5)


def test_of_many_classes_ten_images_each_are_looked_at(subject, monkeypatch):
    one = subject("softmax")
    training, holdout = one.run.train_images(), one.run.holdout_images()
    monkeypatch.setattr(curves, "_TRAINING", 16)
    few = training.subset(torch.arange(80))
    found = nearness(one.run.classifier, training, holdout)
    assert found == nearness(one.run.classifier, few, holdout)
    assert found != nearness(one.run.classifier, training.subset(torch.arange(16)), holdout)


def test_without_a_holdout_there_is_nothing_to_say(subject):
    run = subject("gm").run
    assert nearness(run.classifier, run.train_images(), run.holdout_images().subset(torch.arange(0))) == {}


@pytest.mark.parametrize("view", [1, 2])
def test_pairs_are_told_as_the_task_tells_them_by_plain_distances(subject, tmp_path, view):
    one, pairs = subject("gm"), digit_pairs(tmp_path)
    parts = [
        dataclasses.replace(pairs, **{f: getattr(pairs, f)[i::2] for f in ("index", "same", "fold")}) for i in (0, 1)
    ]
    tested, threshold = (pairs, None) if view == 2 else parts
    found = verification(one, tested, threshold_pairs=threshold, scores=["l2"], pca=None, flip=False).records
    values = {record.metric: record.value for record in found}
    errors = pair_errors(one.run.classifier, tested, threshold, root=tmp_path)
    assert errors["pair_error"] == pytest.approx(1 - values["accuracy"])
    assert errors["pair_equal_error_rate"] == pytest.approx(values["equal-error-rate"])
    assert 0 < values["accuracy"] < 1


def test_of_features_that_are_not_finite_no_pair_is_told(subject, tmp_path):
    classifier = copy.deepcopy(subject("gm").run.classifier)
    with torch.no_grad():
        next(classifier.backbone.parameters()).fill_(torch.nan)
    errors = pair_errors(classifier, digit_pairs(tmp_path), root=tmp_path)
    assert errors.keys() == {"pair_error", "pair_equal_error_rate"}
    assert all(math.isnan(value) for value in errors.values())
