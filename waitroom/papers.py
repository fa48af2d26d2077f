"""What a visitor carries: signs tickets and admissions, and writes the cookies that hold them."""

from collections.abc import Callable
from dataclasses import dataclass

from waitroom.admission import Admission, AdmissionSigner
from waitroom.cookies import TICKET_MAX_AGE_S, admission_cookie, set_cookie, ticket_cookie
from waitroom.rooms import Room
from waitroom.ticket import Ticket, TicketSigner

# How long an admission of an open room lasts, behind which stands no lease.
OPEN_S = 60
OPEN_VISITOR = "open"


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admission for the origin, and the Set-Cookie field that lets the visitor keep it."""

    token: str
    cookie: str


class Papers:
    """`now_s` is this process's clock, in seconds since 1970."""

    def __init__(self, tickets: TicketSigner, admissions: AdmissionSigner, now_s: Callable[[], float]) -> None:
        self._tickets = tickets
        self._admissions = admissions
        self._now_s = now_s
        self._open: dict[str, tuple[str, float]] = {}

    def ticket(self, room: Room, ticket: Ticket, *, secure: bool) -> str:
        """The Set-Cookie field of a ticket."""
        name = ticket_cookie(room.name, secure=secure)
        return set_cookie(name, self._tickets.sign(ticket), TICKET_MAX_AGE_S, secure=secure)

    def admission(self, room: Room, visitor: str, number: int, lease_end_ms: int, *, secure: bool) -> Admitted:
        """An admission that ends with its lease (I1), to the second before."""
        now_s = int(self._now_s())
        expires_s = lease_end_ms // 1000
        token = self._admissions.sign(Admission(room.name, room.audience, visitor, number, expires_s), now_s)
        name = admission_cookie(room.name, secure=secure)
        return Admitted(token, set_cookie(name, token, max(1, expires_s - now_s), secure=secure))

    def open_admission(self, room: Room) -> str:
        """The admission of everybody while the room is open, for origins that verify; signed anew now and then."""
        token, until_s = self._open.get(room.name, ("", 0.0))
        now_s = self._now_s()
        if now_s >= until_s:
            expires_s = int(now_s) + OPEN_S
            token = self._admissions.sign(Admission(room.name, room.audience, OPEN_VISITOR, 0, expires_s), int(now_s))
            self._open[room.name] = token, now_s + OPEN_S / 2
        return token

    def removed(self, room: Room, *, secure: bool) -> list[str]:
        """The Set-Cookie fields that take both from the visitor."""
        names = (ticket_cookie(room.name, secure=secure), admission_cookie(room.name, secure=secure))
        return [set_cookie(name, "", 0, secure=secure) for name in names]
