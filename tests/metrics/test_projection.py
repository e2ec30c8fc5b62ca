import math

import numpy as np
import pytest

from drumlin.metrics.projection import Projection, discriminant_plane, plane, principal_plane


def rotation(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def test_principal_directions_of_an_ellipsoid() -> None:
    # known directions: columns of an orthogonal matrix, with half-widths 5, 3 and 1
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    corners = np.array([[a, b, c] for a in (-5, 5) for b in (-3, 3) for c in (-1, 1)], dtype=float)
    found = principal_plane(corners @ basis.T + 7)
    assert found.origin == pytest.approx(np.full(3, 7.0))
    assert np.abs(found.axes.T @ basis) == pytest.approx(np.eye(2, 3), abs=1e-9)
    points = found.points(corners @ basis.T + 7)
    assert np.abs(points) == pytest.approx(np.abs(corners[:, :2]))


def test_principal_directions_are_the_same_every_time() -> None:
    x = np.random.default_rng(1).normal(size=(600, 600))  # where scikit-learn draws at random
    first, second = principal_plane(x), principal_plane(x.copy())
    assert np.array_equal(first.axes, second.axes)


@pytest.mark.parametrize("x", [[[1.0], [3.0]], [[1.0, 2.0, 4.0], [3.0, 6.0, 12.0]], [[4.0], [4.0]]])
def test_where_there_is_one_direction_or_none_the_other_is_0(x: list[list[float]]) -> None:
    found = principal_plane(x)
    points = found.points(x)
    assert points.shape == (len(x), 2)
    assert points[:, 1] == pytest.approx([0] * len(x))
    assert abs(points[0, 0] - points[1, 0]) == pytest.approx(np.linalg.norm(np.subtract(*x)))


def test_discriminant_directions_look_past_what_is_common_to_all_classes() -> None:
    # three classes apart in the first two dimensions, drowned by a third that says nothing of them
    rng = np.random.default_rng(2)
    means = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0]])
    y = np.arange(300) % 3
    x = means[y] + rng.normal(size=(300, 3)) * [1, 1, 50]
    found = discriminant_plane(x, y)
    assert found is not None
    points = found.points(x)
    centres = np.stack([points[y == k].mean(0) for k in range(3)])
    assert (((points[:, None] - centres) ** 2).sum(-1).argmin(1) == y).mean() > 0.95
    within = sum(np.cov(points[y == k], rowvar=False) for k in range(3)) / 3
    assert within == pytest.approx(np.eye(2), abs=0.1)  # its scale
    pca = principal_plane(x).points(x)
    assert abs(np.corrcoef(pca[:, 0], x[:, 2])[0, 1]) > 0.99  # which principal directions do not


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.random.default_rng(3).normal(size=(20, 4)), np.arange(20) % 2),  # two classes: one direction
        (np.random.default_rng(3).normal(size=(3, 4)), np.arange(3)),  # no more points than classes
        (np.random.default_rng(3).normal(size=(20, 1)), np.arange(20) % 3),  # one dimension
        (np.repeat(np.eye(3), 4, axis=0), np.repeat(np.arange(3), 4)),  # no spread inside the classes: no scale
    ],
)
def test_where_there_is_no_discriminant_plane(x: np.ndarray, y: np.ndarray) -> None:
    assert discriminant_plane(x, y) is None


def test_means_on_a_line_have_no_discriminant_plane() -> None:
    spread = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    x = np.concatenate([spread + np.array([4 * k, 0, 0]) for k in range(3)])
    assert discriminant_plane(x, np.repeat(np.arange(3), 6)) is None


def test_features_that_never_vary_are_no_obstacle() -> None:
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(size=(60, 3)) + np.eye(3)[np.arange(60) % 3] * 6, np.zeros((60, 2))], axis=1)
    found = discriminant_plane(x, np.arange(60) % 3)
    assert found is not None
    assert np.isfinite(found.points(x)).all()


def test_a_plane_as_it_is() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert plane(2).points(x).tolist() == x.tolist()
    with pytest.raises(ValueError, match="points have 3 dimensions; only those of 2"):
        plane(3)


def test_points_by_hand() -> None:
    turned = Projection(np.array([1.0, 1.0]), rotation(math.pi / 2))
    assert turned.points([[2.0, 1.0]]) == pytest.approx(np.array([[0.0, -1.0]]))
