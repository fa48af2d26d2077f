"""The two cookies of a room: the visitor's ticket, and the admission while the visitor is inside. And one for all
rooms: the language that the visitor has chosen."""

from collections.abc import Sequence
from functools import lru_cache

# The place is kept for a week, whatever becomes of the tab.
TICKET_MAX_AGE_S = 7 * 86_400
ADMISSION = ".admission"
# No room's: none has an empty name.
LANGUAGE_COOKIE = "wr-.language"
LANGUAGE_MAX_AGE_S = 365 * 86_400
# As http.cookies writes it.
EMPTY = '""'
# Names of cookies: they are asked for with each request.
MOST_REMEMBERED = 4096


@lru_cache(MOST_REMEMBERED)
def ticket_cookie(room: str, key: str, *, secure: bool) -> str:
    """The name of the ticket's cookie: each line of a room has its own. The prefix binds it to this host (RFC 6265bis,
    section 4.1.3.2). Neither rooms nor keys have a dot in their names."""
    name = f"{room}.{key}" if key else room
    return f"__Host-wr-{name}" if secure else f"wr-{name}"


@lru_cache(MOST_REMEMBERED)
def admission_cookie(room: str, key: str, *, secure: bool) -> str:
    """The name of the admission's cookie."""
    return f"{ticket_cookie(room, key, secure=secure)}{ADMISSION}"


@lru_cache(MOST_REMEMBERED)
def ticket_names(room: str, key: str) -> tuple[bytes, bytes]:
    """The names of the ticket's cookie over plain HTTP, and over HTTPS."""
    return ticket_cookie(room, key, secure=False).encode(), ticket_cookie(room, key, secure=True).encode()


@lru_cache(MOST_REMEMBERED)
def admission_names(room: str, key: str) -> tuple[bytes, bytes]:
    """The names of the admission's cookie over plain HTTP, and over HTTPS."""
    return admission_cookie(room, key, secure=False).encode(), admission_cookie(room, key, secure=True).encode()


def tickets_of(room: str, names: Sequence[str], *, secure: bool) -> list[str]:
    """Of the cookies that a visitor sent, those with tickets of a room with keys, in their order."""
    prefix = f"{ticket_cookie(room, '', secure=secure)}."
    return [name for name in names if name.startswith(prefix) and not name.endswith(ADMISSION)]


def set_cookie(name: str, value: str, max_age_s: int, *, secure: bool) -> str:
    """A Set-Cookie field; a `max_age_s` of 0 removes the cookie. Neither names nor values of ours have a character that
    would have to be quoted (RFC 6265, section 4.1.1)."""
    ends = "; Path=/; SameSite=Lax; Secure" if secure else "; Path=/; SameSite=Lax"
    return f"{name}={value or EMPTY}; HttpOnly; Max-Age={max_age_s}{ends}"
