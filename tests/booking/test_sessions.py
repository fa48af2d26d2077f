"""Sessions: a token is changed once, a thief is found out, and all ends in time."""

import asyncio
from pathlib import Path

import pytest

from booking.refresh import RefreshToken
from booking.sessions import GRACE_S, IDLE_S, LIFE_S, MOST, Sessions
from booking.store import Store
from tests.booking.bench import NOW_S
from tests.booking.conftest import PATIENCE_S
from tests.servers import PrivateRedis

ADA, GRACE = 1, 2
DAY_S = 86_400


@pytest.fixture
def sessions(store: Store) -> Sessions:
    return Sessions(store)


async def begun(sessions: Sessions, account_id: int = ADA, browser: str = "", now_s: int = NOW_S) -> RefreshToken:
    return await sessions.begin(account_id, browser, now_s)


async def rotated(sessions: Sessions, token: RefreshToken, now_s: int) -> RefreshToken:
    """The successor of a token that must have one."""
    successor = await sessions.rotate(token, now_s)
    assert successor is not None
    return successor


async def test_a_token_is_changed_for_the_next_one(sessions: Sessions) -> None:
    first = await begun(sessions)
    second = await rotated(sessions, first, NOW_S + 300)
    third = await rotated(sessions, second, NOW_S + 600)
    assert [token.counter for token in (first, second, third)] == [1, 2, 3]
    assert {(token.account_id, token.family) for token in (first, second, third)} == {(ADA, first.family)}


async def test_twenty_requests_at_once_get_the_same_successor(sessions: Sessions) -> None:
    token = await begun(sessions)
    successors = await asyncio.gather(*(sessions.rotate(token, NOW_S + 300) for _ in range(20)))
    assert {successor and successor.counter for successor in successors} == {2}


async def test_an_answer_that_was_lost_is_given_again(sessions: Sessions) -> None:
    token = await begun(sessions)
    lost = await rotated(sessions, token, NOW_S + 300)
    assert await sessions.rotate(token, NOW_S + 300 + GRACE_S - 1) == lost


