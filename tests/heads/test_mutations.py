"""Every head's own tests catch plausible bugs: a wrong sign, a dropped constant, a class too far.

Each mutant is one change to a copy of the package; the tests of its head must then fail, and pass without it. The contract test, which
all heads share, is not asked: values are the business of a head's own tests.
"""

import collections
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

import drumlin
from drumlin.settings.heads import HEADS

TESTS = Path(__file__).resolve().parents[1]
SOURCE = Path(drumlin.__file__).parent
_MIXTURE = ("heads/test_gaussian_mixture.py", "functional/test_mixture.py")
FILES = {
    "softmax": ("heads/test_softmax.py",),
    "center": ("heads/test_center.py", "functional/test_center.py"),
    "contrastive-center": ("heads/test_contrastive_center.py", "functional/test_contrastive_center.py"),
    "isotropic": ("heads/test_isotropic.py", "functional/test_isotropic.py"),
    "triplet": ("heads/test_metric.py",),
    "contrastive": ("heads/test_metric.py",),
    "l-softmax": ("heads/test_l_softmax.py", "functional/test_l_softmax.py"),
    "rce": ("heads/test_reverse_cross_entropy.py", "functional/test_reverse_cross_entropy.py"),
    "max-mahalanobis": (
        "heads/test_max_mahalanobis.py",
        "functional/test_max_mahalanobis.py",
        "functional/test_distances.py",
    ),
    "gm": _MIXTURE,
    "lgm": _MIXTURE,
}
"""The tests of each head, the quicker ones first."""


@dataclass(frozen=True)
class Mutant:
    """One bug: in `file` of the package, `old`, which is there once, becomes `new`."""

    head: str
    bug: str
    file: str
    old: str
    new: str

    @property
    def name(self) -> str:
        return f"{self.head}: {self.bug}"


