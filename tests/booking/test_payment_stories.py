"""Money and seats agree, whatever comes in which order: events permuted, repeated, late and forged, and all else."""

import logging

import pytest
from hypothesis import HealthCheck, given, settings

from booking.db import Database
from tests.booking.payment_stories import Moment, begun, stories

# The database is one for all examples: each begins by emptying it.
SETTINGS = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


async def tell(db: Database, story: list[Moment]) -> None:
    async with begun(db) as sale:
        for moment in story:
            await sale.happen(moment)
        await sale.end()
        await sale.require_all_accounted_for()


@given(story=stories)
@settings(SETTINGS, max_examples=25)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_money_and_seats_agree_after_any_story(
    db: Database, caplog: pytest.LogCaptureFixture, story: list[Moment]
) -> None:
    caplog.clear()
    await tell(db, story)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@given(story=stories)
@settings(SETTINGS, max_examples=6)
@pytest.mark.parametrize("database_url", ["mariadb", "mariadb-snapshot"], indirect=True)
async def test_money_and_seats_agree_where_all_happens_at_once(db: Database, story: list[Moment]) -> None:
    """On MariaDB, where writes meet in the midst of each other."""
    await tell(db, story)
