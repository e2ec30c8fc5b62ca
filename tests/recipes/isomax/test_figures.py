import json

from drumlin.recipes.isomax.figures import preface


def test_a_page_says_how_often_its_runs_were_measured_and_not_what_the_recipe_would_do_now(small, tmp_path):
    from drumlin.training import train

    train(small(), tmp_path / "old")
    train(small(), tmp_path / "new", probe_every=3)
    assert "within" in json.loads((tmp_path / "new" / "training.jsonl").read_text().splitlines()[0])
    old, new = {"softmax": tmp_path / "old"}, {"center": tmp_path / "new", "isotropic": None}
    assert "has a point an epoch. A training" in preface(old)
    assert "has a point every 3 steps and at the end of every epoch. A training" in preface(new)
    assert "has a point every 3 steps and at the end of every epoch, some fewer. A" in preface(old | new)
