"""Distances as logits: by hand, against differences, far from the origin, and twice differentiable; and the nearest."""

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from drumlin.functional import distance_logits, distances, nearest


def problem(dtype=torch.float64, offset=0.0):
    generator = torch.Generator().manual_seed(0)
    z, means = (torch.randn(rows, 3, dtype=torch.float64, generator=generator) + offset for rows in (5, 4))
    return z.to(dtype), means.to(dtype)


def test_by_hand():
    """(3, 4) lies 5 from the origin and 1 from (3, 3)."""
    logits = distance_logits(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0], [3.0, 3.0]]))
    torch.testing.assert_close(logits, torch.tensor([[-12.5, -0.5]]))


@pytest.mark.parametrize(("offset", "dtype", "error"), [(0, torch.float64, 1e-12), (100, torch.float32, 1e-4)])
def test_equals_differences(offset, dtype, error):
    """An offset of 100 leaves float32 coordinates exact to 4e-6; without centring squares of 1e4 would lose a hundred times that."""
    z, means = problem(dtype, offset)
    expected = -0.5 * (z.double()[:, None] - means.double()).square().sum(2)
    torch.testing.assert_close(distance_logits(z, means).double(), expected, rtol=error, atol=error)


def test_gradients():
    z, means = problem()
    inputs = z.requires_grad_(), means.requires_grad_()
    assert torch.autograd.gradcheck(distance_logits, inputs)
    assert torch.autograd.gradgradcheck(distance_logits, inputs)


def test_half_precision_autocast_and_no_samples():
    z, means = problem(torch.float32)
    half = z.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = distance_logits(half, means)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, distance_logits(half.float(), means))
    assert distance_logits(z[:0], means).shape == (0, 4)


def drawn(rows, seed, offset=0.0, width=5):
    return torch.randn(rows, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + offset


@pytest.mark.parametrize("k", [1, 4, 60])
@pytest.mark.parametrize(("chunk", "queries"), [(8192, 1024), (7, 4), (1, 1)])
def test_the_nearest_are_those_of_scikit_learn_in_their_order(k, chunk, queries, monkeypatch):
    monkeypatch.setattr(distances, "_CHUNK", chunk)
    monkeypatch.setattr(distances, "_QUERIES", queries)
    z, x = drawn(9, 0), drawn(60, 1)
    theirs = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x.numpy())
    assert nearest(z, x, k).tolist() == theirs.kneighbors(z.numpy(), return_distance=False).tolist()


def test_the_nearest_far_from_the_origin():
    """At an offset of 1e4 ‖x‖² is 5e8 or more, where float32 knows nothing below 32."""
    z, x = drawn(20, 0, 1e4).float(), drawn(200, 1, 1e4).float()
    expected = torch.cdist(z.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist").argsort(1)[:, :3]
    assert torch.equal(nearest(z, x, 3), expected)


def test_the_nearest_within_a_tight_class_far_from_all_others():
    """Near (1000, 0) and 1e-3 apart, while the centre of all is at 0: only float64 can order them."""
    z = torch.tensor([[1000.0, 0.0]])
    x = torch.tensor(
        [[1000.0, 0.004], [1000.0, 0.001], [1000.0, 0.003], [-1000.0, 0.0], [-1000.0, 1.0], [-1000.0, 2.0]]
    )
    assert nearest(z, x, 3, dtype=torch.float64).tolist() == [[1, 2, 0]]


def test_nearest_of_no_queries_and_of_too_few_points():
    assert nearest(torch.zeros(0, 2), torch.zeros(3, 2), 2).shape == (0, 2)
    for k in (0, 4):
        with pytest.raises(ValueError, match=rf"k must be in 1\.\.3, the number of points to choose from, got {k}"):
            nearest(torch.zeros(1, 2), torch.zeros(3, 2), k)
