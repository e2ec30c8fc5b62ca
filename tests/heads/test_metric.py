import math
import sys

import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import ContrastiveLoss, TripletMarginLoss
from pytorch_metric_learning.miners import TripletMarginMiner
from pytorch_metric_learning.reducers import MeanReducer

from drumlin.heads import MetricHead, SoftmaxHead
from reference import metric

D, K = 3, 4
LOSSES = ["triplet", "contrastive"]
REFERENCES = {
    "semi-hard": ({"mining": "semi-hard"}, lambda *given: metric.triplet_loss(*given, "semi-hard")),
    "hard": ({"mining": "hard"}, lambda *given: metric.triplet_loss(*given, "hard")),
    "all": ({"mining": "all"}, lambda *given: metric.triplet_loss(*given, "all")),
    "contrastive": ({"loss": "contrastive"}, metric.contrastive_loss),
}


def alone(d=D, k=K, **options):
    return MetricHead(d, k, **{"softmax_weight": 0.0} | options)


def draw(n, d=D, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, d, dtype=torch.float64, generator=generator)
    return z, torch.randint(0, K, (n,), generator=generator)


def term(head, z, y):
    return head(z, y).terms[head.loss]


# a at 0 and p at 2 are of one class; n, m at 1 and 3 of another; squared distances a-p 4, a-n 1, a-m 9, p-n 1, p-m 1, n-m 4.
LINE, SIDES = torch.tensor([[0.0], [2.0], [1.0], [3.0]]), torch.tensor([3, 3, 0, 0])


@pytest.mark.parametrize(
    ("mining", "margin", "expected"),
    [
        # a: (a,p,n) 4 − 1, (a,p,m) 4 − 9; p: 4 − 1 twice; n: (n,m,a), (n,m,p) 4 − 1 twice; m: (m,n,a) 4 − 9, (m,n,p) 4 − 1
        ("all", 7.0, [(10 + 2) / 2, 10, 10, (2 + 10) / 2]),
        ("all", 1.0, [(4 + 0) / 2, 4, 4, (0 + 4) / 2]),
        ("hard", 7.0, [10, 10, 10, 10]),
        ("semi-hard", 7.0, [2, 0, 0, 2]),
        ("semi-hard", 4.0, [0, 0, 0, 0]),
    ],
)
def test_triplets_by_hand(mining, margin, expected):
    head = alone(1, mining=mining, margin=margin)
    torch.testing.assert_close(term(head, LINE, SIDES), torch.tensor(expected, dtype=torch.float32))


def test_pairs_by_hand():
    """½ 2² in a class; outside ½ (2.5 − 1)² at distance 1, nothing at 3. Three pairs an anchor."""
    head = alone(1, loss="contrastive", margin=2.5)
    near = 0.5 * 1.5**2
    expected = torch.tensor([2 + near, 2 + 2 * near, 2 + 2 * near, 2 + near]) / 3
    torch.testing.assert_close(term(head, LINE, SIDES), expected)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize(("n", "margin"), [(2, 1.0), (5, 1.0), (12, 2.0), (30, 0.5)])
def test_equals_the_slow_loop(name, n, margin):
    options, reference = REFERENCES[name]
    for seed in range(3):
        z, y = draw(n, seed=seed)
        expected = reference(z, y, margin)
        torch.testing.assert_close(term(alone(margin=margin, **options), z, y), expected)
        assert n < 12 or expected.any()


@pytest.mark.parametrize("name", REFERENCES)
def test_gradients(name):
    z, y = draw(9)
    head = alone(margin=1.0, **REFERENCES[name][0]).eval()
    assert torch.autograd.gradcheck(lambda x: term(head, x, y), z.requires_grad_())


