import dataclasses

import pytest

from drumlin.recipes import RECIPES, about, recipe
from drumlin.recipes.classification import mnist_heads
from drumlin.settings.data import AugmentSettings
from drumlin.settings.heads import HEADS


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_says_what_it_is_and_has_distinct_rows(name):
    assert about(name)
    for scale in ("cpu", "paper", "smoke"):
        experiment = recipe(name, scale)
        assert (experiment.name, experiment.scale) == (name, scale)
        names = [variant.name for variant in experiment.variants]
        assert len(set(names)) == len(names)
        assert all(variant.candidates and variant.seeds for variant in experiment.variants)


def test_unknown_recipes_and_scales():
    with pytest.raises(ValueError, match="unknown recipe 'mnist-head': did you mean 'mnist-heads'"):
        recipe("mnist-head", "cpu")
    with pytest.raises(ValueError, match="unknown scale 'gpu'"):
        recipe("mnist-heads", "gpu")


def test_every_head_is_in_it_with_the_same_candidates():
    variants = mnist_heads.experiment("cpu").variants
    heads = {settings.head.name for variant in variants for settings in variant.candidates.values()}
    assert heads == set(HEADS)
    tuned = [variant for variant in variants if len(variant.candidates) > 1]
    assert {tuple(variant.candidates) for variant in tuned} == {("lr=0.01", "lr=0.03", "lr=0.1", "lr=0.3")}
    assert {variant.seeds for variant in tuned} == {(0, 1, 2)}
    for variant in tuned:
        for name, settings in variant.candidates.items():
            assert name == f"lr={settings.training.optimizer.lr:g}"
            assert settings.backbone.name == "fast-28"


def test_the_rows_of_table_1_are_on_its_network():
    variants = {v.name: v for v in mnist_heads.experiment("cpu").variants}
    (settings,) = variants["lgm alpha=0.3, 100-D, L's network"].candidates.values()
    assert (settings.backbone.name, settings.backbone.relu, settings.backbone.feature_dim) == ("cvpr-6", True, 100)
    assert settings.head.margin == 0.3
    published = {name: v.published.value for name, v in variants.items() if name.endswith("L's network")}
    assert published["softmax, 2-D, L's network"] == 0.0182
    assert published["lgm alpha=1, 100-D, L's network"] == pytest.approx(0.0039)
    assert len(published) == 20
    sources = {name.partition(",")[0]: variants[name].published.source for name in published}
    both = {"softmax", "center", "l-softmax m=2"}
    assert {name for name, source in sources.items() if source == "L Table 1, T Table 1"} == both
    assert {name for name, source in sources.items() if source == "T Table 1"} == {
        f"gm alpha={a}" for a in ("0", "0.3", "1")
    }
    assert published["gm alpha=0.3, 2-D, L's network"] == pytest.approx(0.0132)


def test_at_paper_scale_table_1_is_of_three_trainings_without_augmentation():
    variants = {v.name: v for v in mnist_heads.experiment("paper").variants}
    assert {v.seeds for name, v in variants.items() if name.endswith("L's network")} == {(0, 1, 2)}
    for name, variant in variants.items():
        for settings in variant.candidates.values():
            assert settings.data.augment == AugmentSettings(), "what is resolved from None shifts images"
            assert settings.backbone.relu == ("100-D" in name), "the papers' network has it there, with every loss"
    assert {v.seeds for v in mnist_heads.experiment("cpu").variants if "L's network" in v.name} == {(0,)}
    (settings,) = variants["softmax, 2-D, L's network"].candidates.values()
    assert not settings.backbone.relu, "features of two dimensions would fill one quadrant"


def test_nothing_published_stands_beside_other_data():
    assert all(variant.published is None for variant in mnist_heads.experiment("smoke").variants)


def test_what_is_clipped_differs_in_nothing_else():
    variants = {v.name: v for v in mnist_heads.experiment("cpu").variants}
    for name in ("gm clipped, 2-D", "lgm clipped, 100-D", "lgm alpha=1 clipped, 2-D, L's network"):
        clipped, plain = variants[name], variants[name.replace(" clipped", "")]
        assert clipped.published == plain.published
        for rate, settings in clipped.candidates.items():
            assert settings.training.grad_clip == 1.0
            training = dataclasses.replace(settings.training, grad_clip=None)
            assert dataclasses.replace(settings, training=training) == plain.candidates[rate]
