import dataclasses

import pytest

from drumlin.recipes import needs
from drumlin.recipes.attacks import cifar_detection, imagenet_detection, mnist_beyond, mnist_detection


@pytest.mark.parametrize(
    ("module", "first"),
    [
        (mnist_beyond, "fashion-mnist"),
        (mnist_detection, "fashion-mnist"),
        (cifar_detection, "textures"),
        (imagenet_detection, "textures"),
    ],
)
def test_sets_are_asked_for_before_a_training(module, first, tmp_path):
    experiment = module.experiment("cpu")
    settings = next(iter(experiment.variants[0].candidates.values()))
    data = dataclasses.replace(settings.data, root=str(tmp_path))
    with pytest.raises(ValueError, match=f"{first}.*{tmp_path}"):
        experiment.needs(dataclasses.replace(settings, data=data))


def test_what_is_made_of_other_images_is_always_there(small, tmp_path):
    settings = small("gm")
    elsewhere = dataclasses.replace(settings, data=dataclasses.replace(settings.data, root=str(tmp_path)))
    needs.sets(("noise", "inverted"))(elsewhere)
    needs.sets(())(elsewhere)
