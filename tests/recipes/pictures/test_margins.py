import math
from pathlib import Path

import pytest
import torch

from drumlin.cli import main
from drumlin.recipes.pictures.margins import psi, regions


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_psi_is_the_formula_of_the_slides(m: int):
    degrees = torch.linspace(1, 179, 90, dtype=torch.float64)
    expected = []
    for theta in torch.deg2rad(degrees).tolist():
        k = math.floor(theta * m / math.pi)
        expected.append((-1) ** k * math.cos(m * theta) - 2 * k)
    torch.testing.assert_close(psi(degrees, m), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_a_sample_counts_as_right_where_1_plus_alpha_times_its_distance_is_the_smaller_one(alpha: float):
    side = torch.linspace(-3, 3, 20)
    found = regions(side, alpha)
    for row, y in enumerate(side.tolist()):
        for column, x in enumerate(side.tolist()):
            near, far = (x + 1) ** 2 + y**2, (x - 1) ** 2 + y**2
            assert found[:, row, column].tolist() == [(1 + alpha) * near < far, (1 + alpha) * far < near]


def test_it_draws_without_data_and_trains_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    figures = tmp_path / "figures"
    words = ["reproduce", "margins", "--out", str(tmp_path / "runs"), "--figures", str(figures)]
    assert main(words) == 0
    names = {file.name for file in figures.iterdir()}
    assert names == {"margins.md", *(f"{f}.{kind}" for f in ("s-figure-3", "l-figure-2") for kind in ("png", "svg"))}
    assert "trains nothing" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    assert main([*words[:-2], "--only", "gm"]) != 0
    assert "recipe margins has no rows to choose among: leave --only out" in capsys.readouterr().err
