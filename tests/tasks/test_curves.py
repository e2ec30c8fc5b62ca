import pytest
import torch

from drumlin.tasks.curves import nearness


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


def test_without_a_holdout_there_is_nothing_to_say(subject):
    run = subject("gm").run
    assert nearness(run.classifier, run.train_images(), run.holdout_images().subset(torch.arange(0))) == {}
