"""Seeded bugs: the stories that hold the transitions against the model must find each of them.

The stories have a seed, and nothing is remembered between runs. Yet they are not the same in every suite: Hypothesis
likes numbers that it finds in the modules that are loaded. Most of these bugs are found by the first few stories, some
by one in fifty: so there are many times as many, and the first that finds the bug is the last that is told. What is
found less often has a test of its own in test_line_transitions.py.
"""

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import Mutation
from tests.waitroom.line_machine import machine
from waitroom.store import TRANSITIONS, script

STORIES = settings(
    max_examples=1_000,
    stateful_step_count=100,
    phases=[Phase.generate],
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
MUTATIONS = {
    "one more than the cap is called": Mutation("line.cap - redis", "line.cap + 1 - redis"),
    "the bucket holds more than the burst": Mutation(
        "line.bucket = math.min(line.burst * CALL, line.bucket + line.rate * elapsed)",
        "line.bucket = line.bucket + line.rate * elapsed",
    ),
    "however many are called, the bucket pays for one": Mutation("- #numbers * CALL", "- CALL"),
    "a new rate reaches back": Mutation(
        "refill(line, now) -- before new limits: the time that has passed was under the old ones\n"
        "  adopt(line, limits, now)",
        "adopt(line, limits, now) refill(line, now)",
    ),
    "lower limits leave the bucket as full as it was": Mutation(
        "line.bucket = math.min(line.bucket, line.burst * CALL)", ""
    ),
    "of one version the earlier edit wins": Mutation(
        "return limits.edited_ms > line.edited_ms", "return limits.edited_ms < line.edited_ms"
    ),
    "the bit of the called stays set": Mutation(
        "redis.call('SETBIT', HERE, number - line.base, 0)\n    line.head", "line.head"
    ),
    "the search for the next begins a byte too far": Mutation(
        "BITPOS', HERE, 1, byte_of(line, line.head + 1)", "BITPOS', HERE, 1, 1 + byte_of(line, line.head + 1)"
    ),
    "the turn of the window loses a byte": Mutation("(next_base - line.base) / 8", "(next_base - line.base) / 8 + 1"),
    "the turn of the window leaves base where it was": Mutation(
        "line.base, line.window_ms = next_base, now", "line.window_ms = now"
    ),
    "the bit of head is not trimmed": Mutation("line.head - line.base do", "line.head - line.base - 1 do"),
    "a poll does not count for the next window": Mutation("redis.call('SETBIT', SEEN, number - line.base, 1)", ""),
    "the presence window never turns": Mutation(
        "if now - line.window_ms < line.presence_ms then return end", "if true then return end"
    ),
    "the presence window turns a millisecond late": Mutation(
        "now - line.window_ms < line.presence_ms", "now - line.window_ms <= line.presence_ms"
    ),
    "of the late, the last comes first": Mutation("ZPOPMIN", "ZPOPMAX"),
    "the late are not served first": Mutation("redis.call('ZPOPMIN', LATE, room)", "{}"),
    "the late who went away hold up the line": Mutation("if #gone == 0 then return end", "if true then return end"),
    "who left comes back late": Mutation("  else\n    spend(number)\n", "  else\n"),
    "an ended lease can be renewed": Mutation("if lease > now then return", "if lease > 0 then return"),
    "ended leases keep their places": Mutation("redis.call('ZREM', INSIDE, unpack(over))", ""),
    "a claim shortens a lease": Mutation(
        "lease = math.max(lease, now + line.session_ms)", "lease = now + line.session_ms"
    ),
    "who waits may claim": Mutation("if kind == CALLED or", "if kind == CALLED or kind == WAITING or"),
    "a claim window is extended however often": Mutation("lease - 0.5", "lease"),
    "a claimed lease is extended": Mutation("return (spent or is_extended) and", "return is_extended and"),
    "an extension counts from now": Mutation("lease = lease + line.claim_ms", "lease = now + line.claim_ms"),
    "an extended lease ends a millisecond early": Mutation("return math.ceil(stored)", "return math.floor(stored)"),
    "one joiner too many is called": Mutation("if #numbers == free then", "if #numbers > free then"),
    "joiners who are called do not move head": Mutation("if #numbers > 0 then pass(line, numbers[#numbers]) end", ""),
    "a ticket ahead does not raise tail": Mutation("line.tail = math.max(line.tail, tail)\n  pass", "pass"),
    "a loss leaves no gap in the numbers": Mutation("known.tail + MOST_UNKNOWN", "known.tail"),
    "calls do not rest after a loss": Mutation(
        "line.calls_from_ms = now + math.max", "line.calls_from_ms = now - math.max"
    ),
    "a lease is restored with its earlier end": Mutation(
        "redis.call('ZADD', INSIDE, math.max(lease, held), number)", "redis.call('ZADD', INSIDE, lease, number)"
    ),
    "the reminded are shifted by a byte": Mutation("bits:sub(skipped + 1)", "bits:sub(skipped + 2)"),
    "a code can be redeemed twice": Mutation("forget_receipt(number)\n-- After", "-- After"),
    "an expired code is good": Mutation("tonumber(redis.call('ZSCORE', EXPIRY, number) or 0) <= now", "false"),
    "the old ticket of a moved place may claim": Mutation(
        "if moves and moves < known then return ELSEWHERE, known end", ""
    ),
    "who is inside can be moved": Mutation("return not is_spent(number) and tonumber", "return tonumber"),
    "who takes a place keeps the own": Mutation("own ~= '' and own ~= number", "false"),
    "an opened draw can be moved": Mutation("local drawn = opened and", "local drawn = false and"),
    "a person with a place is given another": Mutation(
        "if identity ~= '' then kind, place = place_of(identity) end", ""
    ),
    "a reset leaves the waiting where they are": Mutation("HERE, SEEN, LATE, BACK, PEOPLE, MOVED", "MOVED"),
    "another server goes unnoticed": Mutation("if server == line.server then return end", "if true then return end"),
    "spent numbers share a bit": Mutation(
        "return math.floor(bits:byte(math.floor(at / 8) + 1) / 2 ^ (at % 8)) % 2 == 1",
        "return bits:byte(math.floor(at / 8) + 1) > 0",
    ),
}


# Enough to see that it is the bugs that are found.
WITHOUT_A_BUG = settings(STORIES, max_examples=100)


def test_without_a_bug_the_stories_hold(redis: PrivateRedis) -> None:
    run_state_machine_as_test(seed(1)(machine(redis)), settings=WITHOUT_A_BUG)


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_the_stories_find_the_bug(redis: PrivateRedis, mutation: Mutation) -> None:
    """By an answer that is not the model's, or an invariant that is broken: a script that fails does not count."""
    assert any(mutation.right in script(name) for name in TRANSITIONS)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(seed(1)(machine(redis, mutation)), settings=STORIES)
