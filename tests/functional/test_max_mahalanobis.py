"""Means on a regular simplex: by hand, against the paper's recursion, and by what defines them."""

import math

import pytest
import torch

from drumlin.functional import max_mahalanobis_means
from reference import max_mahalanobis as reference


def test_by_hand():
    """On a line two points; in the plane a triangle: coordinates 1 and −½, ±√3/2, times the norm."""
    assert max_mahalanobis_means(2, 1).tolist() == [[10.0], [-10.0]]
    height = 2 * math.sqrt(3) / 2
    expected = torch.tensor([[2.0, 0.0, 0.0], [-1.0, height, 0.0], [-1.0, -height, 0.0]])
    torch.testing.assert_close(max_mahalanobis_means(3, 3, norm=2.0), expected)


@pytest.mark.parametrize(("k", "d"), [(2, 1), (2, 5), (3, 2), (10, 9), (10, 100)])
def test_equals_the_recursion(k, d):
    expected = reference.means(k, d, 10.0)
    torch.testing.assert_close(max_mahalanobis_means(k, d, dtype=torch.float64), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("norm", [0.5, 10.0])
@pytest.mark.parametrize(("k", "d"), [(2, 1), (3, 2), (10, 9), (10, 16), (1000, 999)])
def test_inner_products(k, d, norm):
    """C on the diagonal, −C/(K−1) beside it; so all pairs have the same distance and the sum is 0."""
    means = max_mahalanobis_means(k, d, norm=norm)
    assert means.shape == (k, d)
    assert means.dtype == torch.float32
    inner = means.double() @ means.double().T
    expected = torch.full((k, k), -(norm**2) / (k - 1), dtype=torch.float64).fill_diagonal_(norm**2)
    torch.testing.assert_close(inner, expected, rtol=1e-6, atol=1e-6 * norm**2)


def test_refuses():
    with pytest.raises(ValueError, match="in_features must be at least 9 for 10 means at equal distances, got 8"):
        max_mahalanobis_means(10, 8)
    with pytest.raises(ValueError, match="num_classes must be at least 2 for means to have a distance, got 1"):
        max_mahalanobis_means(1, 8)
