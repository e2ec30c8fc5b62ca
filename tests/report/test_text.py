import pytest

from drumlin.report.text import listing, percent, shortened


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.00034, "0.03%"),
        (0.0096, "1%"),
        (0.0949, "9.5%"),
        (0.1049, "10%"),
        (0.9899, "99%"),
        (0.99961, "99.96%"),
        (float("nan"), "–"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_nearly_all_is_not_all() -> None:
    assert percent(0.9999999) == "99.99%"


def test_listing_of_two() -> None:
    assert listing(["a", "b"]) == "a and b"


def test_short_names_stay() -> None:
    assert shortened("noise", 5) == "noise"
    assert len(shortened("x" * 99, 20)) == 20
