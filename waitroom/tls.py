"""The TLS of the public listeners: one certificate, which is followed as its files change."""

import logging
import ssl
from pathlib import Path

from waitroom import watch
from waitroom.certificates import ends_s, load_pair

log = logging.getLogger(__name__)

# HTTP/2 is not served.
PROTOCOLS = ["http/1.1"]


class PublicTls:
    """`context` is for listeners, once and for all; each handshake gets the certificate in force, which ends at
    `ends_s` (seconds since 1970)."""

    def __init__(self, certificate: str, key: str) -> None:
        """Raises ValueError where the two files can't be used."""
        self._certificate = certificate
        self._key = key
        self._in_force = self._load()
        self.ends_s = ends_s(certificate)
        self.context = self._load()
        self.context.sni_callback = self._choose

    def read_again(self) -> None:
        """A pair that can't be used is logged, and the one in force stays."""
        try:
            self._in_force = self._load()
        except ValueError as exc:
            log.error("the new certificate is refused, the old one stays in force: %s", exc)
        else:
            self.ends_s = ends_s(self._certificate)
            log.info("the certificate in %s was read again", self._certificate)

    async def follow(self) -> None:
        """Reads the files again as they change, until cancelled."""
        async for _ in watch.changes(Path(self._certificate), Path(self._key)):
            self.read_again()

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(PROTOCOLS)
        load_pair(context, self._certificate, self._key)
        return context

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called in each handshake, whether the visitor names a server or not."""
        connection.context = self._in_force
