"""Hands mails to an SMTP server, and says of those that it does not take whether they may be tried again."""

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

from booking.worker import GiveUpError, TryLaterError

# Of the connection, and of each answer.
TIMEOUT_S = 20
PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True, slots=True)
class Server:
    """An SMTP server, by a URL such as `smtp+starttls://user:password@mail.example.org`.

    `smtp` does not encrypt: it is for a server on the same machine.
    """

    host: str
    port: int
    scheme: str
    user: str | None
    password: str | None

    @classmethod
    def at(cls, url: str) -> Self:
        parts = urlsplit(url)
        user, password = (unquote(text) if text else None for text in (parts.username, parts.password))
        return cls(parts.hostname or "localhost", parts.port or PORTS[parts.scheme], parts.scheme, user, password)

    def __repr__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    async def send(self, mail: EmailMessage) -> None:
        """Returns once the server has taken it. Raises GiveUpError if it never will, and TryLaterError."""
        try:
            await aiosmtplib.send(
                mail,
                hostname=self.host,
                port=self.port,
                username=self.user,
                password=self.password,
                use_tls=self.scheme == "smtps",
                start_tls=self.scheme == "smtp+starttls",
                timeout=TIMEOUT_S,
                # Without it, the settings of OpenSSL (SSL_CERT_FILE) would not count.
                tls_context=None if self.scheme == "smtp" else ssl.create_default_context(),
            )
        except (aiosmtplib.SMTPException, OSError) as exc:
            raise (GiveUpError if _is_final(exc) else TryLaterError)(f"{self} answered {_told(exc)}") from exc


def _is_final(exc: Exception) -> bool:
    """Whether the server refuses this very mail for good (RFC 5321, 4.2.1). A refused sender, a refused log-in or a
    connection that fails are ours to mend, and so not the end of a mail."""
    match exc:
        case aiosmtplib.SMTPRecipientsRefused(recipients=refused):
            return all(each.code >= 500 for each in refused)
        case aiosmtplib.SMTPDataError(code=code):
            return code >= 500
        # It takes no address with letters beyond ASCII.
        case aiosmtplib.SMTPNotSupported():
            return True
        case _:
            return False


def _told(exc: Exception) -> str:
    if isinstance(exc, aiosmtplib.SMTPRecipientsRefused):
        return ", ".join(f"{each.code} {each.message}" for each in exc.recipients)
    return " ".join(map(str, exc.args)) or type(exc).__name__
