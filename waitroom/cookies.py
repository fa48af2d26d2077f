"""The two cookies of a room: the visitor's ticket, and the admission while the visitor is inside."""

from http.cookies import SimpleCookie

# The place is kept for a week, whatever becomes of the tab.
TICKET_MAX_AGE_S = 7 * 86_400


def ticket_cookie(room: str, *, secure: bool) -> str:
    """The name of the ticket's cookie. The prefix binds it to this host (RFC 6265bis, section 4.1.3.2)."""
    return f"__Host-wr-{room}" if secure else f"wr-{room}"


def admission_cookie(room: str, *, secure: bool) -> str:
    """The name of the admission's cookie; a room's name has no dot."""
    return f"{ticket_cookie(room, secure=secure)}.admission"


def set_cookie(name: str, value: str, max_age_s: int, *, secure: bool) -> str:
    """A Set-Cookie field; a `max_age_s` of 0 removes the cookie."""
    cookie: SimpleCookie = SimpleCookie({name: value})
    morsel = cookie[name]
    morsel["path"] = "/"
    morsel["max-age"] = max_age_s
    morsel["httponly"] = True
    morsel["samesite"] = "Lax"
    morsel["secure"] = secure
    return morsel.OutputString()
