import pytest
import torch

from drumlin.functional import zero_tiny_gradients
from drumlin.functional._numerics import compute_dtype, first_maximum, floor, smallest_useful


def test_zero_tiny_gradients_zeroes_denormals_alone():
    x = torch.zeros(6, requires_grad=True)
    limit = smallest_useful(torch.float32)
    weights = torch.tensor([1e-45, -1e-40, limit * 0.99, -limit, 1e-3, 0.0])
    out = zero_tiny_gradients(x)
    assert torch.equal(out, x)
    (out * weights).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0, -limit, weights[4].item(), 0.0]


def test_zero_tiny_gradients_twice_differentiable():
    x = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda t: zero_tiny_gradients(t**3), x)


def test_smallest_useful_leaves_room_for_a_product():
    for dtype in (torch.float32, torch.float64):
        info = torch.finfo(dtype)
        assert smallest_useful(dtype) * info.eps >= info.tiny


def test_floor_values_and_gradients():
    """Above the floor the identity; below it the constant, and only gradients that would lift x (descent goes against them)."""
    x = torch.tensor([-2.0, -2.0, 0.5, 0.5, -1.0], requires_grad=True)
    out = floor(x, -1.0)
    assert out.tolist() == [-1.0, -1.0, 0.5, 0.5, -1.0]
    (out * torch.tensor([3.0, -3.0, 3.0, -3.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [0.0, -3.0, 3.0, -3.0, 3.0]


def test_a_parameter_under_the_floor_can_rise():
    x = torch.tensor([-5.0], requires_grad=True)
    optimiser = torch.optim.SGD([x], lr=0.5)
    for _ in range(40):
        optimiser.zero_grad()
        (floor(x, -1.0) - 1).square().sum().backward()
        optimiser.step()
    assert x.item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ((torch.bfloat16, torch.float32), torch.float32),
        ((torch.float16,), torch.float32),
        ((torch.float32, torch.float64), torch.float64),
        ((torch.bfloat16, None), torch.float32),
    ],
)
def test_compute_dtype(dtypes, expected):
    assert compute_dtype(*(None if t is None else torch.zeros(1, dtype=t) for t in dtypes)) == expected


@pytest.mark.parametrize("columns", [1, 31, 32, 33, 127, 128, 129, 160, 200])
def test_first_maximum_is_max(columns):
    """Also with ties (values from a few integers), at the first place of a row, and on a slice of something larger."""
    generator = torch.Generator().manual_seed(columns)
    for high in (2, 5, 10**6):
        x = torch.randint(0, high, (50, columns + 7), generator=generator).float()[:, 3 : columns + 3]
        top, index = first_maximum(x)
        expected = x.max(1)
        assert torch.equal(top, expected.values)
        assert torch.equal(index, expected.indices)


def test_first_maximum_of_no_row():
    assert first_maximum(torch.zeros(0, 200))[1].shape == (0,)
