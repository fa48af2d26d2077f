"""Times and shares, as operators write them."""

import click
import pytest

from waitroom.rehearsal.options import Duration, Share


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("10m", 600),
        ("1.5m", 90),
        ("1h30m", 5_400),
        ("2h", 7_200),
        ("1h5s", 3_605),
    ],
)
def test_a_time_is_written_in_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10 m", "5d", "-3s", "m", "1..5m", "30s10m"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r'is no time: say for instance "90s", "10m" or "1h30m"'):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["0", "0.5s", "200h"])
def test_a_time_out_of_bounds_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(click.BadParameter, match="should be 1 s at least, and a week at most"):
        Duration(1).convert(text, None, None)


@pytest.mark.parametrize(("text", "share"), [("0.3", 0.3), ("30%", 0.3), ("0", 0.0), ("100%", 1.0), (" 5% ", 0.05)])
def test_a_share_is_a_fraction_or_in_per_cent(text: str, share: float) -> None:
    assert Share().convert(text, None, None) == pytest.approx(share)


@pytest.mark.parametrize("text", ["1.1", "-0.1", "101%", "half", "nan", ""])
def test_what_is_no_share_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r'is no share: say for instance "0.3" or "30%"'):
        Share().convert(text, None, None)
