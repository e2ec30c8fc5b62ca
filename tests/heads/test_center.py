import pytest
import torch

from drumlin.functional import center_loss
from drumlin.heads import CenterHead, SoftmaxHead
from reference.features import moved_centers

D, K = 2, 3
UPDATES = ["running", "gradient"]


@pytest.fixture
def z():
    return torch.randn(8, D, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def y():
    return torch.tensor([0, 2, 2, 0, 0, 2, 0, 2])  # none of class 1


def with_centers(head):
    with torch.no_grad():
        head.centers.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 2.0]]))
    return head


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("training", [True, False])
def test_terms(z, y, update, training):
    head = with_centers(CenterHead(D, K, center_weight=0.25, update=update)).train(training)
    centers = head.centers.detach().clone()
    out = head(z, y)
    assert list(out.terms) == ["classification", "center"]
    torch.testing.assert_close(out.terms["center"], 0.25 * center_loss(z, y, centers))
    softmax = SoftmaxHead(D, K)
    softmax.linear = head.linear
    torch.testing.assert_close(out.terms["classification"], softmax(z, y).terms["classification"])


def test_the_running_update_by_hand():
    """From c = 1, with samples 4 and 7: Δ = −(3 + 6)/3 = −3, of which a third is taken: 2. Where nothing is, nothing moves."""
    head = CenterHead(1, 3, center_rate=1 / 3)
    head.centers.copy_(torch.tensor([[1.0], [1.0], [1.0]]))
    out = head(torch.tensor([[4.0], [7.0], [0.0]]), torch.tensor([2, 2, 0]))
    torch.testing.assert_close(head.centers, torch.tensor([[1 - 1 / 6], [1.0], [2.0]]))
    before = torch.tensor([9.0, 36.0, 1.0])  # the loss is that of the centers before they move
    torch.testing.assert_close(out.terms["center"], 0.005 * before)


def test_the_running_update_equals_the_slow_loop(z, y):
    head = with_centers(CenterHead(D, K, center_rate=0.3)).double()
    expected = head.centers.clone()
    for step in range(3):
        head(z.double() + step, y)
        expected = moved_centers(z.double() + step, y, expected, 0.3)
    torch.testing.assert_close(head.centers, expected)


@pytest.mark.parametrize("n", [0, 1])
def test_few_samples_move_the_centers_as_they_should(z, y, n):
    head = with_centers(CenterHead(D, K))
    expected = moved_centers(z[:n], y[:n], head.centers, 0.5)
    head(z[:n], y[:n])
    torch.testing.assert_close(head.centers.double(), expected)


def test_centers_rest_in_evaluation_and_without_labels(z, y):
    head = with_centers(CenterHead(D, K))
    before = head.centers.clone()
    head.eval()(z, y)
    head.train()(z)
    assert torch.equal(head.centers, before)
    head(z, y)
    assert not torch.equal(head.centers, before)


def test_the_running_update_needs_no_gradient_and_leaves_the_graph_alone(z, y):
    head = with_centers(CenterHead(D, K, center_weight=1.0))
    centers = head.centers.clone()
    z.requires_grad_()
    term = head(z, y).terms["center"]
    assert not head.centers.requires_grad
    assert [name for name, _ in head.named_parameters()] == ["linear.weight", "linear.bias"]
    (gradient,) = torch.autograd.grad(term.sum(), z)
    torch.testing.assert_close(gradient, z.detach() - centers[y])


def test_running_centers_come_to_the_class_means(z, y):
    head = CenterHead(D, K)
    for _ in range(40):
        head(z, y)
    torch.testing.assert_close(head.centers[[0, 2]], torch.stack([z[y == 0].mean(0), z[y == 2].mean(0)]))


def test_learned_centers_move_at_the_networks_rate_whatever_the_weight(z, y):
    """One step of plain SGD: c + lr (1/N) Σ (z − c), λ cancels."""
    for weight in (0.01, 2.0):
        head = with_centers(CenterHead(D, K, center_weight=weight, update="gradient"))
        before = head.centers.detach().clone()
        optimizer = torch.optim.SGD(head.param_groups(0.1, 0.5))
        head(z, y).loss.backward()
        optimizer.step()
        pull = torch.zeros(K, D).index_add_(0, y, z - before[y]) / len(y)
        torch.testing.assert_close(head.centers.detach(), before + 0.1 * pull)
        assert torch.equal(head.centers[1], before[1]), "no weight decay either"


def test_param_groups():
    weight, bias, centers = CenterHead(D, K, update="gradient").param_groups(0.5, 0.02)
    assert [(g["lr"], g["weight_decay"]) for g in (weight, bias)] == [(0.5, 0.02), (0.5, 0.0)]
    assert [p.shape for p in centers["params"]] == [(K, D)]
    assert (centers["lr"], centers["weight_decay"]) == (50.0, 0.0)
    assert len(CenterHead(D, K).param_groups(0.5, 0.02)) == 2
    assert CenterHead(D, K, update="gradient", center_weight=0.0).param_groups(0.5, 0.02)[2]["lr"] == 0.5


def test_bfloat16_features_move_centers_in_float32(z, y):
    half, head, other = z.bfloat16(), CenterHead(D, K), CenterHead(D, K)
    head(half, y)
    other(half.float(), y)
    assert head.centers.dtype == torch.float32
    assert torch.equal(head.centers, other.centers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"center_weight": -0.1}, r"center_weight must be a finite number of at least 0, got -0\.1"),
        ({"center_weight": float("inf")}, "center_weight must be a finite number of at least 0, got inf"),
        ({"update": "Running"}, "update must be one of running, gradient, got 'Running'"),
        ({"center_rate": 1.5}, r"center_rate must lie in \[0, 1\], got 1\.5"),
        ({"center_rate": float("nan")}, r"center_rate must lie in \[0, 1\], got nan"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        CenterHead(D, K, **options)
