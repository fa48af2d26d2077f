"""Tells the site what happened, by signed webhooks: each event again and again until it is taken, or the tries end."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import ClientError, ClientSession, ClientTimeout

from booking import signatures
from booking.sandbox.faults import Faults
from booking.sandbox.ledger import Notice, attempted, due_notices, next_due_s
from booking.sandbox.ledger_file import LedgerFile

# How long after each try in vain comes the next one; after the last, none: about twenty minutes in all.
WAITS_S = (0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)
TIMEOUT = ClientTimeout(total=10)

log = logging.getLogger(__name__)


class Messenger:
    """`faults` gives those of now."""

    def __init__(
        self, session: ClientSession, ledger: LedgerFile, url: str, secret: str, faults: Callable[[], Faults]
    ) -> None:
        self._session = session
        self._ledger = ledger
        self._url = url
        self._secret = secret
        self._faults = faults
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something new to tell."""
        self._woken.set()

    async def run_for_ever(self) -> None:
        while True:
            self._woken.clear()
            notices = await self._ledger.write(due_notices, time.time())
            await asyncio.gather(*(self._tell(notice) for notice in notices))
            await self._rest()

    async def _rest(self) -> None:
        """Until the next event is due, or somebody says that there is one."""
        due_s = await self._ledger.write(next_due_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if due_s is None else max(0, due_s - time.time())):
                await self._woken.wait()

    async def _tell(self, notice: Notice) -> None:
        faults = self._faults()
        if faults.drop_webhooks:
            await self._ledger.write(attempted, notice.id, None)
            return
        taken = [await self._post(notice) for _ in range(faults.webhook_copies)]
        again = not all(taken) and notice.attempts < len(WAITS_S)
        due_s = time.time() + WAITS_S[notice.attempts] if again else None
        await self._ledger.write(attempted, notice.id, due_s)

    async def _post(self, notice: Notice) -> bool:
        """Whether the site took it."""
        body = document(notice)
        headers = signatures.sign(self._secret, notice.id, int(time.time()), body)
        headers["Content-Type"] = "application/json"
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as response:
                problem = "" if 200 <= response.status < 300 else f"answered {response.status}"
        except (ClientError, TimeoutError) as exc:
            problem = f"does not answer: {exc!r}"
        if problem:
            log.warning("%s of %s was not taken: %s %s", notice.type, notice.checkout_id, self._url, problem)
        return not problem


def document(notice: Notice) -> bytes:
    """The body of an event, the same at each try."""
    created = datetime.fromtimestamp(notice.created_s, UTC)
    data = {"checkout": notice.checkout_id, "payment": notice.key}
    return json.dumps({"type": notice.type, "timestamp": created.isoformat(), "data": data}).encode()
