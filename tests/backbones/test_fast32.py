import pytest
import torch
from torch.nn import functional as F

from drumlin.backbones.fast32 import Fast32
from drumlin.settings.backbones import Fast32Settings, backbone_settings
from drumlin.settings.data import DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import RunSettings, TrainingSettings
from drumlin.training.creation import create


def trunk(width=8, size=32, channels=3):
    torch.manual_seed(0)
    return Fast32(Fast32Settings(width=width), channels=channels, size=(size, size))


def pictures(n=200, size=32, channels=3):
    """Return images whose neighbouring pixels and channels resemble one another, as photographs' do."""
    noise = torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(1))
    smooth = F.avg_pool2d(noise, 5, 1, 2)
    return smooth + 0.5 * smooth.mean(1, keepdim=True)


def test_the_first_layer_whitens_the_patches_it_has_seen():
    net, x = trunk(), pictures()
    net.adapt(x - x.mean((0, 2, 3), keepdim=True))
    out = net.filters(x - x.mean((0, 2, 3), keepdim=True)).detach()
    half = out.shape[1] // 2
    torch.testing.assert_close(out[:, half:], -out[:, :half])
    values = out[:, :half].permute(1, 0, 2, 3).flatten(1)
    covariance = values @ values.T / values.shape[1]
    # the shrinkage keeps the least of the variances below 1
    patches = F.unfold(x, 2).permute(1, 0, 2).flatten(1).double()
    least = torch.linalg.eigvalsh(torch.cov(patches)).min()
    assert float(covariance.diagonal().min()) == pytest.approx(float(least / (least + 5e-4)), rel=0.05)
    assert float(covariance.diagonal().max()) == pytest.approx(1, rel=0.05)
    assert float((covariance - covariance.diagonal().diag()).abs().max()) < 0.02


def test_constant_images_leave_finite_filters():
    net = trunk()
    net.adapt(torch.zeros(3, 3, 32, 32))
    assert bool(net.filters.weight.isfinite().all())


def test_what_is_learned_and_what_is_not():
    learned = {name for name, p in trunk().named_parameters() if p.requires_grad}
    assert "filters.bias" in learned
    assert "filters.weight" not in learned
    scales = {name for name, p in trunk().named_parameters() if name.endswith(".weight") and p.ndim == 1}
    assert scales
    assert not scales & learned, "batch normalisation has no scale to learn"


def test_convolutions_begin_as_the_identity_on_as_many_channels_as_they_can():
    net = trunk(width=8)
    x = torch.randn(2, 8, 5, 5)
    second = net.stage1[4]
    torch.testing.assert_close(second(x), x)
    wider = net.stage2[0]
    torch.testing.assert_close(wider(x)[:, :8], x)
    assert float(wider.weight[8:].detach().abs().min()) > 0, "the others are drawn at random"


def test_cifar_has_256_features_and_the_papers_number_of_weights():
    net = Fast32(Fast32Settings(), channels=3, size=(32, 32))
    assert net.out_features == 256
    weights = sum(p.numel() for p in net.parameters() if p.ndim == 4)
    assert weights == 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) + 24 * 12
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 256)


def test_a_training_begins_with_filters_of_its_own_images_and_the_rest_as_without(monkeypatch):
    from drumlin.data import Images

    x = ((pictures().clamp(-1, 1) + 1) * 127).to(torch.uint8)
    images = Images(pixels=x, labels=torch.arange(200) % 2, class_names=("a", "b"), name="p", split="train")

    def made(seed):
        settings = RunSettings(
            data=DataSettings(name="digits"),
            head=head_settings("softmax"),
            backbone=backbone_settings("fast-32", width=8),
            training=TrainingSettings(precision="float32"),
            seed=seed,
        )
        return create(settings, images)

    classifier = made(0)
    net = classifier.backbone.trunk
    out = net.filters(classifier.normalise(images.float())).detach()
    half = out.shape[1] // 2
    assert 0.5 < float(out[:, :half].std((0, 2, 3)).median()) < 1.05
    torch.testing.assert_close(made(0).state_dict(), classifier.state_dict())
    after, convolution = torch.rand(3), net.stage2[0].weight
    monkeypatch.setattr(Fast32, "adapts_to", 0)
    blind = made(0).backbone.trunk
    torch.testing.assert_close(torch.rand(3), after, msg="seeing images draws nothing from the global generator")
    torch.testing.assert_close(blind.stage2[0].weight, convolution)
    assert not torch.allclose(blind.filters.weight, net.filters.weight)