MUTANTS = [
    Mutant("softmax", "bias dropped", "heads/linear.py", "linear.weight, linear.bias)", "linear.weight)"),
    Mutant("softmax", "next class", "heads/softmax.py", "(logits, y,", "(logits, (y + 1) % self.num_classes,"),
    Mutant("softmax", "sign", "heads/softmax.py", "cross_entropy(logits", "cross_entropy(-logits"),
    Mutant("softmax", "no smoothing", "heads/softmax.py", ", label_smoothing=self.label_smoothing)", ")"),
    Mutant("center", "sign", "functional/center.py", "z.to(dtype) - centers", "z.to(dtype) + centers"),
    Mutant("center", "no half", "functional/center.py", "return 0.5 * (", "return ("),
    Mutant("center", "next class", "functional/center.py", ")[y])", ")[y - 1])"),
    Mutant("center", "no 1 + n", "heads/center.py", "/ (1 + torch.bincount", "/ (torch.bincount"),
    Mutant("center", "centers flee", "heads/center.py", "(0, batch.y, step)", "(0, batch.y, -step)"),
    Mutant(
        "center",
        "centers move first",
        "heads/center.py",
        "center_loss(z, y, self.centers)",
        "center_loss(z, y, self.centers + 0.1)",
    ),
    Mutant("center", "rate times λ", "heads/center.py", "lr / weight if", "lr * weight if"),
    Mutant("contrastive-center", "no δ", "functional/contrastive_center.py", "(away + delta)", "away"),
    Mutant("contrastive-center", "sign of δ", "functional/contrastive_center.py", "away + delta", "away - delta"),
    Mutant(
        "contrastive-center",
        "own center among the others",
        "functional/contrastive_center.py",
        "centre - offset / others",
        "centre",
    ),
    Mutant("contrastive-center", "no spread", "functional/contrastive_center.py", " + spread_of_others[y]", ""),
    Mutant(
        "contrastive-center",
        "next class",
        "functional/contrastive_center.py",
        "mean_of_others[y]",
        "mean_of_others[y - 1]",
    ),
    Mutant("isotropic", "sign", "functional/isotropic.py", "(distance - mean)", "(distance + mean)"),
    Mutant("isotropic", "N for N − 1", "functional/isotropic.py", " * (size / max(size - 1, 1))", ""),
    Mutant(
        "isotropic",
        "squared distances",
        "functional/isotropic.py",
        "vector_norm(z - centre, dim=1)",
        "vector_norm(z - centre, dim=1).square()",
    ),
    Mutant("isotropic", "next class", "heads/isotropic.py", "(logits, y,", "(logits, (y + 1) % self.num_classes,"),
    Mutant("isotropic", "weight dropped", "heads/isotropic.py", "self.weight * isotropic", "isotropic"),
    Mutant(
        "triplet",
        "sign of the margin",
        "heads/_metric_learning.py",
        "TripletMarginLoss(margin,",
        "TripletMarginLoss(-margin,",
    ),
    Mutant("triplet", "distances not squared", "heads/_metric_learning.py", "_Distance(power=2)", "_Distance(power=1)"),
    Mutant(
        "triplet",
        "features normalised",
        "heads/_metric_learning.py",
        "normalize_embeddings=False",
        "normalize_embeddings=True",
    ),
    Mutant(
        "triplet",
        "an anchor is its own positive",
        "heads/_metric_learning.py",
        "positive != anchor + batch.first",
        "positive >= 0",
    ),
    Mutant("triplet", "sum over triplets", "heads/_metric_learning.py", "total / count.clamp_min(1)", "total"),
    Mutant(
        "triplet",
        "next class's mean",
        "heads/metric.py",
        "means.index_add_(0, batch.y,",
        "means.index_add_(0, (batch.y + 1) % len(means),",
    ),
    Mutant(
        "triplet",
        "sums for means",
        "heads/metric.py",
        "self.means.copy_(sums / counts[:, None])",
        "self.means.copy_(sums)",
    ),
    Mutant("triplet", "weight dropped", "heads/metric.py", "self.softmax_weight * nn", "nn"),
    Mutant(
        "contrastive",
        "sign of the margin",
        "heads/_metric_learning.py",
        "ContrastiveLoss(0, margin,",
        "ContrastiveLoss(0, -margin,",
    ),
    Mutant("contrastive", "no half", "heads/_metric_learning.py", '0.5 * part["losses"]', 'part["losses"]'),
    Mutant("contrastive", "not squared", "heads/_metric_learning.py", '["losses"] ** 2', '["losses"]'),
    Mutant(
        "contrastive",
        "next class",
        "heads/_metric_learning.py",
        "self._loss(batch.z, batch.y)",
        "self._loss(batch.z, batch.y.roll(1))",
    ),
    Mutant(
        "l-softmax", "sign of the recurrence", "functional/l_softmax.py", "* current - before", "* current + before"
    ),
    Mutant("l-softmax", "no −2j", "functional/l_softmax.py", "* current - 2 * j", "* current"),
    Mutant("l-softmax", "next interval", "functional/l_softmax.py", "range(1, margin)]", "range(0, margin)]"),
    Mutant("l-softmax", "sign of ψ", "functional/l_softmax.py", "(1 - 2 * (j % 2))", "(2 * (j % 2) - 1)"),
    Mutant("l-softmax", "no 1 + β", "functional/l_softmax.py", " / (1 + beta)\n    return", "\n    return"),
    Mutant("l-softmax", "next class", "functional/l_softmax.py", "dim=1)[y]", "dim=1)[y - 1]"),
    Mutant("l-softmax", "β rises", "heads/l_softmax.py", "** -self.power", "** self.power"),
    Mutant("l-softmax", "steps not counted", "heads/l_softmax.py", "self.step += 1", "pass"),
    Mutant("rce", "sign", "functional/reverse_cross_entropy.py", "-logits.to(", "logits.to("),
    Mutant("rce", "sign of the logits", "heads/reverse_cross_entropy.py", "return -super()", "return super()"),
    Mutant("rce", "K for K − 1", "functional/reverse_cross_entropy.py", "(logits.shape[1] - 1)", "logits.shape[1]"),
    Mutant(
        "rce", "next class", "functional/reverse_cross_entropy.py", "scatter(1, y[:, None]", "scatter(1, y[:, None] - 1"
    ),
    Mutant("max-mahalanobis", "sign", "functional/max_mahalanobis.py", "(-own / rest)", "(own / rest)"),
    Mutant("max-mahalanobis", "norm dropped", "functional/max_mahalanobis.py", "own = norm * ", "own = "),
    Mutant(
        "max-mahalanobis",
        "K for K − 1",
        "functional/max_mahalanobis.py",
        "/ (num_classes - 1) * rest",
        "/ num_classes * rest",
    ),
    Mutant("max-mahalanobis", "no half", "functional/distances.py", "product - 0.5 * z", "product - z"),
    Mutant("max-mahalanobis", "sign of the distance", "functional/distances.py", "addmm(-0.5 * ", "addmm(0.5 * "),
    Mutant(
        "max-mahalanobis",
        "next class",
        "heads/max_mahalanobis.py",
        "(logits, y,",
        "(logits, (y + 1) % self.num_classes,",
    ),
    Mutant(
        "gm", "sign of the constant", "functional/mixture.py", "log_prior - log_constant", "log_prior + log_constant"
    ),
    Mutant("gm", "no half", "functional/_fused.py", "squared_norms(offset).mul_(0.5)", "squared_norms(offset)"),
    Mutant(
        "gm",
        "next class",
        "functional/_fused.py",
        "offset = means.index_select(0, y)",
        "offset = means.index_select(0, (y + 1) % num_classes)",
    ),
    Mutant(
        "gm",
        "weight dropped",
        "heads/gaussian_mixture.py",
        "likelihood_weight=self.likelihood_weight * ramp",
        "likelihood_weight=ramp",
    ),
    Mutant("gm", "margin without warm-up", "heads/gaussian_mixture.py", "self.margin * ramp if", "self.margin if"),
    Mutant(
        "lgm",
        "sign of the determinant",
        "functional/_fused.py",
        "own_joint.sub_(own_log_det",
        "own_joint.add_(own_log_det",
    ),
    Mutant("lgm", "determinant dropped", "functional/_blocks.py", "constant.sub_(self.log_det, alpha=0.5)", "pass"),
    Mutant(
        "lgm",
        "margin for 1 + margin",
        "functional/_fused.py",
        "alpha=options.factor)\n        if options.shift",
        "alpha=options.factor - 1)\n        if options.shift",
    ),
    Mutant("lgm", "next class", "functional/_blocks.py", "exp_().index_select(0, y)", "exp_().index_select(0, y - 1)"),
]


