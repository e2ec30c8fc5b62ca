"""Numbers and names as a reader wants them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percent(share: float | None) -> str:
    """Return a share in percent, with the digits that say something.

    >>> percent(0.004), percent(0.771), percent(1.0), percent(0.99996), percent(0.0), percent(None)
    ('0.4%', '77%', '100%', '99.99%', '0%', '–')
    """
    if share is None or not math.isfinite(share):
        return "–"
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f}%"
    if value < 10:
        text = f"{value:.1f}" if value >= 0.1 else f"{value:.1g}"
        return f"{text.removesuffix('.0')}%"
    if value < 99:
        return f"{value:.0f}%"
    # never rounded up to all: one image that slips through is not none
    return f"{math.floor(value * 100) / 100 if value > 99.9 else math.floor(value * 10) / 10:g}%"


def span(low: float | None, high: float | None) -> str:
    """Return an interval of shares.

    >>> span(0.003, 0.005), span(None, None)
    ('0.3% to 0.5%', '')
    """
    return "" if low is None or high is None else f"{percent(low)} to {percent(high)}"


def number(value: float | None) -> str:
    """Return a number with four significant digits.

    >>> number(2.725278), number(None), number(12345.0), number(3.0)
    ('2.725', '–', '12345', '3')
    """
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 1e4 and math.isfinite(value) else f"{value:.4g}"


def listing(parts: Sequence[str]) -> str:
    """Return parts as an enumeration.

    >>> listing(["a"]), listing(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def shortened(name: str, most: int = 28) -> str:
    """Return a name that fits a legend: its middle is left out if it is long.

    >>> shortened("folder:a/very/long/way/to/some/photos", 20)
    'folder:a/…ome/photos'
    """
    return name if len(name) <= most else f"{name[: (most - 1) // 2]}…{name[-(most - 1 - (most - 1) // 2) :]}"


def encodable(text: str) -> str:
    r"""Return text that has a place in a file: names of files need not be UTF-8, and Python keeps their odd bytes as surrogates.

    >>> encodable("caf\udce9")  # in JSON this is the same string still
    'caf\\udce9'
    """
    return text.encode("utf-8", "backslashreplace").decode()
