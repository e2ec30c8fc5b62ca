"""Time, distortion and success of Carlini and Wagner's L2 attack against foolbox's, at the same settings on the same network.

A small convolutional network learns scikit-learn's digits, which takes seconds. Both attack the same test images that it classifies
rightly, with the same lr, first c, number of values of c, and steps at most; both stop early by their own rules, ours for each
image, foolbox for the batch. Which images succeed is found anew, by the network's classes. Both take turns, repeat by repeat; the
ratio of times is that of the medians (or minima) of one run. The bar: no slower, and no more distortion.

    python benchmarks/attacks.py [--images 100] [--steps 200] [--lr 0.05] [--targeted] [--repeats 3] [--threads 1] [--results FILE]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import foolbox
import torch
from _records import benchmark_record
from torch import Tensor
from torch.nn import functional as F

from drumlin.attacks import CarliniWagner
from drumlin.data import load
from drumlin.model import Classifier, InputSpec
from drumlin.results import append
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import head_settings

_BAR = 1.0
_CLASSES = 10


def trained(epochs: int = 8) -> Classifier:
    """Return a small network that knows the digits."""
    images = load("digits", "train")
    x, y = images.float(), images.labels
    torch.manual_seed(0)
    inputs = InputSpec(channels=1, size=(8, 8), mean=(0.3,), std=(0.37,))
    backbone = backbone_settings("digits-cnn", feature_dim=16, width=8)
    names = [str(k) for k in range(_CLASSES)]
    classifier = Classifier.create(backbone, head_settings("softmax"), names, inputs)
    optimiser = torch.optim.Adam(classifier.parameters(), lr=0.01)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            F.cross_entropy(classifier(x[rows]), y[rows]).backward()
            optimiser.step()
    return classifier.eval()


def contestants(
    classifier: Classifier, x: Tensor, y: Tensor, target: Tensor | None, *, lr: float, steps: int, values: int
) -> dict[str, Callable[[], Tensor]]:
    """Return name → what makes the adversarial images."""
    ours = CarliniWagner(lr=lr, steps=steps, binary_search_steps=values)
    theirs = foolbox.attacks.L2CarliniWagnerAttack(
        stepsize=lr, steps=steps, binary_search_steps=values, initial_const=ours.initial_const
    )
    model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    criteria = foolbox.criteria
    goal = criteria.Misclassification(y) if target is None else criteria.TargetedMisclassification(target)
    return {
        "drumlin": lambda: ours(classifier, x, y, target=target).x,
        "foolbox": lambda: theirs(model, x, goal, epsilons=None)[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Carlini and Wagner's L2 attack against foolbox's.")
    parser.add_argument("--images", type=int, default=100, help="number of images (default 100)")
    parser.add_argument("--steps", type=int, default=200, help="steps of Adam for each c (default 200)")
    parser.add_argument("--values", type=int, default=5, help="values of c (default 5)")
    parser.add_argument("--lr", type=float, default=0.05, help="Adam's (default 0.05)")
    parser.add_argument("--targeted", action="store_true", help="go for the next class instead of any other one")
    parser.add_argument("--repeats", type=int, default=3, help="repeats of each (default 3)")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch (default: torch's own choice)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="append ratios as records to FILE")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)

    classifier = trained()
    images = load("digits", "test")
    x, y = images.float(), images.labels
    right = (classifier(x).argmax(1) == y).nonzero()[: arguments.images, 0]
    x, y = x[right], y[right]
    target = (y + 1) % _CLASSES if arguments.targeted else None
    makers = contestants(classifier, x, y, target, lr=arguments.lr, steps=arguments.steps, values=arguments.values)
    times: dict[str, list[float]] = {name: [] for name in makers}
    found: dict[str, Tensor] = {}
    for _ in range(arguments.repeats):
        for name, make in makers.items():
            start = time.perf_counter()
            found[name] = make()
            times[name].append(time.perf_counter() - start)

    medians, success, norms = {}, {}, {}
    print(f"{'attack':<8} {'median s':>9} {'min s':>7} {'success':>8} {'median ‖δ‖₂':>12}")
    for name, adversarial in found.items():
        prediction = classifier(adversarial).argmax(1)
        worked = prediction != y if target is None else prediction == target
        success[name] = float(worked.float().mean())
        norms[name] = torch.where(worked, (adversarial - x).flatten(1).norm(dim=1), torch.nan)
        medians[name] = float(norms[name].nanmedian())
        middle, least = statistics.median(times[name]), min(times[name])
        print(f"{name:<8} {middle:>9.2f} {least:>7.2f} {success[name]:>8.1%} {medians[name]:>12.4f}")
    ratio = statistics.median(times["drumlin"]) / statistics.median(times["foolbox"])
    of_minima = min(times["drumlin"]) / min(times["foolbox"])
    distortion = medians["drumlin"] / medians["foolbox"]
    paired = float((norms["drumlin"] / norms["foolbox"]).nanmedian())
    print(
        f"drumlin / foolbox: time {ratio:.2f}x (minima {of_minima:.2f}x, bar {_BAR:.2f}), distortion {distortion:.3f}x, "
        f"image by image {paired:.3f}x"
    )
    if arguments.results is not None:
        goal = "untargeted" if target is None else "targeted"
        protocol = f"C&W L2, {goal}, {len(x)} digits, {arguments.values} c x {arguments.steps} steps, lr {arguments.lr}"
        values = {
            "time, drumlin / foolbox": ratio,
            "median distortion, drumlin / foolbox": distortion,
            "median of distortions' ratios": paired,
            "success, drumlin / foolbox": success["drumlin"] / success["foolbox"],
        }
        append(
            arguments.results,
            [
                benchmark_record("attacks", protocol, metric, value, n=arguments.repeats)
                for metric, value in values.items()
            ],
        )


if __name__ == "__main__":
    main()
