"""The templates, and how they spell money, days and durations."""

import hashlib
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from booking.airports import AIRPORTS
from booking.money import spelled
from booking.sandbox import TEST_CARDS
from booking.search import SIZES, SORTS

FOLDER = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")


def environment() -> Environment:
    """Escapes everything, and fails loudly on a name that nobody gave."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {"clock": clock, "day": day, "duration": duration, "card": card}
    templates.globals |= {
        "airports": AIRPORTS,
        "asset": asset,
        "money": spelled,
        "sizes": SIZES,
        "sorts": tuple(SORTS),
        "test_cards": TEST_CARDS,
    }
    return templates


@lru_cache
def asset(name: str) -> str:
    """The address of a static file, which changes with its content, so that it may be cached for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b}"


def duration(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min" if hours else f"{rest} min"


def card(number: str) -> str:
    """A card number in groups of four."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))
