"""How quantities are told: times, rates and moments, each in the unit that people think in."""

from datetime import UTC, datetime

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
# Of a unit, so many are told in it before the next one is.
MOST_SECONDS, MOST_MINUTES, MOST_HOURS = 120, 120, 48


def duration(seconds: float) -> str:
    """ "90 seconds", "83 minutes", "42 hours" or "12 days"."""
    if seconds < MOST_SECONDS:
        return _counted(seconds, "second")
    if seconds < MOST_MINUTES * MINUTE_S:
        return _counted(seconds / MINUTE_S, "minute")
    if seconds < MOST_HOURS * HOUR_S:
        return _counted(seconds / HOUR_S, "hour")
    return _counted(seconds / DAY_S, "day")


def pace(per_minute: float) -> str:
    """ "10 a second", or "20 a minute" where it is less than one a second."""
    if per_minute < MINUTE_S:
        return f"{_short(per_minute)} a minute"
    return f"{_short(per_minute / MINUTE_S)} a second"


def moment(ms: int) -> str:
    """A time in milliseconds since 1970, for everybody everywhere."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _counted(number: float, unit: str) -> str:
    whole = max(1, round(number))
    return f"{whole:,} {unit}{'' if whole == 1 else 's'}"


def _short(number: float) -> str:
    return f"{number:,.1f}".removesuffix(".0")
