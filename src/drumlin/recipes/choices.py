"""What `--scale paper` does that the papers leave open, or that is not as they have it: for a reader who compares with them."""

from __future__ import annotations

from collections.abc import Iterator

from drumlin.recipes.experiment import Experiment

_HOLDOUT = (
    "A tenth of the training images, at most 5,000, is held out: settings are chosen, and detectors calibrated and fitted, on these "
    "alone. The papers train on all, or do not say."
)
_WARM_UP = "The likelihood comes to its full weight over the first quarter of the training. No warm-up is published."

_OF_HEADS: dict[str, str] = {
    "gm": _WARM_UP,
    "lgm": _WARM_UP,
    "center": "The center loss has weight 0.01, its centers follow at a rate of 0.5. Neither is in the papers here.",
    "contrastive-center": "The contrastive center loss has weight 1 and δ = 1.",
    "l-softmax": "L-Softmax's β falls from 1000 to 0 as in its authors' code, with its 30,000 steps brought to the training's.",
    "isotropic": "Isomax's α stands beside the mean of the cross entropy over a batch; I's eq. 4 has the sum, beside which it would "
    "weigh less by the size of the batch.",
    "triplet": "Triplets have a margin of 1, and all of a batch are taken. I does not say.",
    "contrastive": "The contrastive loss has a margin of 1 and is added to softmax. S does not say.",
}
"""Head → what was decided of it where a paper leaves it open."""

_MNIST = "Batches of 128, 20 epochs, one cycle of the rate, no augmentation: L and T print none of these."
_ATTACKED = (
    "How its network was trained on MNIST T does not say: as for the other tables of MNIST, the rate chosen among four."
)
_IMAGENET = "Windows of 224 pixels anywhere in the centre square of 256, mirrored or not: no augmentation is printed."
_MIRRORED = "The features of an image and of its mirror image are averaged; L, T and I do not say whether they do."
_ADAGRAD = "Adagrad's sums begin at 0.1, as in TensorFlow. The rate falls in steps; I's text could also mean smoothly."

_OF_RECIPES: dict[str, tuple[str, ...]] = {
    "mnist-heads": (
        _MNIST,
        "Rows called L's network are at the one rate of 0.03, as L has one for all losses and does not print it; the others choose "
        "among four, and the same published error stands beside both.",
        "L and T do not say which m L-Softmax had: 2. S's errors are in the rows of two dimensions, for S shows such features.",
    ),
    "margins": (),
    "mnist-maps": (
        _MNIST,
        "The rate is 0.03 for all. L's Fig. 1 does not say how its images were attacked: FGSM with ε = 0.1.",
    ),
    "mnist-fgsm": (
        _MNIST,
        "The rate is chosen among four. L's rows have one likelihood; ours are of learned variances and of the identity.",
    ),
    "mnist-detection": (_ATTACKED,),
    "cifar-detection": (),
    "imagenet-detection": (_IMAGENET,),
    "mnist-white-box": (_ATTACKED, "One model of each loss."),
    "cifar-white-box": ("One model of each loss.",),
    "mnist-beyond": ("No paper has this: the trainings are those of mnist-heads, a seed each.",),
    "mnist-orthogonal": ("No paper here has this: the trainings are those of mnist-heads, a seed each.",),
    "mnist-isomax": (
        _ADAGRAD,
        "All losses train for 82 epochs, I's 35,000 steps of center loss; isomax has 20,000 there.",
    ),
    "mnist-distances": (_MNIST,),
    "cifar10-heads": (
        "Softmax's published errors are those of the ResNet paper, which L and T copy.",
        "L pads images with zeros, T by reflection: GM's rows do as T, the others as L.",
        "L and T do not say which m L-Softmax had: 4.",
    ),
    "cifar-isomax": (_ADAGRAD,),
    "cifar100": ("L and T print no schedule for CIFAR-100: that of CIFAR-10, which L's code has, too.",),
    "cifar100-sensitivity": ("T prints no schedule for CIFAR-100: that of CIFAR-10.",),
    "cifar100-filters": (
        "S's figures are read from slides that print no settings: network and schedule are those of L's CIFAR-100.",
    ),
    "imagenet-heads": (_IMAGENET, "L's two rows have three seeds, T's, whose table has no spread, one."),
    "ilsvrc-isomax": (
        _ADAGRAD,
        "Which 200 classes I took it does not say; how far colours vary neither: as in TensorFlow's Inception preprocessing.",
    ),
    "faces": (
        "Two thirds of each person's images are trained on, as in I; L and T train on all 0.49M.",
        _MIRRORED,
        "RMSprop's ε = 1 is added to the root, as in torch; TensorFlow has it under the root: at a constant gradient of 1 "
        "a step is 0.5 of the rate, there 0.71.",
        "L does not say by which score others than L-GM are compared: their accuracies stand beside the cosine after PCA.",
    ),
    "faces-sensitivity": (
        "Two thirds of each person's images are trained on; T trains on all 0.49M.",
        _MIRRORED,
        "The poster gives no ranges of α and λ: T's are taken.",
    ),
}
"""Recipe → what was decided of it, or is otherwise than published."""


def choices(experiment: Experiment) -> list[str]:
    """Return sentences on what an experiment at paper scale does that is not in the papers, or not as there.

    Raises:
        KeyError: a recipe of which nothing is written down, not even that there is nothing.
    """
    return [*_shared(experiment), *_OF_RECIPES[experiment.name]]


def _shared(experiment: Experiment) -> Iterator[str]:
    """Yield what follows from the settings of the rows, each once."""
    settings = [each for row in experiment.variants for each in row.candidates.values()]
    if any(each.data.holdout for each in settings):
        yield _HOLDOUT
    heads = dict.fromkeys(each.head.name for each in settings)
    yield from dict.fromkeys(_OF_HEADS[name] for name in heads if name in _OF_HEADS)
