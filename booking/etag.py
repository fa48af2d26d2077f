"""Answers that are sent once: an ETag of the content, and 304 without it to whoever has it (RFC 9110, 13.1.2)."""

from hashlib import sha256

from aiohttp import ETag, web
from aiohttp.helpers import ETAG_ANY


def unless_held(request: web.Request, response: web.Response) -> web.Response:
    """The response with its strong ETag, or 304 in its place. A browser keeps it, and asks each time if it holds."""
    held = request.if_none_match or ()
    assert isinstance(response.body, bytes)  # noqa: S101 nothing here is streamed
    etag = sha256(response.body).hexdigest()[:32]
    # If-None-Match compares weakly, so that a proxy which compresses, and says so, does not break it.
    if any(tag.value in {etag, ETAG_ANY} for tag in held):
        response = web.Response(status=304)
    response.etag = ETag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
