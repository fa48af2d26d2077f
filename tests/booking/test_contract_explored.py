"""The running API explored by schemathesis: whatever the contract allows or forbids is sent, and each answer is one
that the contract knows. `EXPLORE_S=600 scripts/test -n0 -k explored` looks for longer."""

import asyncio
import copy
import os
import sys
from pathlib import Path

import pytest
import yaml

from booking.api.contract import contract
from tests.booking.bench import HOUR_S, NOW_S, Visitor, add_flight, departure
from tests.booking.conftest import Site

EXPLORE_S = os.environ.get("EXPLORE_S")
# The suite goes the same ways each time.
HOW_LONG = ["--max-time", EXPLORE_S] if EXPLORE_S else ["--max-time", "12", "--seed", "1"]


@pytest.fixture
async def flight_ids(site: Site) -> list[int]:
    return [await add_flight(site.db, departure(NOW_S + hours * HOUR_S)) for hours in (48, 72, 96, 120, 144)]


@pytest.fixture
async def references(site: Site, ada: Visitor, flight_ids: list[int]) -> list[str]:
    """Of bookings in the states that they can be in, each by another place in the waiting room."""
    made = []
    for flight_id in flight_ids[1:]:
        ada.carry(site.room.admission())
        made.append(await ada.held(flight_id, "7C", "7D"))
    _held, paying, ticketed, cancelled = made
    await ada.check_out(paying)
    await ada.pay(ticketed)
    await ada.pay(cancelled)
    await ada.cancel(cancelled)
    return made


@pytest.fixture
def known_contract(flight_ids: list[int], references: list[str], tmp_path: Path) -> Path:
    """The contract with the flights and bookings that there are: what is made up is not there, as a rule."""
    known = copy.deepcopy(contract())
    known["components"]["parameters"]["FlightId"]["schema"] = {"enum": [*flight_ids, 999_999_999]}
    known["components"]["parameters"]["Reference"]["schema"] = {"enum": [*references, "BCDFGH"]}
    path = tmp_path / "openapi.yaml"
    path.write_text(yaml.safe_dump(known))
    return path


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_answer_is_in_the_contract(site: Site, ada: Visitor, known_contract: Path, tmp_path: Path) -> None:
    """By someone who is logged in, and let in to every flight. What is well formed may still be refused, for a reason
    that no schema can tell."""
    cookies = "; ".join(f"{name}={value}" for name, value in ada.cookies().items())
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(known_contract)),
        *("--url", str(site.server.make_url("/")), "--no-color", *HOW_LONG),
        *("--exclude-checks", "positive_data_acceptance", "--generation-with-security-parameters", "false"),
        *("-H", f"X-Waitroom-Admission: {site.room.admission()}", "-H", f"Cookie: {cookies}"),
    ]
    exploring = await asyncio.create_subprocess_exec(*command, cwd=tmp_path)
    assert await exploring.wait() == 0