@pytest.mark.parametrize(("mining", "theirs"), [("semi-hard", "semihard"), ("hard", "hard")])
def test_agrees_with_pytorch_metric_learning(mining, theirs):
    """Their mean over mined triplets is that of our anchors' means, weighted by the number of their triplets."""
    (z, y), margin = draw(20), 1.5
    distance = LpDistance(normalize_embeddings=False, power=2)
    triplets = TripletMarginMiner(margin, theirs, distance=distance)(z, y)
    expected = TripletMarginLoss(margin, distance=distance, reducer=MeanReducer())(z, y, triplets)
    weights = torch.bincount(triplets[0], minlength=20).double()
    found = (term(alone(margin=margin, mining=mining), z, y) * weights).sum() / weights.sum()
    torch.testing.assert_close(found, expected)


def test_agrees_with_their_contrastive_loss_of_one_kind_of_pairs():
    """Samples of one class alone, at power 2 with the margin at 0: d², twice ours, and every anchor has as many pairs."""
    z, y = draw(10)[0], torch.zeros(10, dtype=torch.int64)
    distance = LpDistance(normalize_embeddings=False, power=2)
    theirs = ContrastiveLoss(0, 1, distance=distance, reducer=MeanReducer())(z, y)
    torch.testing.assert_close(2 * term(alone(loss="contrastive"), z, y).mean(), theirs)


