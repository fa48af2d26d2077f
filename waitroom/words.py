"""How numbers and times read to a visitor. templates/words.js says the same in the browser; a test compares them."""

from datetime import UTC, datetime
from functools import lru_cache

from waitroom.languages import Language

MINUTE_S = 60
HALF_HOUR_S = 30 * MINUTE_S
LONGEST_IN_MINUTES_S = 120 * MINUTE_S
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S
# A crowd that comes within a minute is told the same times.
MOST_REMEMBERED = 1024

UNKNOWN = "We will tell you the time as soon as people are being let in"
AT_MOST_A_MINUTE = "less than a minute"
LESS = "less than %(time)s"
ABOUT = "about %(time)s"
BETWEEN = "between %(low)s and %(time)s"
SENTENCES = {"unknown": UNKNOWN, "minute": AT_MOST_A_MINUTE, "less": LESS, "about": ABOUT, "between": BETWEEN}


def number(language: Language, value: int) -> str:
    return language.number(value)


def wait(language: Language, wait_s: tuple[int, int] | None) -> str:
    """The range (shortest, longest), in seconds, rounded outward: the words promise no more than was measured."""
    if wait_s is None:
        return language.say(UNKNOWN)
    shortest_s, longest_s = wait_s
    if longest_s <= MINUTE_S:
        return language.say(AT_MOST_A_MINUTE)
    if longest_s <= LONGEST_IN_MINUTES_S:
        return _between(language, shortest_s // MINUTE_S, -(-longest_s // MINUTE_S), "minute")
    return _between(language, shortest_s // HALF_HOUR_S / 2, -(-longest_s // HALF_HOUR_S) / 2, "hour")


def countdown(language: Language, left_ms: int) -> str:
    """The time that is left, like 9:59 or 1:30:00, and from a day on like 2 days 3 hours. It is 0:00 only once it is
    up."""
    left_s = -(-max(0, left_ms) // 1000)
    days, hours = left_s // DAY_S, left_s % DAY_S // HOUR_S
    minutes, seconds = left_s % HOUR_S // MINUTE_S, left_s % MINUTE_S
    if days:
        return f"{language.unit(days, 'day')} {language.unit(hours, 'hour')}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def moment(language: Language, since_1970_ms: int) -> str:
    """A moment for a visitor whose time zone we don't know, like Monday, October 12, 2026, 8:00 AM UTC."""
    return _moment(language, since_1970_ms // 1000)


def spoken(language: Language) -> dict[str, str]:
    """What words.js needs to say the same."""
    return {name: language.say(text) for name, text in SENTENCES.items()}


@lru_cache(MOST_REMEMBERED)
def _moment(language: Language, since_1970_s: int) -> str:
    return language.moment(datetime.fromtimestamp(since_1970_s, UTC))


@lru_cache(MOST_REMEMBERED)
def _between(language: Language, low: float, high: float, unit: str) -> str:
    time = language.unit(high, unit)
    if low == 0:
        return language.say(LESS) % {"time": time}
    if low == high:
        return language.say(ABOUT) % {"time": time}
    return language.say(BETWEEN) % {"low": language.number(low), "time": time}
