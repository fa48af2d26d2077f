"""The Idempotency-Key of a request: carries out once what comes more than once, and answers it alike.

After draft-ietf-httpapi-idempotency-key-header. An app names the key in a header, a form in a hidden field; without one
each request stands for itself. A failure of ours is not kept: the key is given back, and whoever comes again goes on
from what the earlier attempt has brought about. Neither is an answer kept that brings cookies: they are secrets, and
made anew.
"""

import asyncio
import contextlib
import hmac
import re
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from booking import logins, once
from booking.errors import DatabaseUnavailable, Invalid, KeyInUse
from booking.guards import ACCOUNT, ADMISSION, asks_for_change
from booking.once import Once, Replay
from booking.sentences import say
from booking.site import SITE

HEADER = "Idempotency-Key"
FIELD = "idempotency_key"
REPLAYED = "Idempotency-Replayed"
# For the services: mark in the transaction what you bring about, and go on from what is marked already.
ONCE = web.RequestKey("once", Once)

# A form that is sent twice, by a double click, waits for the answer of the first: the browser shows only the last.
PATIENCE_S = 10.0
PAUSE_S = 0.1

# The String of RFC 9651, in quotes; and, as most clients send it, without them.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[ !#-~]*")
_LONGEST_KEY = 255


@web.middleware
async def carry_out_once(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Takes the request's key, and keeps the answer. Problems must have become answers below."""
    key = await _key(request) if asks_for_change(request) and ADMISSION in request else None
    if key is None:
        return await handler(request)
    begun = await _begin(request, key)
    if isinstance(begun, Replay):
        return web.Response(status=begun.status, headers={**begun.headers, REPLAYED: "true"}, body=begun.body or None)
    request[ONCE] = begun
    cookies = logins.changes(request)
    answer = await handler(request)
    kept = _kept(answer) if logins.changes(request) == cookies else None
    site = request.app[SITE]
    # If this cannot be written, the answer is true all the same, and whoever comes again finds the effect.
    with contextlib.suppress(DatabaseUnavailable):
        await (once.finish(site.db, begun, kept, site.now_s()) if kept else once.release(site.db, begun))
    return answer


async def _key(request: web.Request) -> str | None:
    """The request's key, if it has one. Raises Invalid where it cannot be one."""
    given: list[object] = [*request.headers.getall(HEADER, [])]
    if not given and not request.path.startswith("/api/"):
        given = [*(await request.post()).getall(FIELD, [])]
    if not given:
        return None
    key = _plain(given[0]) if len(given) == 1 else None
    if not key or len(key) > _LONGEST_KEY:
        raise Invalid({HEADER: say("Send one key of 1 to 255 printable ASCII characters, such as a UUID.")})
    return key


def _plain(value: object) -> str | None:
    """The key itself, without the blanks around it, which some databases do not see."""
    if not isinstance(value, str):
        return None
    if quoted := _QUOTED.fullmatch(value):
        return re.sub(r"\\(.)", r"\1", quoted[1]).strip()
    return value.strip() if _BARE.fullmatch(value) else None


async def _begin(request: web.Request, key: str) -> Once | Replay:
    site = request.app[SITE]
    loop = asyncio.get_running_loop()
    until_s = loop.time() + (0 if request.path.startswith("/api/") else PATIENCE_S)
    fingerprint = await _fingerprint(request)
    while True:
        try:
            return await once.begin(site.db, _scope(request), key, fingerprint, site.now_s())
        except KeyInUse:
            if loop.time() >= until_s:
                raise
        await asyncio.sleep(PAUSE_S)


def _scope(request: web.Request) -> str:
    """Whose key it is: two may choose the same."""
    return f"account {request[ACCOUNT].id}" if ACCOUNT in request else request[ADMISSION].holder


async def _fingerprint(request: web.Request) -> str:
    """Of what is asked for. Keyed, since a body may hold a password."""
    head = "\0".join((request.method, request.raw_path, request.content_type, ""))
    return hmac.digest(request.app[SITE].fingerprint_key, head.encode() + await request.read(), "sha256").hex()


def _kept(answer: web.StreamResponse) -> Replay | None:
    """What is kept of an answer. Nothing of a failure of ours, nor of one for who asked too often: both may pass."""
    passes = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS
    if passes or answer.cookies or not isinstance(answer, web.Response):
        return None
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    return Replay(answer.status, headers, answer.body if isinstance(answer.body, bytes) else b"")
