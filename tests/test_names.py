import pytest

import drumlin
from drumlin.attacks import ATTACKS
from drumlin.detectors import DETECTORS
from drumlin.heads import create_head
from drumlin.settings.heads import HEADS, head_settings


@pytest.mark.parametrize("kind", [*ATTACKS.values(), *DETECTORS.values()], ids=lambda kind: kind.__name__)
def test_attacks_and_detectors_are_there_without_their_module(kind):
    assert getattr(drumlin, kind.__name__) is kind


@pytest.mark.parametrize("name", HEADS)
def test_heads_are_there_without_their_module(name):
    head = create_head(head_settings(name).resolved(100), 16, 4)
    assert getattr(drumlin, type(head).__name__) is type(head)
