"""Scripts of other origins: which of them may read what waitroom says in a room (Fetch standard, section 3.2). Pure.

Each origin is named by itself: browsers take no `*` from where cookies are sent.
"""

from functools import lru_cache

from waitroom.response import Field, Response
from waitroom.wire.heads import RequestHead

# A cache must not hand what one origin was answered to another (RFC 9110, section 12.5.5).
VARY = ("Vary", "Origin")
# Of a response, scripts see a few fields besides these.
SHARED = (
    ("Access-Control-Allow-Credentials", "true"),
    ("Access-Control-Expose-Headers", "Content-Location, Retry-After"),
    VARY,
)
# What a browser is told that asks first whether a script may ask; after this time it asks that again, so that a change
# of the configuration shows.
PREFLIGHT = (("Access-Control-Allow-Methods", "GET, HEAD, POST"), ("Access-Control-Max-Age", "600"))
MOST_REMEMBERED = 256


def shared(response: Response, origins: tuple[str, ...], request: RequestHead) -> Response:
    """A response that scripts of these origins may read, where the request comes from one."""
    if not origins:
        return response
    origin = _values(request, b"origin")
    fields = _fields(origins, origin)
    if request.method == b"OPTIONS" and origin in origins:
        fields += (*PREFLIGHT, ("Access-Control-Allow-Headers", _values(request, b"access-control-request-headers")))
    return response.with_fields(fields)


def _values(request: RequestHead, name: bytes) -> str:
    return b", ".join(request.looked.get(name, ())).decode("latin-1")


@lru_cache(MOST_REMEMBERED)
def _fields(origins: tuple[str, ...], origin: str) -> tuple[Field, ...]:
    """Most who ask are of a few origins."""
    return (("Access-Control-Allow-Origin", origin), *SHARED) if origin in origins else (VARY,)