@pytest.fixture(scope="module")
def outcomes():
    """pytest's exit code for each mutant, and for each head's tests as they are."""
    jobs = [asdict(m) | {"name": m.name, "tests": FILES[m.head]} for m in MUTANTS]
    jobs += [{"name": " ".join(files), "file": None, "tests": files} for files in dict.fromkeys(FILES.values())]
    worker = Path(__file__).with_name("mutation_worker.py")
    done = subprocess.run(
        [sys.executable, str(worker)],
        input=json.dumps({"source": str(SOURCE), "tests": str(TESTS), "jobs": jobs}),
        capture_output=True,
        text=True,
        check=True,
        cwd=TESTS.parent,
        timeout=600,
    )
    return json.loads(done.stdout)


def test_every_head_has_three():
    counts = collections.Counter(mutant.head for mutant in MUTANTS)
    assert set(counts) == set(FILES) == set(HEADS)
    assert min(counts.values()) >= 3


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_changes_what_is_there(mutant):
    assert (SOURCE / mutant.file).read_text().count(mutant.old) == 1


@pytest.mark.slow
@pytest.mark.parametrize("files", dict.fromkeys(FILES.values()), ids=" ".join)
def test_passes_as_it_is(outcomes, files):
    outcome = outcomes[" ".join(files)]
    assert outcome["code"] == pytest.ExitCode.OK, outcome["output"]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_is_caught(outcomes, mutant):
    assert outcomes[mutant.name]["code"] == pytest.ExitCode.TESTS_FAILED, outcomes[mutant.name]["output"]
