from drumlin.metrics.caution import weak_model


def test_half_is_not_yet_more_than_half():
    assert weak_model(0.5) is None
    assert weak_model(0.501) is not None
    assert weak_model(None) is None
    assert "100%" in weak_model(1.0)
