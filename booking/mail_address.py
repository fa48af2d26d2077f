"""Mail addresses: read strictly, so that no text brings in a second one or another header."""

from collections.abc import Sequence
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP


def address_of(text: str) -> Address:
    """The one address of a text such as `Halcyon Air <tickets@halcyon.example>`. Raises ValueError, which says so."""
    found = _addresses(text)
    if len(found) != 1 or not found[0].domain:
        raise ValueError(f"{text!r} is not one address, such as Halcyon Air <tickets@halcyon.example>")
    return Address(found[0].display_name, found[0].username, found[0].domain)


def _addresses(text: str) -> Sequence[Address]:
    """None where the text is no list of addresses."""
    mail = EmailMessage(policy=SMTP)
    try:
        mail["From"] = text
    # It has a line break, or the parser stumbles over its early end.
    except (ValueError, IndexError, MessageError):
        return ()
    return () if mail["From"].defects else mail["From"].addresses