def test_small_distances_far_from_the_origin_are_exact():
    """By products, as cdist takes them for more than 25 samples, 0.01² at 100 would be lost in float32."""
    z = 100 + 0.01 * (torch.arange(60).float() % 2)[:, None].expand(60, D).contiguous()
    y = torch.zeros(60, dtype=torch.int64)
    expected = metric.contrastive_loss(z.double(), y, 1.0).float()
    torch.testing.assert_close(term(alone(loss="contrastive"), z, y), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", REFERENCES)
def test_equal_features_have_finite_gradients(name):
    z = torch.ones(6, D, requires_grad=True)
    head = alone(margin=1.0, **REFERENCES[name][0])
    loss = term(head, z, torch.arange(6) % 2)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert not z.grad.any()


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("labels", [[], [3], [0, 1, 2, 3]], ids=["none", "one sample", "each of its own class"])
def test_without_a_pair_or_triplet_the_term_is_0(name, labels):
    """Pairs of different classes are pairs: far enough apart they too lose nothing."""
    n = len(labels)
    z = (10 * torch.eye(4, D)[:n]).requires_grad_()
    loss = term(alone(margin=1.0, **REFERENCES[name][0]), z, torch.tensor(labels, dtype=torch.int64))
    assert torch.equal(loss, torch.zeros(n))
    loss.sum().backward()
    assert torch.equal(z.grad, torch.zeros(n, D))


def test_a_batch_of_one_class_has_no_triplet_and_only_attracts_in_pairs():
    z, y = draw(5)[0], torch.full((5,), K - 1)
    assert not term(alone(), z, y).any()
    torch.testing.assert_close(term(alone(loss="contrastive"), z, y), metric.contrastive_loss(z, y, 1.0))


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_not_finite_are_not_hidden(name, bad):
    z, y = draw(6)
    z[2, 1] = bad
    assert not term(alone(**REFERENCES[name][0]), z, y)[2].isfinite()


@pytest.mark.parametrize("loss", LOSSES)
def test_added_to_softmax(loss):
    z, y = draw(8)
    torch.manual_seed(0)
    head, softmax = MetricHead(D, K, loss=loss, softmax_weight=0.25).double(), SoftmaxHead(D, K)
    softmax.linear = head.linear
    out = head(z, y)
    assert list(out.terms) == ["classification", loss]
    torch.testing.assert_close(out.terms["classification"], 0.25 * softmax(z, y).terms["classification"])
    torch.testing.assert_close(out.terms[loss], term(alone(loss=loss), z, y))
    assert torch.equal(head.logits(z), softmax.logits(z))
    assert [name for name, _ in head.state_dict().items()] == ["linear.weight", "linear.bias"]
    head.finish(iter([None]))  # nothing to fit: nothing is read


class TestAlone:
    @pytest.mark.parametrize("loss", LOSSES)
    def test_has_nothing_to_learn(self, loss):
        head = alone(loss=loss)
        assert not list(head.parameters())
        assert head.param_groups(0.1, 0.1) == []
        assert list(head(*draw(6)).terms) == [loss]

    def test_logits_are_distances_to_the_means(self):
        head = alone(2, 3)
        head.means.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 4.0]]))
        torch.testing.assert_close(head.logits(torch.zeros(1, 2)), torch.tensor([[0.0, -0.5, -12.5]]))

    def test_means_run_in_training(self):
        """The first batch of a class sets its mean, the second makes it the average of both, the 20th moves it by a tenth."""
        head, y = alone(1, 3), torch.tensor([2, 2])
        head(torch.tensor([[1.0], [3.0]]), y)
        assert head.means.flatten().tolist() == [0, 0, 2]
        head(torch.tensor([[5.0], [7.0]]), y)
        assert head.means.flatten().tolist() == [0, 0, 4]
        head(torch.tensor([[9.0]]), torch.tensor([0]))
        assert head.means.flatten().tolist() == [9, 0, 4]
        for _ in range(17):
            head(torch.tensor([[4.0], [4.0]]), y)
        head(torch.tensor([[14.0], [14.0]]), y)
        assert head.means.flatten().tolist() == [9, 0, 5]
        head.eval()(torch.tensor([[0.0], [0.0]]), y)
        assert head.means.flatten().tolist() == [9, 0, 5]

    def test_running_means_carry_no_graph(self):
        z, y = draw(6)
        out = alone()(z.requires_grad_(), y)
        out.loss.backward()
        head = alone()
        logits = head.logits(z)
        head(z, y)
        logits.sum().backward()  # of the means before they moved

    def test_finish_fits_the_means_to_all_features(self):
        z, y = draw(40)
        head = alone().double()
        head(z + 5, y)
        head.finish((z[part], y[part]) for part in torch.arange(40).split(7))
        torch.testing.assert_close(head.means, torch.stack([z[y == k].mean(0) for k in range(K)]))
        accurate = alone()
        accurate.finish([(z.bfloat16(), y)])
        exact = torch.stack([z.bfloat16().double()[y == k].mean(0) for k in range(K)])
        assert torch.equal(accurate.means, exact.float())

    def test_finish_wants_every_class(self):
        head, z = alone(), torch.zeros(3, D)
        head(z + 1, torch.tensor([1, 1, 2]))
        before = head.means.clone()
        with pytest.raises(
            ValueError, match="features must have a sample of every class for its mean, got none of class 1, 3"
        ):
            head.finish([(z, torch.tensor([0, 2, 0]))])
        with pytest.raises(ValueError, match=r"z must be features of shape \(N, 3\), got \(3, 2\)"):
            head.finish([(z[:, :2], torch.tensor([0, 2, 0]))])
        with pytest.raises(ValueError, match=r"y must lie in 0\.\.3, got 4"):
            head.finish([(z, torch.tensor([0, 2, 4]))])
        assert torch.equal(head.means, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "quadruplet"}, "loss must be one of triplet, contrastive, got 'quadruplet'"),
        ({"mining": "semihard"}, "mining must be one of semi-hard, hard, all, got 'semihard'"),
        ({"margin": -1.0}, r"margin must be a finite number above 0, got -1\.0"),
        ({"margin": 0.0}, r"margin must be a finite number above 0, got 0\.0"),
        ({"softmax_weight": -1.0}, r"softmax_weight must be a finite number of at least 0, got -1\.0"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        MetricHead(D, K, **options)


@pytest.mark.parametrize("loss", LOSSES)
def test_without_the_library_the_extra_is_named(monkeypatch, loss):
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    for name in [
        name for name in sys.modules if name.startswith(("pytorch_metric_learning.", "drumlin.heads._metric"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(
        ImportError, match=rf"head '{loss}' needs pytorch-metric-learning: pip install 'drumlin\[metric\]'"
    ):
        MetricHead(D, K, loss=loss)
