import dataclasses
from pathlib import Path

import numpy as np
import pytest

from drumlin.cli import main
from drumlin.recipes.attacks import mnist_fgsm
from drumlin.recipes.attacks.mnist_fgsm_figures import _likelihood, _likelihoods, _posteriors
from drumlin.recipes.classification import mnist_heads
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.tables import row_of
from drumlin.recipes.variants import Measured
from drumlin.report.figures.panels import EmptyPanel
from drumlin.results import Record, in_percent, read, select


def test_the_models_are_tuned_as_those_of_mnist_heads():
    own = {v.name: v for v in mnist_fgsm.experiment("cpu").variants}
    others = {v.name: v for v in mnist_heads.experiment("cpu").variants}
    for name in ("softmax, 100-D", "center, 100-D", "lgm, 100-D"):
        assert own[name].candidates == others[name].candidates
    (identity,) = {s.head.covariance for s in own["lgm identity, 100-D"].candidates.values()}
    assert identity == "identity"
    assert all(len(v.seeds) == 3 for v in own.values())


def test_published_values_are_those_of_the_paper_and_of_mnist_alone():
    also = {v.name: v.also for v in mnist_fgsm.experiment("cpu").variants}
    assert also["center, 100-D"][Measured("robustness", "error", None, "fgsm(epsilon=0.1)")].value == pytest.approx(
        0.4313
    )
    eer = Measured("detection", "eer", "component-likelihood", "fgsm(epsilon=0.3)")
    assert [also[f"{n}, 100-D"][eer].value for n in ("softmax", "center", "lgm identity")] == pytest.approx(
        [0.377, 0.102, 0.031]
    )
    targeted = [k for k in also["lgm, 100-D"] if k.anomaly == mnist_fgsm.TARGETED]
    assert sorted(k.metric for k in targeted) == ["eer", "error"]
    assert not any(k.anomaly == mnist_fgsm.TARGETED for k in also["softmax, 100-D"])
    assert all(not v.also for v in mnist_fgsm.experiment("smoke").variants)


def test_likelihoods_are_shares_of_the_largest_and_softmax_has_no_exponential():
    scores = {"component-likelihood/test": np.array([1.0, 3.0]), "component-likelihood/x": np.array([5.0])}
    sets = {"Normal": "test", "Adversarial": "x"}
    plain = _likelihood("L-GM", scores, sets)
    np.testing.assert_allclose(plain["Normal"], [1, np.exp(-2)])
    np.testing.assert_allclose(plain["Adversarial"], np.exp(-4))
    softmax = _likelihood("Softmax", scores, sets)
    np.testing.assert_allclose(softmax["Normal"], [1, 0.5])
    np.testing.assert_allclose(softmax["Adversarial"], 0)


def test_a_model_that_diverged_is_an_empty_panel_and_p_max_comes_from_the_score():
    names = ("test", "fgsm(epsilon=0.3)")
    scores = {f"msp/{n}": np.log([0.25, 1.0]) for n in names} | {
        f"component-likelihood/{n}": np.zeros(2) for n in names
    }
    figure = _posteriors({"Softmax": None, "L-GM": scores})
    assert isinstance(figure.panels[0], EmptyPanel)
    np.testing.assert_allclose(figure.panels[1].values["Normal"], [0.75, 0.0])
    assert _likelihoods({"L-GM": scores}).name == "l-figure-4"


def test_what_tables_share():
    record = Record(
        run="r", task="t", data="d", split="test", metric="m", value=0.5, unit="fraction", protocol="a, 2-D; all", ci_low=0.4,
        ci_high=0.6, published=0.25, published_source="X",
    )  # fmt: skip
    scaled = in_percent(record)
    assert (scaled.value, scaled.ci_low, scaled.ci_high, scaled.published, scaled.unit) == (50, 40, 60, 25, "%")
    assert in_percent(dataclasses.replace(record, unit="nats")).value == 0.5
    assert row_of(record).protocol == "a, 2-D"
    assert row_of(dataclasses.replace(record, protocol=None)).protocol == ""


@pytest.mark.slow
def test_it_runs_and_shows_tables_and_figures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = mnist_fgsm.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        rows = [
            dataclasses.replace(v, seeds=(0,), candidates=dict([*v.candidates.items()][-1:])) for v in whole.variants
        ]
        return dataclasses.replace(whole, variants=tuple(rows))

    monkeypatch.setattr(mnist_fgsm, "experiment", experiment)
    assert main(["reproduce", "mnist-fgsm", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]) == 0
    assert "Equal error rate, %" in capsys.readouterr().out
    records = read(tmp_path / "results.jsonl")
    softmax = [r for r in records if (r.protocol or "").startswith("softmax, 100-D")]
    errors = {r.anomaly: r.value for r in select(softmax, task="robustness", metric="error")}
    clean = next(r.value for r in select(softmax, task="classification", metric="error"))
    assert clean < errors["fgsm(epsilon=0.1)"] < errors["fgsm(epsilon=0.3)"]
    rates = select(records, task="detection", metric="eer")
    assert {r.anomaly for r in rates} == {mnist_fgsm.VERIFIED, mnist_fgsm.TARGETED}
    page = (tmp_path / "figures" / "mnist-fgsm.md").read_text()
    for name in ("l-figure-3", "l-figure-4", "l-figure-5", "l-figure-6"):
        assert f"({name}.png)" in page
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 5000
