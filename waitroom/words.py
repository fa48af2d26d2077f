"""How numbers and times read to a visitor. templates/words.js says the same in the browser; a test compares them."""

from collections.abc import Callable
from datetime import UTC, datetime

MINUTE_S = 60
HALF_HOUR_S = 30 * MINUTE_S
LONGEST_IN_MINUTES_S = 120 * MINUTE_S
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S


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


def countdown(left_ms: int) -> str:
    """The time that is left, like 9:59 or 1:30:00, and from a day on like 2 days 3 h. It is 0:00 only once it is up."""
    left_s = -(-max(0, left_ms) // 1000)
    days, hours = left_s // DAY_S, left_s % DAY_S // HOUR_S
    minutes, seconds = left_s % HOUR_S // MINUTE_S, left_s % MINUTE_S
    if days:
        return f"{days} {'day' if days == 1 else 'days'} {hours} h"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def moment(since_1970_ms: int) -> str:
    """A moment for a visitor whose time zone we don't know, like Monday 12 October 2026, 08:00 UTC."""
    at = datetime.fromtimestamp(since_1970_ms // 1000, UTC)
    return f"{at:%A} {at.day} {at:%B %Y, %H:%M}{f':{at:%S}' if at.second else ''} UTC"


def _between(low: int, high: int, text: Callable[[int], str]) -> str:
    if low == 0:
        return f"less than {text(high)}"
    if low == high:
        return f"about {text(high)}"
    return f"between {text(low)} and {text(high)}"


def _hours(half_hours: int) -> str:
    whole, half = divmod(half_hours, 2)
    return f"{whole or ''}{'½' if half else ''}"
