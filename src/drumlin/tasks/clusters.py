"""How far clusters of the test features, found without labels, agree with the classes."""

from __future__ import annotations

from drumlin.data import holdout_split
from drumlin.metrics.clustering import CLUSTERINGS, agreement
from drumlin.tasks.base import Subject, TaskResult, as_arrays

TASK = "clusters"


def clusters(subject: Subject, limit: int = 10_000, *, seed: int = 0) -> TaskResult:
    """Cluster test features by k-means and by Ward's method, into as many clusters as classes occur among them.

    I cites Strehl and Ghosh for NMI, who normalise by the geometric mean of the entropies, and does not say which it took:
    both are recorded, with the name of the mean in the protocol.

    Args:
        subject: the run.
        limit: of more test images a seeded, stratified part of this size is taken, at least 2; Ward's method needs limit² numbers.
        seed: of that part and of k-means, which is begun ten times.

    Returns:
        For each method records of NMI (arithmetic and geometric mean) and AMI; arrays `index` (n,), the test images that were
        clustered, and the cluster of each, `k-means` and `ward` (n,).

    Raises:
        ValueError: `limit` below 2; test images of one class alone.

    Source: I §4.4, Table 5.
    """
    subject.begin()
    if limit < 2:
        raise ValueError(f"limit must be at least 2 images, got {limit}")
    features = subject.features(subject.run.test_images())
    assert features.y is not None
    left_out = max(0.0, 1 - limit / len(features))
    index, _ = holdout_split(features.y, left_out, len(features), seed)
    z, y = features.z[index].numpy(), features.y[index].numpy()
    count = len(set(y.tolist()))
    if count < 2:
        raise ValueError(f"the {len(y)} test images are of one class: clusters can only agree with two or more")
    arrays, records = {"index": index}, []
    for name, clustering in CLUSTERINGS.items():
        found = clustering(z, count, seed)
        arrays |= as_arrays({name: found})
        measured = agreement(y, found)
        facts = {"split": "test", "unit": "ratio", "n": len(y)}
        for metric, mean, value in (
            ("nmi", "arithmetic", measured.nmi),
            ("nmi", "geometric", measured.nmi_geometric),
            ("ami", "arithmetic", measured.ami),
        ):
            records.append(subject.record(TASK, metric, value, protocol=f"{name}, {mean} mean", **facts))
    return TaskResult(records, arrays)
