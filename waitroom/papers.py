"""What a visitor carries: signs tickets and admissions, and writes the cookies that hold them."""

from collections.abc import Callable
from dataclasses import dataclass

from waitroom.admission import OPEN_VISITOR, Admission, AdmissionSigner
from waitroom.cookies import TICKET_MAX_AGE_S, admission_cookie, set_cookie, ticket_cookie
from waitroom.loans import LOAN_S
from waitroom.rooms import Room
from waitroom.ticket import Ticket, TicketSigner, new_visitor

# How long an admission of an open room lasts, behind which stands no lease.
OPEN_S = 60
# Admissions of open rooms remembered: one for each key.
MOST_OPEN = 10_000


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
        self._open: dict[tuple[str, str], tuple[str, float]] = {}

    def ticket(self, room: Room, key: str, ticket: Ticket, *, secure: bool) -> str:
        """The Set-Cookie field of a ticket."""
        return self.ticket_in(ticket_cookie(room.name, key, secure=secure), ticket, secure=secure)

    def ticket_in(self, name: str, ticket: Ticket, *, secure: bool) -> str:
        """The same, for a cookie whose name is known."""
        return set_cookie(name, self._tickets.sign(ticket), TICKET_MAX_AGE_S, secure=secure)

    def admission(
        self, room: Room, key: str, visitor: str, number: int, lease_end_ms: int, *, secure: bool
    ) -> Admitted:
        """An admission that ends with its lease (I1), to the second before."""
        return self._admitted(room, key, visitor, number, lease_end_ms // 1000, secure=secure)

    def loan(self, room: Room, key: str, *, secure: bool) -> Admitted:
        """An admission behind which stands no lease, while nobody can say who has one."""
        return self._admitted(room, key, new_visitor(), 0, int(self._now_s()) + LOAN_S, secure=secure)

    def open_admission(self, room: Room, key: str) -> str:
        """The admission of everybody while the room is open, for origins that verify; signed anew now and then."""
        token, until_s = self._open.get((room.name, key), ("", 0.0))
        now_s = self._now_s()
        if now_s >= until_s:
            token = self._signed(room, key, OPEN_VISITOR, 0, int(now_s) + OPEN_S)
            if len(self._open) >= MOST_OPEN:
                self._open.clear()
            self._open[room.name, key] = token, now_s + OPEN_S / 2
        return token

    def removed(self, room: Room, key: str, *, secure: bool) -> list[str]:
        """The Set-Cookie fields that take both from the visitor."""
        return [self.without_ticket(room, key, secure=secure), self.without_admission(room, key, secure=secure)]

    def without_ticket(self, room: Room, key: str, *, secure: bool) -> str:
        return set_cookie(ticket_cookie(room.name, key, secure=secure), "", 0, secure=secure)

    def without_admission(self, room: Room, key: str, *, secure: bool) -> str:
        return set_cookie(admission_cookie(room.name, key, secure=secure), "", 0, secure=secure)

    def _admitted(self, room: Room, key: str, visitor: str, number: int, expires_s: int, *, secure: bool) -> Admitted:
        token = self._signed(room, key, visitor, number, expires_s)
        name = admission_cookie(room.name, key, secure=secure)
        return Admitted(token, set_cookie(name, token, max(1, expires_s - int(self._now_s())), secure=secure))

    def _signed(self, room: Room, key: str, visitor: str, number: int, expires_s: int) -> str:
        issued_s = int(self._now_s())
        return self._admissions.sign(Admission(room.name, room.audience, visitor, number, issued_s, expires_s, key))
