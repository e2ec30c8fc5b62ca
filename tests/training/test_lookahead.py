import copy

import pytest
import torch
from torch import Tensor, nn

from drumlin.settings.run import LookaheadSettings
from drumlin.training.lookahead import Lookahead


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def numbers(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@torch.no_grad()
def wander(model: nn.Module) -> None:
    """Move everything that is learned or kept, as a step of an optimiser would."""
    for value in model.state_dict().values():
        if value.is_floating_point():
            value += torch.randn_like(value)
        else:
            value += 1


@pytest.mark.parametrize(("every", "power", "start"), [(1, 3.0, 0.0), (2, 0.0, 0.0), (3, 1.5, 0.5), (100, 3.0, 0.0)])
def test_the_formula_step_by_step(every: int, power: float, start: float) -> None:
    fast, decay, epochs, steps = network(), 0.9, 3, 7
    lookahead = Lookahead(fast, LookaheadSettings(every=every, decay=decay, power=power, start=start))
    slowly = copy.deepcopy(fast)  # moved by the same steps, averaged by hand
    for epoch in range(epochs):
        lookahead.begin()
        slow = {name: value.double() for name, value in numbers(slowly).items()}
        for step in range(1, steps + 1):
            share = (epoch * steps + step) / (epochs * steps)
            for model in (fast, slowly):
                torch.manual_seed(100 * epoch + step)
                wander(model)
            lookahead.after(step, share, last=step == steps)
            if step % every and step < steps:
                continue
            keep = 0.0 if share < start else decay**every * share**power
            for name, value in slowly.state_dict().items():
                if value.is_floating_point():
                    slow[name] = keep * slow[name] + (1 - keep) * value.double()
                    value.copy_(slow[name])
        for name, value in fast.state_dict().items():
            torch.testing.assert_close(value, slowly.state_dict()[name], rtol=1e-5, atol=1e-5)
    assert fast.state_dict()["1.num_batches_tracked"] == epochs * steps  # a count is not averaged


def test_nothing_is_touched_before_its_start_or_without_it() -> None:
    for settings in (LookaheadSettings(), LookaheadSettings(every=1, power=0.0, start=0.5)):
        model = network()
        lookahead = Lookahead(model, settings)
        lookahead.begin()
        wander(model)
        moved = numbers(model)
        lookahead.after(1, 0.4, last=True)
        assert all(torch.equal(value, moved[name]) for name, value in model.state_dict().items())


def test_weights_that_are_shared_are_averaged_once_and_frozen_ones_never() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    model[2].weight.requires_grad_(False)
    lookahead = Lookahead(model, LookaheadSettings(every=1, decay=0.5, power=0.0, start=0.0))
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[2].weight)
    lookahead.begin()
    nn.init.ones_(model[0].weight)
    nn.init.ones_(model[2].weight)
    lookahead.after(1, 0.1, last=False)
    assert torch.equal(model[1].weight, torch.full((2, 2), 0.5))
    assert torch.equal(model[2].weight, torch.ones(2, 2))
