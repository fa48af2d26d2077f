"""The templates of the pages, and what they can say beyond what a page gives them."""

import hashlib
import secrets
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from babel.numbers import get_currency_precision
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from booking import boarding_code, letter_words, speech
from booking.account_forms import SHORTEST_PASSWORD
from booking.airports import AIRPORTS, Airport
from booking.bookings import Booking
from booking.fares import FARES
from booking.holds import LARGEST_PARTY
from booking.search import SIZES, SORTS

FOLDER = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")


def environment() -> Environment:
    """Escapes everything, and fails loudly on a name that nobody gave. Each render needs a `language`."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    speech.teach(templates)
    templates.filters["moment"] = moment
    templates.globals |= {
        "airports": AIRPORTS,
        "airports_by_city": airports_by_city,
        "asset": asset,
        "currency_digits": get_currency_precision,
        "fares": FARES,
        "largest_party": LARGEST_PARTY,
        "new_key": new_key,
        "qr_code": qr_code,
        "refund_rule": refund_rule,
        "shortest_password": SHORTEST_PASSWORD,
        "sizes": SIZES,
        "sorts": tuple(SORTS),
    }
    return templates


@lru_cache
def asset(name: str) -> str:
    """The address of a static file, which changes with its content, so that it may be cached for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"


@pass_context
def airports_by_city(context: Context) -> list[Airport]:
    """In the order in which a reader of the language looks for them."""
    return sorted(AIRPORTS.values(), key=lambda airport: (context["language"].tell(airport.city), airport.code))


def moment(moment_s: int) -> datetime:
    """Seconds UTC since 1970 as a moment that can be spelled, by the world's clock."""
    return datetime.fromtimestamp(moment_s, UTC)


def new_key() -> str:
    """The idempotency key of one form on one page."""
    return secrets.token_urlsafe(16)


@pass_context
def refund_rule(context: Context, booking: Booking) -> str:
    """What comes back of a booking, in the words of the mails."""
    return letter_words.fare_rule(booking, context["language"])


def qr_code(reference: str, ticket: str) -> Markup:
    """A ticket's QR code as SVG. It stands in the page itself, so that a saved or printed page has it, too."""
    return Markup(boarding_code.svg(boarding_code.content(reference, ticket)))  # noqa: S704 shapes, and no text
