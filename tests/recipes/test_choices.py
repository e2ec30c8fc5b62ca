import dataclasses

import pytest

from drumlin.recipes import RECIPES, recipe
from drumlin.recipes.choices import choices
from drumlin.recipes.classification import mnist_heads
from drumlin.recipes.faces import losses
from drumlin.recipes.pictures import margins


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_says_what_is_not_in_the_papers_in_sentences(name):
    found = choices(recipe(name, "paper"))
    assert len(set(found)) == len(found), "each once"
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in found)


def test_only_what_draws_has_nothing_to_say():
    assert [name for name in RECIPES if not choices(recipe(name, "paper"))] == ["margins"]


def test_a_recipe_that_nobody_wrote_of_is_an_error():
    with pytest.raises(KeyError, match="mnist-others"):
        choices(dataclasses.replace(margins.experiment("paper"), name="mnist-others"))


def test_what_follows_from_the_settings_is_said_of_those_alone():
    whole = mnist_heads.experiment("paper")
    rows = {name: row for row in whole.variants for name in [row.name.partition(",")[0]] if "L's network" in row.name}

    def of(*names):
        return " ".join(choices(dataclasses.replace(whole, variants=tuple(rows[name] for name in names))))

    assert "No warm-up is published" in of("gm alpha=1", "softmax")
    assert "No warm-up is published" not in of("softmax", "center")
    assert "its centers follow" in of("softmax", "center")
    assert "its centers follow" not in of("softmax")
    assert "held out" in of("softmax")
    row = rows["softmax"]
    settings = row.candidates["lr=0.03"]
    none = dataclasses.replace(settings, data=dataclasses.replace(settings.data, holdout=0.0))
    without = dataclasses.replace(whole, variants=(dataclasses.replace(row, candidates={"lr=0.03": none}),))
    assert "held out" not in " ".join(choices(without))


def test_what_it_says_of_heads_is_so():
    heads = {
        s.head.name: s.head
        for v in (*mnist_heads.experiment("paper").variants, *losses.experiment("paper").variants)
        for s in v.candidates.values()
    }
    assert (heads["center"].center_weight, heads["center"].center_rate) == (0.01, 0.5)
    assert (heads["contrastive-center"].weight, heads["contrastive-center"].delta) == (1.0, 1.0)
    margin = heads["l-softmax"]
    assert (margin.beta, margin.gamma, margin.power, margin.beta_min) == (1000, None, 35, 0)
    assert margin.resolved(30_000).gamma == pytest.approx(2.5e-5)
    assert (heads["triplet"].margin, heads["triplet"].mining) == (1.0, "all")
    assert heads["contrastive"].margin == 1.0
    assert heads["gm"].warmup_steps is heads["lgm"].warmup_steps is None
    assert heads["gm"].resolved(400).warmup_steps == heads["lgm"].resolved(400).warmup_steps == 100
