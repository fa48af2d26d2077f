"""The gate: decides what becomes of a request, from facts alone. It does no I/O: what it lacks, it asks for.

I6: no request reaches the origin of a queueing room without a valid admission or a bypass rule.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from waitroom.admission import Admission
from waitroom.limits import Mode, OnStoreLoss, Phase
from waitroom.standing import Called, Late, Moved, Revoked, Spent, Standing, Unreachable, Waiting
from waitroom.ticket import Ticket

Reason = Literal["closed", "full", "moved", "no_identity", "no_place", "revoked", "robot", "store_lost", "void"]

# A visitor stays inside as long as there is activity: past half of its life, the lease is renewed.
RENEW_BELOW = 0.5


# Not frozen: each request has its own, and learns more of them as it goes.
@dataclass(slots=True)
class Facts:
    """What is known of a request.

    `own` says that it is for waitroom itself; `bypass`, that a rule lets it by; `joins`, that it asks for a page, or
    for JSON, so that it may take a number; `robot`, that it says to come from a search engine, which waits in no line.
    `admission` and `ticket` are verified, and of this line. `standing` is what the line said of the ticket's number,
    None while it was not asked; without a ticket it can only be Unreachable.

    `unsure` says that the lease behind the admission must be asked for first; `is_void`, that the ticket is of an epoch
    before the line was reset; `lacks_identity`, that the room gives places to persons only, and this is none that it
    knows. `on_loan` is the admission that some process lent while the store was lost. `on_loss` is what the room wants
    while it is, None while it is not; `lends` says that this process may then lend another.
    """

    mode: Mode
    session_s: float
    phase: Phase = "open"
    own: bool = False
    bypass: bool = False
    joins: bool = False
    robot: bool = False
    admission: Admission | None = None
    unsure: bool = False
    ticket: Ticket | None = None
    is_void: bool = False
    lacks_identity: bool = False
    standing: Standing | None = None
    on_loss: OnStoreLoss | None = None
    on_loan: Admission | None = None
    lends: bool = False


@dataclass(frozen=True, slots=True)
class Forward:
    """To the origin, with the admission if there is one; `renew` asks to extend its lease first."""

    admission: Admission | None = None
    renew: bool = False


@dataclass(frozen=True, slots=True)
class Admit:
    """To the origin, on a lease just claimed or extended: a new admission is due."""

    visitor: str
    number: int
    lease_end_ms: int


@dataclass(frozen=True, slots=True)
class Pass:
    """To the origin of an open room: an admission without a place is due, for origins that verify."""


@dataclass(frozen=True, slots=True)
class Lend:
    """To the origin while the store is lost and the room lets some in all the same: a short admission is due."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Waitroom's own application answers."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The line must say more: claim the ticket's place, or, without a ticket, join."""

    ticket: Ticket | None


@dataclass(frozen=True, slots=True)
class Wait:
    """The waiting answer, for this ticket."""

    ticket: Ticket
    standing: Waiting | Late | Unreachable


@dataclass(frozen=True, slots=True)
class Refuse:
    """No place, and no number: the room is closed, the request can't wait, or no number can be given."""

    reason: Reason


# What a request ends with; Ask is answered before that.
Settled = Forward | Admit | Pass | Lend | Answer | Wait | Refuse
Decision = Settled | Ask


def decide(facts: Facts, now_s: float) -> Decision:
    """What becomes of the request, `now_s` in seconds since 1970."""
    return outright(facts) or _by_admission(facts, now_s)


def outright(facts: Facts) -> Settled | None:
    """What becomes of a request whatever the line says; None where that matters."""
    if facts.own:
        return Answer()
    if facts.bypass:
        return Forward()
    if facts.mode == "closed":
        return Refuse("closed")
    if facts.mode == "open":
        return Pass()
    return None


def goes_on(mode: Mode, on_loss: OnStoreLoss | None, session_s: float, admission: Admission, now_s: float) -> bool:
    """Whether a verified admission, behind which certainly stands a lease, lets a request on without asking the line:
    what `decide` then answers is Forward, with nothing to renew."""
    is_gated = mode not in ("closed", "open") and on_loss != "closed"
    return is_gated and admission.expires_s - now_s >= session_s * RENEW_BELOW


def _by_admission(facts: Facts, now_s: float) -> Decision:
    if facts.on_loss == "closed":
        return Refuse("store_lost")
    if facts.admission:
        is_sure = goes_on(facts.mode, facts.on_loss, facts.session_s, facts.admission, now_s)
        return Forward(facts.admission, renew=facts.unsure or not is_sure)
    if facts.on_loan:
        return Forward(facts.on_loan)
    if facts.robot:
        return Refuse("robot")
    if facts.on_loss == "open" and _may_borrow(facts):
        return Lend()
    return _by_ticket(facts)


def _may_borrow(facts: Facts) -> bool:
    """What would keep a visitor out of a line that moves keeps it from a loan, too."""
    is_moving = facts.phase == "open" and facts.mode != "hold"
    return facts.joins and facts.lends and is_moving and not facts.lacks_identity


def _by_ticket(facts: Facts) -> Decision:
    ticket = facts.ticket
    if facts.phase == "over" and (ticket is None or facts.is_void):
        return Refuse("closed")
    if facts.is_void:  # told once, so that it must not go to an image that comes first
        return Refuse("void" if facts.joins else "no_place")
    if facts.lacks_identity:
        return Refuse("no_identity" if facts.joins else "no_place")
    if ticket is None:
        return _join(facts) if facts.standing is None else Refuse("store_lost")
    return _by_standing(facts, ticket)


def _by_standing(facts: Facts, ticket: Ticket) -> Decision:
    standing = facts.standing
    match standing:
        case None:
            return Ask(ticket)
        case Called(lease_end_ms):
            return Admit(ticket.visitor, ticket.number, lease_end_ms)
        case Revoked():
            return Refuse("revoked")
        case Moved():
            return Refuse("moved" if facts.joins else "no_place")
        case _ if facts.phase == "over":
            return Refuse("closed")
        case Spent():
            return _join(facts)
        case Waiting() | Late() | Unreachable():
            return Wait(ticket, standing) if facts.joins else Refuse("no_place")
        case _:
            assert_never(standing)


def _join(facts: Facts) -> Decision:
    return Ask(None) if facts.joins else Refuse("no_place")
