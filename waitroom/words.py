"""How numbers and times read to a visitor. templates/words.js says the same in the browser; a test compares them."""

from collections.abc import Callable

MINUTE_S = 60
HALF_HOUR_S = 30 * MINUTE_S
LONGEST_IN_MINUTES_S = 120 * MINUTE_S


def number(value: int) -> str:
    return f"{value:,}"


def wait(wait_s: tuple[int, int] | None) -> str:
    """The range (shortest, longest), in seconds, rounded outward: the words promise no more than was measured."""
    if wait_s is None:
        return "We will tell you the time as soon as people are being let in"
    shortest_s, longest_s = wait_s
    if longest_s <= MINUTE_S:
        return "less than a minute"
    if longest_s <= LONGEST_IN_MINUTES_S:
        return _between(shortest_s // MINUTE_S, -(-longest_s // MINUTE_S), str) + " minutes"
    return _between(shortest_s // HALF_HOUR_S, -(-longest_s // HALF_HOUR_S), _hours) + " hours"


def _between(low: int, high: int, text: Callable[[int], str]) -> str:
    if low == 0:
        return f"less than {text(high)}"
    if low == high:
        return f"about {text(high)}"
    return f"between {text(low)} and {text(high)}"


def _hours(half_hours: int) -> str:
    whole, half = divmod(half_hours, 2)
    return f"{whole or ''}{'½' if half else ''}"
