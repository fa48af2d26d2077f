"""The gate, case by case: a pure function of facts."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom.admission import Admission
from waitroom.gate import Admit, Answer, Ask, Decision, Facts, Forward, Pass, Refuse, Wait, decide
from waitroom.limits import Mode
from waitroom.standing import Called, Late, Spent, Standing, Unreachable, Waiting
from waitroom.ticket import Ticket

NOW_S = 1_800_000_000.0
TICKET = Ticket("site", 1, 7, 1_800_000_000, "visitor")
FRESH = Admission("site", "site", "visitor", 7, int(NOW_S), int(NOW_S) + 600)
HALF_SPENT = dataclasses.replace(FRESH, expires_s=int(NOW_S) + 299)
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
    ],
)
def test_what_becomes_of_a_request(facts: dict[str, Any], expected: Decision) -> None:
    assert decided(**facts) == expected


standings = st.none() | st.sampled_from([Waiting(), Called(5), Late(0), Spent(), Unreachable()])


@given(
    mode=st.sampled_from(QUEUEING),
    joins=st.booleans(),
    ticket=st.none() | st.just(TICKET),
    standing=standings,
)
def test_in_a_queueing_room_only_the_called_reach_the_origin(
    mode: Mode, joins: bool, ticket: Ticket | None, standing: Standing | None
) -> None:
    """I6: without admission or bypass, whatever else is true."""
    if ticket is None and not isinstance(standing, Unreachable):
        standing = None
    decision = decided(mode, joins=joins, ticket=ticket, standing=standing)
    assert not isinstance(decision, Forward | Pass)
    assert isinstance(decision, Admit) == isinstance(standing, Called)
