"""The mails to those who book, each in their language: as plain text, as HTML, and with a code for each ticket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from booking import boarding_code, letter_words, speech
from booking.bookings import Booking
from booking.language import SOURCE, Language
from booking.mail_address import address_of
from booking.outbox import Delivery
from booking.tables import BookingState

FOLDER = Path(__file__).with_name("templates") / "mail"


@dataclass(frozen=True, slots=True)
class BoardingPass:
    """One passenger's code. `image_id` is by what the HTML finds the picture in the mail (RFC 2392)."""

    name: str
    seat: str
    cabin: str
    ticket: str
    code: str
    image_id: str


class Letters:
    """`sender` is what From says, `public_url` where visitors find the site."""

    def __init__(self, sender: str, public_url: str, languages: Mapping[str, Language]) -> None:
        self._sender = address_of(sender)
        self._public_url = public_url
        self._languages = languages
        self._templates = _environment()

    def write(self, delivery: Delivery, booking: Booking) -> EmailMessage:
        """The mail about a booking. Raises ValueError where the address is none; nobody's input becomes a header."""
        mail = self._envelope(delivery)
        language = self._languages.get(str(delivery.payload.get("language")), self._languages[SOURCE])
        passes = _passes(booking, self._sender.domain) if delivery.event == "ticketed" else []
        context = self._context(delivery, booking, language) | {"passes": passes}
        template = "ticketed" if passes else "letter"
        mail["Subject"] = context["subject"]
        mail.set_content(self._templates.get_template(f"{template}.txt").render(context))
        mail.add_alternative(self._templates.get_template(f"{template}.html").render(context), subtype="html")
        mail["Content-Language"] = language.code
        _enclose(mail, passes)
        return mail

    def _context(self, delivery: Delivery, booking: Booking, language: Language) -> dict[str, Any]:
        refund_minor = delivery.payload.get("refund_minor")
        refund = language.money(refund_minor, booking.currency) if refund_minor else ""
        return {
            "booking": booking,
            "fare_rule": letter_words.fare_rule(booking, language),
            "flight": booking.flight,
            "language": language,
            "link": f"{self._public_url}/bookings/{booking.reference}",
            "sentences": [language.tell(sentence) for sentence in letter_words.sentences(delivery.event, refund)],
            "subject": language.tell(letter_words.subject(delivery.event, booking)),
        }

    def _envelope(self, delivery: Delivery) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._sender
        mail["To"] = address_of(delivery.address)
        mail["Date"] = format_datetime(datetime.fromtimestamp(delivery.at_s, UTC))
        # The same for each attempt. A colon may not stand in it (RFC 5322, 3.6.4).
        mail["Message-ID"] = f"<{delivery.key.replace(':', '.')}@{self._sender.domain}>"
        # No holiday notice answers it (RFC 3834).
        mail["Auto-Submitted"] = "auto-generated"
        return mail


def is_still_true(event: str, booking: Booking) -> bool:
    """Whether the mail is still worth reading: a ticket that was cancelled before it could be sent is not."""
    return event != "ticketed" or booking.state == BookingState.TICKETED


def _passes(booking: Booking, domain: str) -> list[BoardingPass]:
    return [
        BoardingPass(
            name=passenger.name or "",
            seat=passenger.seat,
            cabin=passenger.cabin,
            ticket=passenger.ticket or "",
            code=boarding_code.content(booking.reference, passenger.ticket or ""),
            image_id=f"{passenger.ticket}@{domain}",
        )
        for passenger in booking.passengers
    ]


def _enclose(mail: EmailMessage, passes: Sequence[BoardingPass]) -> None:
    """Puts the pictures beside the HTML that shows them."""
    html = mail.get_body(("html",))
    assert isinstance(html, EmailMessage)  # noqa: S101 it was added just now
    for each in passes:
        html.add_related(
            boarding_code.png(each.code),
            "image",
            "png",
            cid=f"<{each.image_id}>",
            disposition="inline",
            filename=f"{each.ticket}.png",
        )


def _environment() -> Environment:
    """Escapes in HTML and not in text, and fails loudly on a name that nobody gave."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    speech.teach(environment)
    return environment
