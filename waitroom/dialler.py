"""Opens connections to one origin: TCP to the first of its addresses that answers, TLS that is verified, or a unix
socket. What goes wrong becomes an OriginError that says at which step."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import aiohappyeyeballs

from waitroom import keepalive
from waitroom.addresses import Addresses, Resolve
from waitroom.errors import OriginTimeoutError, OriginUnreachableError
from waitroom.origin_address import OriginAddress
from waitroom.origin_terms import OriginTerms

# Until the next address is tried beside (RFC 8305, section 8).
HAPPY_EYEBALLS_S = 0.25

P = TypeVar("P", bound=asyncio.BaseProtocol)

# The first that fits tells what went wrong; "{}" stands for the error's own words.
FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate can't be trusted: {}"),
    (ssl.SSLError, "TLS failed: {}"),
    (socket.gaierror, "no address is known for its host: {}"),
    (FileNotFoundError, "a file or socket does not exist: {}"),
    (PermissionError, "a file or socket can't be opened: {}"),
    (ConnectionRefusedError, "it refused the connection"),
    (ConnectionError, "it closed the connection before it was ready"),
    (Exception, "it can't be reached: {}"),
)


class Dialler:
    """The way to one origin."""

    def __init__(
        self, url: str, address: OriginAddress, terms: OriginTerms, now_s: Callable[[], float], resolve: Resolve
    ) -> None:
        self._url = url
        self._address = address
        self._terms = terms
        self.addresses = Addresses(address.host, address.port, terms.resolve_s, now_s, resolve)

    async def dial(self, protocol: Callable[[], P]) -> P:
        """A new connection, within `connect_s`. Raises OriginTimeoutError, or OriginUnreachableError."""
        try:
            async with asyncio.timeout(self._terms.connect_s):
                return await self._dial(protocol)
        except TimeoutError as exc:
            raise OriginTimeoutError(self._url, f"no connection within {self._terms.connect_s:g} s") from exc
        # Beside OSError: uvloop's RuntimeError for some of them, and ValueError for a name that TLS can't have.
        except (OSError, RuntimeError, ValueError) as exc:
            raise OriginUnreachableError(self._url, _told(exc)) from exc

    def refresh(self) -> None:
        """Looks the host up anew, where that is due; returns at once."""
        if not self._address.path:
            self.addresses.refresh()

    async def _dial(self, protocol: Callable[[], P]) -> P:
        loop = asyncio.get_running_loop()
        if self._address.path:
            return (await loop.create_unix_connection(protocol, self._address.path))[1]
        context, name = self._tls()
        connected = await aiohappyeyeballs.start_connection(
            await self.addresses.get(), happy_eyeballs_delay=HAPPY_EYEBALLS_S
        )
        keepalive.ask(connected)
        return (await loop.create_connection(protocol, sock=connected, ssl=context, server_hostname=name))[1]

    def _tls(self) -> tuple[ssl.SSLContext, str] | tuple[None, None]:
        """How, and with whom; a name or a file of no use raises before there is a socket that could be lost."""
        if not self._address.is_tls:
            return None, None
        name = self._terms.server_name or self._address.host.removesuffix(".")
        return tls_context(self._terms), name.encode("idna").decode()


@lru_cache(maxsize=64)
def tls_context(terms: OriginTerms) -> ssl.SSLContext:
    """TLS as the terms ask for. Raises OSError where one of their files can't be used."""
    context = ssl.create_default_context(cafile=terms.ca_file or None)
    if not terms.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if terms.certificate:
        context.load_cert_chain(terms.certificate, terms.key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _told(fault: Exception) -> str:
    words = next(words for kind, words in FAULTS if isinstance(fault, kind))
    return words.format(_own_words(fault))


def _own_words(fault: Exception) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return fault.verify_message
    return (fault.strerror if isinstance(fault, OSError) else None) or str(fault)
