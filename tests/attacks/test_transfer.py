import pytest
import torch

from drumlin.attacks import BIM, FGSM, ILCM, PGD, Noise, Transfer


def opposite(classifier):
    """The classifier that takes each image for another class: logits rolled by one."""
    with torch.no_grad():
        classifier.head.linear.weight.copy_(classifier.head.linear.weight.roll(1, 0))
    return classifier


def test_images_are_the_substitutes_and_success_the_classifiers(network, images):
    x, _ = images
    substitute, victim = network("softmax"), opposite(network("softmax"))
    y = victim(x).argmax(1)
    made = BIM(epsilon=0.05)(substitute, x, y)
    result = Transfer(attack=BIM(epsilon=0.05), substitute=substitute)(victim, x, y)
    assert torch.equal(result.x, made.x)
    assert torch.equal(result.success, victim(made.x).argmax(1) != y)
    assert not torch.equal(result.success, made.success)
    assert torch.equal(result.zero_gradient, made.zero_gradient)
    assert torch.equal(result.iterations, made.iterations)


def test_targets_scores_and_generators_go_to_the_substitute(network, images):
    x, y = images
    target = (y + 1) % 3
    substitute = network("softmax")
    seen = []

    def score(features, classes):
        seen.append(classes)
        return features.z.sum(1)

    attack = PGD(epsilon=0.05, steps=2)
    result = Transfer(attack=attack, substitute=substitute)(
        network("gm"), x, y, target=target, score=score, generator=torch.Generator().manual_seed(5)
    )
    assert all(torch.equal(classes, target) for classes in seen)
    expected = attack(substitute, x, y, target=target, score=score, generator=torch.Generator().manual_seed(5))
    assert torch.equal(result.x, expected.x)


def test_it_can_do_what_its_attack_can(network, images):
    x, y = images
    substitute = network("softmax")
    with pytest.raises(ValueError, match="attack 'ilcm' picks its own"):
        Transfer(attack=ILCM(), substitute=substitute)(network(), x, y, target=(y + 1) % 3)
    with pytest.raises(ValueError, match="attack 'noise' can keep none low"):
        Transfer(attack=Noise(), substitute=substitute)(network(), x, y, score=lambda f, k: f.z.sum(1))
    result = Transfer(attack=ILCM(), substitute=substitute)(substitute, x, y)
    assert torch.equal(result.success, substitute(result.x).argmax(1) != y)  # any error, whatever the target was
    assert Transfer(attack=FGSM(epsilon=0.2), substitute=substitute).max_change == 0.2


def test_another_number_of_classes(network, linear, images):
    x, y = images
    attack = Transfer(attack=FGSM(), substitute=linear(torch.randn(2, 64)))
    with pytest.raises(ValueError, match="substitute must have the 3 classes of the classifier, it has 2"):
        attack(network(), x, y)


def test_its_name_tells_substitutes_apart_by_their_weights(network):
    substitute, other = network("softmax"), network("softmax")
    same = repr(Transfer(attack=FGSM(), substitute=substitute))
    assert same == repr(Transfer(attack=FGSM(), substitute=other))
    with torch.no_grad():
        other.head.linear.bias += 1
    assert same != repr(Transfer(attack=FGSM(), substitute=other))
    assert same != repr(Transfer(attack=FGSM(epsilon=0.2), substitute=substitute))
    other = network("softmax")
    other.mean += 0.1
    assert same != repr(Transfer(attack=FGSM(), substitute=other))