async def test_a_token_that_was_changed_long_ago_ends_the_session(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever brings it, the thief or the owner: both have to log in, and only one of them can."""
    stolen = await begun(sessions)
    last = await rotated(sessions, stolen, NOW_S + 300)

    assert await sessions.rotate(stolen, NOW_S + 300 + GRACE_S) is None
    assert await sessions.rotate(last, NOW_S + 300 + GRACE_S) is None
    assert await sessions.of_account(ADA, NOW_S + 300 + GRACE_S) == []
    assert "spent refresh token of account 1" in caplog.text


async def test_the_last_token_but_two_ends_the_session_at_any_time(sessions: Sessions) -> None:
    token = await begun(sessions)
    successor = await rotated(sessions, token, NOW_S)
    await rotated(sessions, successor, NOW_S)
    assert await sessions.rotate(token, NOW_S) is None
    assert await sessions.of_account(ADA, NOW_S) == []


async def test_a_stolen_session_costs_the_others_nothing(sessions: Sessions) -> None:
    stolen, other = await begun(sessions), await begun(sessions)
    await rotated(sessions, stolen, NOW_S)
    await sessions.rotate(stolen, NOW_S + GRACE_S)
    assert await sessions.rotate(other, NOW_S + GRACE_S)


async def test_a_session_ends_after_thirty_days_however_much_it_is_used(sessions: Sessions) -> None:
    token = await begun(sessions)
    for day in range(1, 30):
        token = await rotated(sessions, token, NOW_S + day * DAY_S)
    token = await rotated(sessions, token, NOW_S + LIFE_S - 1)
    assert await sessions.rotate(token, NOW_S + LIFE_S) is None


async def test_a_session_that_is_not_used_for_two_weeks_ends(sessions: Sessions) -> None:
    used, unused = await begun(sessions), await begun(sessions)
    assert await sessions.rotate(used, NOW_S + IDLE_S - 1)
    assert await sessions.rotate(unused, NOW_S + IDLE_S) is None


async def test_redis_forgets_a_session_by_itself(sessions: Sessions, redis_server: PrivateRedis) -> None:
    token = await begun(sessions)
    lives_s = [redis_server.client.ttl(key) for key in redis_server.client.scan_iter()]
    assert sorted(round(life_s / DAY_S) for life_s in lives_s) == [IDLE_S // DAY_S, LIFE_S // DAY_S]

    for used_s in (IDLE_S - 1, 2 * IDLE_S - 2, LIFE_S - 60):
        token = await rotated(sessions, token, NOW_S + used_s)
    assert redis_server.client.ttl(f"booking:session:{token.family}") <= 60


async def test_logging_out_ends_one_session_of_its_owner(sessions: Sessions) -> None:
    here, there = await begun(sessions), await begun(sessions)
    await sessions.end(GRACE, there.family)
    await sessions.end(ADA, here.family)
    assert await sessions.rotate(here, NOW_S) is None
    assert await sessions.rotate(there, NOW_S)


async def test_logging_out_everywhere_ends_all_sessions_of_one_account(sessions: Sessions) -> None:
    hers, his = [await begun(sessions) for _ in range(3)], await begun(sessions, GRACE)
    await sessions.end_all(ADA)
    assert [await sessions.rotate(token, NOW_S) for token in hers] == [None] * 3
    assert await sessions.rotate(his, NOW_S)


async def test_the_others_can_be_ended_and_this_one_kept(sessions: Sessions) -> None:
    here, there = await begun(sessions), await begun(sessions)
    await sessions.end_all(ADA, but=here.family)
    assert await sessions.rotate(there, NOW_S) is None
    assert await sessions.rotate(here, NOW_S)


async def test_a_session_that_was_ended_cannot_be_renewed_at_the_same_moment(sessions: Sessions) -> None:
    """Whichever comes first: the session is over afterwards."""
    for _ in range(20):
        token = await begun(sessions)
        successor, _ = await asyncio.gather(sessions.rotate(token, NOW_S), sessions.end_all(ADA))
        assert await sessions.rotate(successor or token, NOW_S) is None
        assert await sessions.of_account(ADA, NOW_S) == []


async def test_an_account_sees_where_it_is_logged_in(sessions: Sessions) -> None:
    old = await begun(sessions, browser="Firefox, Linux")
    await begun(sessions, browser="Safari, iPhone", now_s=NOW_S + 60)
    await begun(sessions, GRACE, "Edge, Windows")
    await rotated(sessions, old, NOW_S + 300)

    shown = await sessions.of_account(ADA, NOW_S + 300)
    assert [(each.browser, each.begun_s, each.used_s) for each in shown] == [
        ("Firefox, Linux", NOW_S, NOW_S + 300),
        ("Safari, iPhone", NOW_S + 60, NOW_S + 60),
    ]


async def test_sessions_that_are_over_are_not_shown(sessions: Sessions) -> None:
    await begun(sessions)
    assert await sessions.of_account(ADA, NOW_S + IDLE_S) == []


async def test_logging_in_again_and_again_leaves_no_heap_of_sessions(
    sessions: Sessions, redis_server: PrivateRedis
) -> None:
    first, *_ = [await begun(sessions, now_s=NOW_S + i) for i in range(MOST + 1)]
    assert len(await sessions.of_account(ADA, NOW_S + MOST)) == MOST
    assert await sessions.rotate(first, NOW_S + MOST) is None
    assert redis_server.client.dbsize() == MOST + 1


async def test_a_redis_that_lost_its_last_writes_ends_nobodys_session(
    sessions: Sessions, redis_server: PrivateRedis
) -> None:
    """A replica may be promoted that has not heard of the newest token yet."""
    first = await begun(sessions)
    newest = await rotated(sessions, first, NOW_S + 300)
    redis_server.client.hset(f"booking:session:{first.family}", "counter", "1")

    assert await sessions.rotate(newest, NOW_S + 600) == RefreshToken(ADA, first.family, 3)
    assert await sessions.rotate(newest, NOW_S + 600 + GRACE_S) is None, "and it is spent as any other"


async def test_a_restart_of_redis_ends_no_session(tmp_path: Path) -> None:
    """Not even a crash: what was answered is in its file."""
    server = PrivateRedis(tmp_path, appendonly="yes")
    server.start()
    async with Store(server.url, PATIENCE_S) as store:
        sessions = Sessions(store)
        token = await rotated(sessions, await begun(sessions), NOW_S)
        server.kill()
        server.start()
        assert await sessions.rotate(token, NOW_S)
        assert await sessions.of_account(ADA, NOW_S)
    server.close()
