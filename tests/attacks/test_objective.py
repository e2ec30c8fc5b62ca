import pytest
import torch

from drumlin.attacks import BIM, FGSM, PGD, Objective
from drumlin.features import FeatureRequest
from drumlin.settings.heads import HEADS

COMPARING = ("isotropic", "triplet", "contrastive")


@pytest.mark.parametrize("head", COMPARING)
def test_a_loss_that_compares_images_has_no_gradient_of_one(network, images, head):
    x, y = images
    classifier = network(head)
    with pytest.raises(
        ValueError, match=r"loss 'head' is not defined for a .*: its loss compares the images of a batch"
    ):
        FGSM(loss="head")(classifier, x, y)
    assert FGSM(loss="margin")(classifier, x, y).linf.max() > 0  # the others are defined
    assert not classifier.head.training


@pytest.mark.parametrize("loss", ["ce", "margin", "head"])
@pytest.mark.parametrize("head", [name for name in HEADS if name not in COMPARING])
def test_the_gradient_of_an_image_is_its_own(network, images, head, loss):
    x, y = images
    classifier = network(head).double()
    x = x.double()
    together = Objective(classifier, y, None, loss=loss).gradient(x)
    alone = [Objective(classifier, y[i : i + 1], None, loss=loss).gradient(x[i : i + 1]) for i in range(len(x))]
    torch.testing.assert_close(together, torch.cat(alone))


def test_subset(network, images):
    x, y = images
    classifier, rows = network("softmax"), torch.tensor([7, 2])
    whole = Objective(
        classifier, y, (y + 1) % 3, loss="margin", score=lambda f, k: f.logits.gather(1, k[:, None])[:, 0]
    )
    part = whole.subset(rows)
    torch.testing.assert_close(part.value(part.features(x[rows])), whole.value(whole.features(x))[rows])


def test_the_margin_is_above_0_exactly_where_the_class_is_reached(network, images):
    x, _ = images
    classifier = network("softmax")
    for y in (torch.zeros(12, dtype=torch.int64), torch.ones(12, dtype=torch.int64)):
        for target in (None, (y + 1) % 3):
            objective = Objective(classifier, y, target, loss="margin")
            features = objective.features(x)
            reached = objective.reached_by(features)
            assert 0 < int(reached.sum()) < 12
            assert torch.equal(objective.classification(features) > 0, reached)


@pytest.mark.parametrize("attack", [FGSM(epsilon=0.05), BIM(epsilon=0.05), PGD(epsilon=0.05)], ids=lambda a: a.name)
def test_scale_of_the_logits_does_not_matter_to_the_margin(network, images, attack):
    """Not ×10, with which cross entropy is flat: a network that looks robust to one loss is none."""
    x, y = images
    results = []
    for scale in (1.0, 16.0):  # powers of two, so that nothing is rounded another way
        classifier = network("softmax")
        with torch.no_grad():
            classifier.head.linear.weight *= scale
            classifier.head.linear.bias *= scale
        results.append(
            type(attack)(epsilon=0.05, loss="margin")(classifier, x, y, generator=torch.Generator().manual_seed(0))
        )
    assert torch.equal(results[0].x, results[1].x)


@pytest.mark.parametrize("attack", [FGSM, BIM, PGD], ids=lambda a: a.name)
def test_the_score_is_climbed_down_where_the_loss_is_flat(linear, attack):
    w = torch.tensor([[1.0, 0.0], [0.0, 1.0]]) * 1000
    x, y = torch.tensor([[[[0.9, 0.1]]]]), torch.tensor([0])
    assert attack(epsilon=0.125)(linear(w), x, y).zero_gradient.all()
    result = attack(epsilon=0.125)(linear(w), x, y, score=lambda features, classes: features.logits[:, 1])
    torch.testing.assert_close(result.x, torch.tensor([[[[result.x[0, 0, 0, 0], 0.0]]]]))
    assert not result.zero_gradient.any()


@pytest.mark.parametrize("attack", [BIM(steps=3), PGD(steps=3)], ids=lambda a: a.name)
def test_dropout_follows_the_generator(network, images, attack):
    x, y = images
    classifier = network("softmax", backbone_dropout=0.5)

    def attacked(seed):
        def score(features, classes):
            seen.append(features.draws.detach())
            return features.draws[:, :, 0].mean(0)

        seen = []
        generator = torch.Generator().manual_seed(seed)
        return attack(classifier, x, y, score=score, request=FeatureRequest(draws=2), generator=generator).x, seen

    before = torch.get_rng_state()
    (first, seen), (again, _), (other, _) = attacked(0), attacked(0), attacked(1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(seen) >= 3
    assert not torch.equal(seen[0][0], seen[0][1])  # two draws differ
    assert all(torch.isfinite(draws).all() for draws in seen)
