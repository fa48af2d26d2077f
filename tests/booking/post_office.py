"""An SMTP server of a test's own: takes mails for real on a private port, in a thread of its own, and keeps them."""

import socket
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers import free_port

USER, PASSWORD = "halcyon", "p@ss/word"


# More than it takes to open on a busy machine.
OPENS_WITHIN_S = 60


class Counter(Controller):
    """Opens as aiosmtpd does, which would give the thread of the server one second to greet."""

    def _trigger_server(self) -> None:
        with socket.create_connection((self.hostname, self.port), OPENS_WITHIN_S) as first:
            if self.ssl_context is None:
                first.recv(1024)


class PostOffice:
    """`mails` is what it took. It answers `refusal` to a recipient, where there is one, such as `550 no such user`."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, implicit_tls: bool = False, login: bool = False) -> None:
        self.port = free_port()
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refusal = ""
        self.end_of_data = "250 taken"
        self._tls = tls
        self._implicit_tls = implicit_tls
        self._login = login
        self._controller: Counter | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def url(self, scheme: str = "smtp", credentials: str = "") -> str:
        return f"{scheme}://{credentials}127.0.0.1:{self.port}"

    def start(self) -> None:
        self._controller = Counter(
            self,
            hostname="127.0.0.1",
            # Else it would ask for one, which takes its time where nobody knows any.
            server_hostname="localhost",
            ready_timeout=OPENS_WITHIN_S,
            port=self.port,
            ssl_context=self._tls if self._implicit_tls else None,
            tls_context=None if self._implicit_tls else self._tls,
            require_starttls=bool(self._tls) and not self._implicit_tls,
            auth_required=self._login,
            # It does not see the TLS that was there from the start.
            auth_require_tls=not self._implicit_tls,
            authenticator=_authenticate if self._login else None,
        )
        self._controller.start()

    def stop(self) -> None:
        if self._controller:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(  # noqa: N802 the name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.end_of_data.startswith("2"):
            self.mails.append(_read(cast(bytes, envelope.content)))
            self.recipients += envelope.rcpt_tos
        return self.end_of_data


def _read(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object) -> AuthResult:
    is_known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_known, handled=False)
