"""The figures of mnist-fgsm: histograms of posterior and likelihood, and ROC curves, of the first seed's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from drumlin.recipes.experiment import Ledger, finished_runs
from drumlin.recipes.pages import write_figures_page
from drumlin.report.contents import Array
from drumlin.report.figures.curves import HistogramPanel, RocPanel
from drumlin.report.figures.panels import EmptyPanel, Panel, PanelFigure
from drumlin.tasks.base import stored_arrays

_VERIFIED, _TARGETED = "fgsm(epsilon=0.3)", "fgsm(loss=head, epsilon=0.3, target=second)"
_TITLES = {
    "softmax, 100-D": "Softmax",
    "center, 100-D": "Center loss",
    "lgm identity, 100-D": "L-GM, Λ = I",
    "lgm, 100-D": "L-GM",
}
_NORMAL, _ADVERSARIAL = "Normal", "Adversarial"
_PREFACE = (
    "All are of the first seed's models and all 10,000 test images, attacked ones with ε = 0.3 on pixels in 0 to 1."
)
Scores = Mapping[str, Array]


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw L's Figs. 3 to 6 into the folder `figures`, with a page that shows them; return the files.

    Raises:
        ValueError: a run that is not there, or not measured; a folder that cannot be written.
    """
    seed = ledger.experiment.variants[0].seeds[0]
    folders = finished_runs(ledger, out)
    runs = {title: _scores(folders[name, seed]) for name, title in _TITLES.items()}
    drawn = [make(runs) for make in (_posteriors, _likelihoods, _curves, _targeted)]
    return write_figures_page("MNIST under FGSM", _PREFACE, drawn, ledger, figures)


def _scores(folder: Path | None) -> Scores | None:
    """Return a run's scores by `DETECTOR/SET`; None where the training diverged."""
    if folder is None:
        return None
    arrays = {name: tensor.double().numpy() for name, tensor in stored_arrays(folder, "detection").items()}
    if not arrays:
        raise ValueError(f"{folder} has no scores any more: remove its records, and it is measured again")
    return arrays


def _panels(runs: Mapping[str, Scores | None], make: Callable[[str, Scores], Panel]) -> list[Panel]:
    return [
        EmptyPanel(title, "the training diverged") if scores is None else make(title, scores)
        for title, scores in runs.items()
    ]


def _posteriors(runs: Mapping[str, Scores | None]) -> PanelFigure:
    def panel(title: str, scores: Scores) -> Panel:
        # the score is log(1 − p_max)
        values = {name: -np.expm1(scores[f"msp/{place}"]) for name, place in _SETS.items()}
        return HistogramPanel(title, values, "p_max", (0.0, 1.0))

    caption = "Posterior probability of the predicted class, as in L Fig. 3. L leaves the normal images out: nearly all are at 1."
    return PanelFigure("l-figure-3", _panels(runs, panel), len(runs), caption)


def _likelihoods(runs: Mapping[str, Scores | None]) -> PanelFigure:
    def panel(title: str, scores: Scores) -> Panel:
        return HistogramPanel(title, _likelihood(title, scores, _SETS), "likelihood, largest = 1", (0.0, 1.0))

    caption = (
        "Likelihood of the features under the predicted class, as in L Fig. 4, in shares of the largest: exp(−½‖z−μ‖²) of the "
        "center loss and of L-GM with Λ = I, with the determinant where variances are learned; of softmax the logit, from the "
        "smallest to the largest."
    )
    return PanelFigure("l-figure-4", _panels(runs, panel), len(runs), caption)


def _likelihood(title: str, scores: Scores, sets: Mapping[str, str]) -> dict[str, Array]:
    """Return likelihoods of sets in shares of the largest; softmax's have no exponential in L."""
    negative = {name: scores[f"component-likelihood/{place}"] for name, place in sets.items()}
    least, most = min(v.min() for v in negative.values()), max(v.max() for v in negative.values())
    if title == "Softmax":
        return {name: (most - v) / (most - least) for name, v in negative.items()}
    return {name: np.exp(least - v) for name, v in negative.items()}


def _curves(runs: Mapping[str, Scores | None]) -> PanelFigure:
    pairs = {
        title: (scores["component-likelihood/test"], scores[f"component-likelihood/{_VERIFIED}"])
        for title, scores in runs.items()
        if scores is not None
    }
    caption = "Adversarial verification, as in L Fig. 5: the equal error rate is where a curve meets the dotted line."
    return PanelFigure("l-figure-5", [RocPanel("Likelihood", pairs)], 1, caption)


def _targeted(runs: Mapping[str, Scores | None]) -> PanelFigure:
    chosen = {title: scores for title, scores in runs.items() if title.startswith("L-GM")}
    sets = {_NORMAL: "test", _ADVERSARIAL: _TARGETED}

    def panel(title: str, scores: Scores) -> Panel:
        return HistogramPanel(title, _likelihood(title, scores, sets), "likelihood, largest = 1", (0.0, 1.0))

    caption = (
        "Likelihood under targeted FGSM on the whole loss, towards the second most probable class, as in L Fig. 6: this attack also "
        "brings features nearer to the target's mean."
    )
    return PanelFigure("l-figure-6", _panels(chosen, panel), len(chosen), caption)


_SETS = {_NORMAL: "test", _ADVERSARIAL: _VERIFIED}
