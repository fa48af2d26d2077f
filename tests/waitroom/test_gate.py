"""The gate, case by case: a pure function of facts."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom.admission import Admission
from waitroom.gate import Admit, Answer, Ask, Decision, Facts, Forward, Lend, Pass, Refuse, Wait, decide
from waitroom.limits import Mode, OnStoreLoss, Phase
from waitroom.standing import Called, Late, Revoked, Spent, Standing, Unreachable, Waiting
from waitroom.ticket import Ticket

NOW_S = 1_800_000_000.0
TICKET = Ticket("site", 1, 7, 1_800_000_000, "visitor")
FRESH = Admission("site", "site", "visitor", 7, int(NOW_S), int(NOW_S) + 600)
HALF_SPENT = dataclasses.replace(FRESH, expires_s=int(NOW_S) + 299)
LOAN = Admission("site", "site", "borrower", 0, int(NOW_S), int(NOW_S) + 60)
LOST: dict[str, Any] = {"on_loss": "open", "joins": True}
QUEUEING: list[Mode] = ["auto", "queue", "hold"]


def decided(mode: Mode = "auto", **facts: Any) -> Decision:
    return decide(Facts(mode=mode, session_s=600, **facts), NOW_S)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({"own": True}, Answer(), id="what is for waitroom itself is answered"),
        pytest.param({"bypass": True}, Forward(), id="a bypass rule lets by"),
        pytest.param({"admission": FRESH}, Forward(FRESH), id="the admitted pass"),
        pytest.param({"admission": HALF_SPENT}, Forward(HALF_SPENT, renew=True), id="past half, the lease is renewed"),
        pytest.param({"joins": True}, Ask(None), id="a page view without a ticket joins"),
        pytest.param({}, Refuse("no_place"), id="an image without a ticket gets no number"),
        pytest.param({"ticket": TICKET}, Ask(TICKET), id="a ticket is asked about"),
        pytest.param({"ticket": TICKET, "standing": Called(5)}, Admit("visitor", 7, 5), id="the called come in"),
        pytest.param(
            {"ticket": TICKET, "standing": Waiting(), "joins": True}, Wait(TICKET, Waiting()), id="the others wait"
        ),
        pytest.param({"ticket": TICKET, "standing": Late(3), "joins": True}, Wait(TICKET, Late(3)), id="the late wait"),
        pytest.param(
            {"ticket": TICKET, "standing": Waiting()}, Refuse("no_place"), id="an image of someone who waits is refused"
        ),
        pytest.param({"ticket": TICKET, "standing": Spent(), "joins": True}, Ask(None), id="a used ticket joins anew"),
        pytest.param({"ticket": TICKET, "standing": Spent()}, Refuse("no_place"), id="a used ticket gets no image"),
        pytest.param(
            {"ticket": TICKET, "standing": Unreachable(), "joins": True},
            Wait(TICKET, Unreachable()),
            id="without a store, places are kept",
        ),
        pytest.param(
            {"standing": Unreachable(), "joins": True}, Refuse("store_lost"), id="without a store, no number is given"
        ),
        pytest.param({"mode": "closed"}, Refuse("closed"), id="a closed room refuses"),
        pytest.param({"mode": "closed", "admission": FRESH}, Refuse("closed"), id="a closed room refuses the admitted"),
        pytest.param({"mode": "closed", "bypass": True}, Forward(), id="a bypass holds in a closed room"),
        pytest.param({"mode": "open"}, Pass(), id="an open room lets all pass"),
        pytest.param({"mode": "hold", "admission": FRESH}, Forward(FRESH), id="on hold, the admitted go on"),
        pytest.param({"mode": "hold", "joins": True}, Ask(None), id="on hold, one may join"),
        pytest.param(
            {"admission": FRESH, "unsure": True}, Forward(FRESH, renew=True), id="a lease in doubt is asked for first"
        ),
        pytest.param({"ticket": TICKET, "standing": Revoked(5)}, Refuse("revoked"), id="the revoked are refused"),
        pytest.param(
            {"ticket": TICKET, "is_void": True, "joins": True},
            Refuse("void"),
            id="a ticket from before a reset is void",
        ),
        pytest.param(
            {"ticket": TICKET, "is_void": True, "standing": Called(5), "joins": True},
            Refuse("void"),
            id="even if it was called",
        ),
        pytest.param(
            {"ticket": TICKET, "is_void": True}, Refuse("no_place"), id="which an image that comes first is not told"
        ),
        pytest.param(
            {"ticket": TICKET, "is_void": True, "admission": FRESH}, Forward(FRESH), id="who is inside stays inside"
        ),
        pytest.param({"lacks_identity": True, "joins": True}, Refuse("no_identity"), id="who is nobody can't join"),
        pytest.param({"lacks_identity": True}, Refuse("no_place"), id="an image of nobody's gets no page"),
        pytest.param(
            {"lacks_identity": True, "joins": True, "ticket": TICKET, "standing": Called(5)},
            Refuse("no_identity"),
            id="the ticket of a person lets nobody else in",
        ),
        pytest.param({"phase": "early", "joins": True}, Ask(None), id="before the opening, one may join"),
        pytest.param({"phase": "over", "joins": True}, Refuse("closed"), id="after the close, nobody joins"),
        pytest.param({"phase": "over", "admission": FRESH}, Forward(FRESH), id="after the close, the admitted go on"),
        pytest.param(
            {"phase": "over", "ticket": TICKET, "standing": Waiting(), "joins": True},
            Refuse("closed"),
            id="after the close, nobody waits",
        ),
        pytest.param(
            {"phase": "over", "ticket": TICKET, "standing": Spent(), "joins": True},
            Refuse("closed"),
            id="after the close, nobody joins anew",
        ),
        pytest.param(
            {"phase": "over", "ticket": TICKET, "standing": Called(5)},
            Admit("visitor", 7, 5),
            id="who was called before the close still comes in",
        ),
        pytest.param(
            {"phase": "over", "ticket": TICKET, "is_void": True},
            Refuse("closed"),
            id="a closed line is not joined anew",
        ),
        pytest.param({"on_loss": "closed"}, Refuse("store_lost"), id="a loss may close the room"),
        pytest.param(
            {"on_loss": "closed", "admission": FRESH}, Refuse("store_lost"), id="then even to those who are inside"
        ),
        pytest.param({"on_loss": "closed", "bypass": True}, Forward(), id="but not to what a rule lets by"),
        pytest.param({"on_loss": "hold", "admission": FRESH}, Forward(FRESH), id="a loss may hold the room"),
        pytest.param({"on_loss": "hold", "joins": True, "lends": True}, Ask(None), id="then nothing is lent"),
        pytest.param(LOST | {"lends": True}, Lend(), id="a loss may open the room to some"),
        pytest.param(LOST | {"lends": True, "ticket": TICKET, "standing": Unreachable()}, Lend(), id="who wait, too"),
        pytest.param(LOST | {"lends": True, "joins": False}, Refuse("no_place"), id="but not to an image"),
        pytest.param(LOST, Ask(None), id="and to no more than it has"),
        pytest.param(
            LOST | {"ticket": TICKET, "standing": Unreachable()},
            Wait(TICKET, Unreachable()),
            id="and the others keep their place",
        ),
        pytest.param(LOST | {"lends": True, "phase": "early"}, Ask(None), id="and not before the opening"),
        pytest.param(LOST | {"lends": True, "phase": "over"}, Refuse("closed"), id="nor after the close"),
        pytest.param(LOST | {"lends": True, "mode": "hold"}, Ask(None), id="nor while the operator holds it"),
        pytest.param(LOST | {"lends": True, "lacks_identity": True}, Refuse("no_identity"), id="nor to nobody"),
        pytest.param(LOST | {"on_loan": LOAN, "lends": True}, Forward(LOAN), id="who has a loan goes on"),
        pytest.param({"on_loan": LOAN}, Forward(LOAN), id="to its end, though the store is back"),
        pytest.param({"on_loan": LOAN, "mode": "closed"}, Refuse("closed"), id="unless the room is closed"),
        pytest.param({"on_loan": LOAN, "on_loss": "closed"}, Refuse("store_lost"), id="or is closed by the loss"),
        pytest.param({"robot": True, "joins": True}, Refuse("robot"), id="a robot takes no number"),
        pytest.param({"robot": True}, Refuse("robot"), id="nor is it told that it could"),
        pytest.param({"robot": True, "ticket": TICKET, "standing": Called(5)}, Refuse("robot"), id="nor does it claim"),
        pytest.param({"robot": True, "ticket": TICKET, "standing": Waiting()}, Refuse("robot"), id="nor does it wait"),
        pytest.param(LOST | {"robot": True, "lends": True}, Refuse("robot"), id="nor does it borrow"),
        pytest.param({"robot": True, "bypass": True}, Forward(), id="a robot that a rule lets by passes"),
        pytest.param({"robot": True, "admission": FRESH}, Forward(FRESH), id="who is inside may call itself a robot"),
        pytest.param({"robot": True, "mode": "open"}, Pass(), id="in an open room it passes, as all do"),
        pytest.param(
            {"robot": True, "mode": "closed"}, Refuse("closed"), id="in a closed one it is refused, as all are"
        ),
    ],
)
def test_what_becomes_of_a_request(facts: dict[str, Any], expected: Decision) -> None:
    assert decided(**facts) == expected


PHASES: list[Phase] = ["early", "open", "over"]
WITHOUT_LOANS: list[OnStoreLoss | None] = [None, "hold", "closed"]
standings = st.none() | st.sampled_from([Waiting(), Called(5), Late(0), Spent(), Revoked(5), Unreachable()])


@given(
    mode=st.sampled_from(QUEUEING),
    joins=st.booleans(),
    ticket=st.none() | st.just(TICKET),
    standing=standings,
    phase=st.sampled_from(PHASES),
    on_loss=st.sampled_from(WITHOUT_LOANS),
    others=st.fixed_dictionaries({name: st.booleans() for name in ("is_void", "lacks_identity", "lends", "robot")}),
)
def test_in_a_queueing_room_only_the_called_reach_the_origin(
    mode: Mode,
    joins: bool,
    ticket: Ticket | None,
    standing: Standing | None,
    phase: Phase,
    on_loss: OnStoreLoss | None,
    others: dict[str, bool],
) -> None:
    """I6: without admission or bypass, whatever else is true."""
    if ticket is None and not isinstance(standing, Unreachable):
        standing = None
    decision = decided(mode, joins=joins, ticket=ticket, standing=standing, phase=phase, on_loss=on_loss, **others)
    assert not isinstance(decision, Forward | Pass | Lend)
    may = not any(others[name] for name in ("is_void", "lacks_identity", "robot")) and on_loss != "closed"
    assert isinstance(decision, Admit) == (isinstance(standing, Called) and may)
