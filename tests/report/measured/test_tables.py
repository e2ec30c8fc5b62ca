import re

import pytest

from drumlin.report.measured import TABLES, chosen, markdown


def test_models_of_one_seed_each_are_no_repetitions(record) -> None:
    made = markdown("mnist-classification", [record(), record(head="softmax", seed=1000, value=0.03)])
    assert made.startswith("Classification of the MNIST test images, and time of training (P; torch 9):\n")


def test_repetitions_are_counted_a_cell(record) -> None:
    records = [record(seed=0, value=0.01), record(seed=1, value=0.02), record(head="softmax")]
    assert "mean ± standard deviation of 2 seeds; P; torch 9" in markdown("mnist-classification", records)


def test_a_table_of_both_precisions_says_so(record) -> None:
    facts = {"processor": "P", "torch": "9"}
    made = [record(seed=i, environment=facts | {"precision": p}) for i, p in enumerate(("float32", "bfloat16"))]
    assert "2 seeds; P; bfloat16; float32; torch 9)" in markdown("mnist-classification", made)
    older = record(seed=2)
    assert "3 seeds; P; torch 9)" in markdown("mnist-classification", [*made, older]), (
        "nothing is said of what is not known"
    )


def test_only_the_recipes_own_records_count(record) -> None:
    assert markdown("mnist-classification", [record(recipe="mnist-heads"), record(recipe=None)]) == ""
    (costs,) = chosen("costs-training", [record(recipe="benchmarks/training.py", task="training")])[1]
    assert costs.recipe == "benchmarks/training.py"


def test_detection_and_refusal_have_a_column_an_anomaly(record) -> None:
    facts = {"detector": "msp", "value": 0.5}
    records = [
        record(task="detection", metric="auroc", anomaly="noise", protocol="p", **facts),
        record(task="detection", metric="fpr95", anomaly="noise", protocol="p", **facts),
        record(task="refusal", metric="refused", anomaly="test", protocol="q", published=0.01, **facts),
        record(task="refusal", metric="refused", anomaly="noise", protocol="q", **facts),
    ]
    made = markdown("mnist-detection", records)
    assert "| head | detector | noise |\n| --- | --- | --- |\n| gm | msp | 50.00 |\n" in made
    assert "| head | detector | test (false alarms) | noise |" in markdown("mnist-refusal", records)


def test_geometry_shows_the_optimum_beside_the_measured_distance(record) -> None:
    optimum = record(task="geometry", metric="mean-distance", unit="units", value=2.7, published=2.725279)
    made = markdown("mnist-geometry", [optimum])
    assert "| gm | 2.70 (2.73) |" in made
    assert ", and in parentheses the distance at the optimum of the loss, where it has one (P;" in made
    alone = record(task="geometry", metric="mean-distance", unit="units", value=2.7)
    assert "in parentheses" not in markdown("mnist-geometry", [alone])


def test_of_attacked_images_a_table_has_one_protocol(record) -> None:
    facts = {"recipe": "mnist-detection", "task": "detection", "metric": "auroc", "detector": "lid", "anomaly": "fgsm"}
    records = [
        record(protocol="gm, 100-D; all-attacked, fitted to FGSM", value=0.5, **facts),
        record(protocol="gm, 100-D; right-before-and-fooled, fitted to FGSM", value=0.25, **facts),
    ]
    assert "| gm (fitted to FGSM) | lid | 50.00 |" in markdown("mnist-attacks", records)
    assert "| gm (fitted to FGSM) | lid | 25.00 |" in markdown("mnist-attacks-fooled", records)


def test_what_is_of_cpu_scale_is_said_there_alone(record) -> None:
    facts = {"recipe": "mnist-heads", "protocol": "gm, 100-D", "published": 0.01}
    assert "; `fast-28`, three epochs, and in" in markdown("mnist-heads", [record(**facts)])
    assert "fast-28" not in markdown("mnist-heads", [record(scale="paper", **facts)])


def test_records_of_another_shape_are_no_rows(record) -> None:
    facts = {"recipe": "mnist-heads"}
    assert markdown("mnist-heads", [record(protocol=name, **facts) for name in (None, "gm")]) == ""


def test_an_unknown_table(record) -> None:
    with pytest.raises(ValueError, match="unknown table 'mnist-geometri': did you mean 'mnist-geometry'"):
        markdown("mnist-geometri", [record()])


def test_captions_leave_it_to_the_page_how_published_values_stand() -> None:
    for name, table in TABLES.items():
        assert not re.search("parenthes", table.caption), name


def test_what_a_row_is_measured_by_gets_a_column_each(record) -> None:
    facts = {"recipe": "mnist-isomax", "task": "neighbours", "metric": "accuracy"}
    records = [record(protocol=f"gm, 2-D; k={k}, as they are", value=k / 10, published=0.5, **facts) for k in (1, 5)]
    made = markdown("mnist-isomax-neighbours", records)
    assert (
        "| head | k=1, as they are | k=5, as they are |\n| --- | --- | --- |\n| gm | 10.00 (50.00) | 50.00 (50.00) |"
        in made
    )
    facts = {"recipe": "mnist-isomax", "task": "robustness", "unit": "times I's", "protocol": "gm, 2-D"}
    misfit = record(metric="epsilon-scale-misfit", value=0.02, **(facts | {"unit": "ratio"}))
    scale = [record(metric="epsilon-scale", value=8.0, **facts), misfit]
    assert "| gm | 8.000 | 0.020 |" in markdown("mnist-isomax-scale", scale)


def test_networks_of_a_recipe_do_not_mix(record) -> None:
    facts = {"recipe": "cifar10-heads"}
    records = [record(protocol=f"gm, {n}", value=v, **facts) for n, v in (("fast-32", 0.25), ("narrow fast-32", 0.5))]
    assert "| gm | 50.00 |" in markdown("cifar10-heads-narrow", records)
    assert "25.00" not in markdown("cifar10-heads-narrow", records)
    facts |= {"task": "neighbours", "metric": "accuracy"}
    kinds = ("features as they are", "features L2-normalised")
    records = [record(protocol=f"gm, narrow fast-32; k=5, {kind}", **facts) for kind in kinds]
    assert "| head | k=5, features as they are |\n" in markdown("cifar10-heads-narrow-neighbours", records)


def test_pairs_of_faces_have_a_column_a_score(record) -> None:
    facts = {"recipe": "faces", "task": "verification", "metric": "accuracy"}
    records = [
        record(protocol=f"gm, {row}; lfw/{test}, {score}, mirrored, threshold from lfw/{other}", value=value, **facts)
        for row, test, score, other, value in (
            ("View 1", "pairsDevTest.txt", "cosine, PCA 64", "pairsDevTrain.txt", 0.75),
            ("View 1", "pairsDevTest.txt", "l2, no PCA", "pairsDevTrain.txt", 0.5),
            ("View 2 fold 1", "pairs.txt, fold 1", "l2, PCA 64", "pairs.txt, fold 2", 0.125),
            ("View 2 fold 1", "pairs.txt, fold 1", "l2, no PCA", "pairs.txt, fold 2", 0.25),
        )
    ]
    made = markdown("faces-view-1-pairs", records)
    assert "| head | cosine, PCA 64 | l2, no PCA |\n| --- | --- | --- |\n| gm | 75.00 | 50.00 |\n" in made
    made = markdown("faces-fold-1-pairs", records)
    assert "| head | l2, PCA 64 | l2, no PCA |\n| --- | --- | --- |\n| gm | 12.50 | 25.00 |\n" in made
