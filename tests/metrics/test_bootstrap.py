import time

import numpy as np
import pytest

from drumlin.metrics.bootstrap import bootstrap
from drumlin.metrics.detection import METRICS, auroc


def test_bootstrap_spread_is_that_of_new_samples():
    random = np.random.default_rng(0)
    intervals = bootstrap(random.normal(size=400), random.normal(1, 1, size=400), seed=1, level=0.68, repeats=400)
    fresh = [auroc(random.normal(size=400), random.normal(1, 1, size=400)) for _ in range(400)]
    low, high = intervals["auroc"]
    assert (high - low) / 2 == pytest.approx(np.std(fresh), rel=0.25)
    assert set(intervals) == set(METRICS)
    assert all(low <= high for low, high in intervals.values())


def test_bootstrap_follows_its_seed_alone():
    random = np.random.default_rng(0)
    scores = random.normal(size=50), random.normal(1, 1, size=60)
    assert bootstrap(*scores, seed=3) == bootstrap(*scores, seed=3)
    assert bootstrap(*scores, seed=3) != bootstrap(*scores, seed=4)
    alone = bootstrap(*scores, seed=3, metrics=["eer"])
    assert alone == {"eer": bootstrap(*scores, seed=3)["eer"]}


def test_a_wider_level_is_a_wider_interval():
    random = np.random.default_rng(0)
    scores = random.normal(size=50), random.normal(1, 1, size=60)
    (low, high), (lower, higher) = (bootstrap(*scores, level=level)["auroc"] for level in (0.5, 0.95))
    assert lower < low < high < higher


def test_bootstrap_of_many_scores_is_quick():
    random = np.random.default_rng(0)
    negative, positive = random.normal(size=10_000), random.normal(1, 1, size=10_000)
    start = time.process_time()
    bootstrap(negative, positive, repeats=50)
    # 200 draws in 2 s is the aim; here a quarter of them, with room for a busy machine.
    assert time.process_time() - start < 2
