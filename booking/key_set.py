"""The waiting room's public keys: fetched from a URL or read from a file, kept, fetched again when one is unknown.

A stranger can name any `kid`, so the source is asked at most once in ten seconds, however many ask at once.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from booking.admission import public_keys
from booking.errors import AdmissionKeysUnavailable

COOL_DOWN_S = 10.0
# While no key is held, nobody gets in: the source is asked more eagerly then.
COOL_DOWN_WITHOUT_KEYS_S = 1.0
TIMEOUT_S = 3.0

log = logging.getLogger(__name__)


class KeySet:
    """`source` is a URL (http or https) or a file; `clock_s` must never go back."""

    def __init__(self, source: str, session: ClientSession, clock_s: Callable[[], float]) -> None:
        self._source = source
        self._session = session
        self._clock_s = clock_s
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._asked_s = -COOL_DOWN_S
        self._asking = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<KeySet {self._source}: {sorted(self._keys)}>"

    @property
    def keys(self) -> Mapping[str, Ed25519PublicKey]:
        """The keys held now, by `kid`."""
        return self._keys

    async def refresh(self) -> None:
        """Asks the source again, unless it was just asked. Raises AdmissionKeysUnavailable while no key is held."""
        async with self._asking:
            cool_down_s = COOL_DOWN_S if self._keys else COOL_DOWN_WITHOUT_KEYS_S
            if self._clock_s() - self._asked_s >= cool_down_s:
                await self._ask()
                self._asked_s = self._clock_s()
        if not self._keys:
            raise AdmissionKeysUnavailable

    async def _ask(self) -> None:
        try:
            self._keys = public_keys(await self._document())
        except (ClientError, TimeoutError, OSError, ValueError, KeyError) as exc:
            log.warning(
                "The key set %s cannot be read: %s. Check BOOKING_ADMISSION_KEYS.", self._source, exc or repr(exc)
            )

    async def _document(self) -> object:
        if not self._source.startswith(("http://", "https://")):
            return json.loads(await asyncio.to_thread(Path(self._source).read_bytes))
        timeout = ClientTimeout(total=TIMEOUT_S)
        async with self._session.get(self._source, timeout=timeout, allow_redirects=False) as response:
            response.raise_for_status()
            return json.loads(await response.read())
