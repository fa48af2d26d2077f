"""A line on a real Redis whose clock the test holds: the transitions as plain calls.

A line counts from the clock when it begins. Here numbers are told from `FIRST` on, so that the first that is given by a
line that begins at `START_MS` reads as 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.servers import PrivateRedis
from waitroom.limits import Limits
from waitroom.snapshot import Snapshot
from waitroom.standing import Standing, from_reply
from waitroom.store import TRANSITIONS, script
from waitroom.store_keys import line_keys

START_MS = 1_800_000_000_000
NUMBERS_PER_MS = 1_000
FIRST = START_MS * NUMBERS_PER_MS
MOST_UNKNOWN = 1 << 20
LIMITS = Limits(
    version=1,
    edited_ms=0,
    mode="auto",
    rate_per_minute=6000,
    burst=100,
    cap=10,
    claim_ms=60_000,
    presence_ms=60_000,
    session_ms=600_000,
)
KINDS = ("number", "called", "arrival", "none yet", "number", "arrival")


@dataclass(frozen=True)
class Mutation:
    """A bug for a test to find: `right` stands in the transitions once or more, and is replaced by `wrong`."""

    right: str
    wrong: str

    def into(self, source: str) -> str:
        return source.replace(self.right, self.wrong)


@dataclass(frozen=True)
class Given:
    """What a joiner was given: "number", "called", "arrival" or "none yet", and which; `old` if it was theirs
    already."""

    kind: str
    place: int
    old: bool = False


class LineBench:
    """Drives one line; `now_ms` is the time that every transition is told, and only `pass_ms` moves it.

    `known` is what the process that acts knew last: epoch, tail, head.
    """

    def __init__(self, redis: PrivateRedis, mutation: Mutation | None = None, **limits: Any) -> None:
        self.limits = replace(LIMITS, **limits)
        self.now_ms = START_MS
        self.known = (0, 0, 0)
        self.known_arrivals: tuple[int, str] = (0, "")
        self.is_new = True  # whether that process is sure that there was never such a line
        self.joined = (0, 0)  # what the last join told of the line: its epoch, and when the leases of the called end
        self._redis = redis
        sources = {name: mutation.into(script(name)) if mutation else script(name) for name in TRANSITIONS}
        self._scripts = {name: redis.client.register_script(source) for name, source in sources.items()}

    def set(self, **limits: Any) -> None:
        """Brings a new version of the limits."""
        self.limits = replace(self.limits, version=self.limits.version + 1, **limits)

    def pass_ms(self, ms: int) -> None:
        self.now_ms += ms

    def join(self, n: int = 1) -> tuple[list[int], list[int]]:
        """Gives the numbers joined, and which of them were called at once."""
        given = self.join_as(*[""] * n)
        return [one.place for one in given], [one.place for one in given if one.kind == "called"]

    def join_as(self, *identities: str) -> list[Given]:
        """Lets persons join, "" for one who is not known."""
        people = identities if any(identities) else ()
        reply = self._run("join", self.now_ms, len(identities), *self._own(), *people)
        self.joined = reply[0], reply[1]
        pairs = zip(reply[2::2], reply[3::2], strict=True)
        kinds = [(KINDS[kind], place, kind > 3) for kind, place in pairs]
        return [
            Given(kind, place - FIRST if kind in ("number", "called") else place, old) for kind, place, old in kinds
        ]

    def waiting(self, n: int) -> list[int]:
        """Lets n visitors join and poll, so that they wait."""
        numbers, called = self.join(n)
        self.poll(*numbers[len(called) :])
        return numbers

    def poll(self, *numbers: int) -> list[Standing]:
        return from_reply(self._run("poll", self.now_ms, *_real(numbers)))

    def claim(self, *numbers: int) -> list[Standing]:
        return from_reply(self._run("claim", self.now_ms, *_real(numbers)))

    def extend(self, *numbers: int) -> list[Standing]:
        return from_reply(self._run("extend", self.now_ms, *_real(numbers)))

    def release(self, *numbers: int) -> int:
        released: int = self._run("release", *_real(numbers))
        return released

    def revoke(self, *numbers: int, until_ms: int = START_MS + 86_400_000) -> int:
        revoked: int = self._run("revoke", until_ms, *_real(numbers))
        return revoked

    def restore(self, *leases: tuple[int, int]) -> list[int]:
        """Gives the lease that each number has then, 0 for none."""
        pairs = [value for number, end in leases for value in (number + FIRST, end)]
        ends: list[int] = self._run("restore", self.now_ms, *pairs)
        return ends

    def remind(self, here_from: int, here: bytes) -> None:
        """Brings back who was present, as a process saw it last."""
        self._run("remind", here_from + FIRST, here)

    def reset(self, epoch: int) -> int:
        """Gives the epoch that the line has then."""
        answer: int = self._run("reset", self.now_ms, epoch)
        return answer

    def advance(self, tick_ms: int = 0) -> Snapshot:
        seen = Snapshot.from_reply(self._run("advance", self.now_ms, tick_ms, *self._own()))
        return replace(
            seen,
            tail=seen.tail - FIRST,
            head=seen.head - FIRST,
            here_from=seen.here_from - FIRST,
            newly_ended=tuple((number - FIRST, until_ms) for number, until_ms in seen.newly_ended),
        )

    def inside(self) -> list[int]:
        """The numbers inside, as Redis has them."""
        return self.stored()[0]

    def stored(self) -> tuple[list[int], list[int], int]:
        """Who is inside, of whom it knows when they were seen late, and what the bucket holds, as Redis has them."""
        pipeline = self._redis.client.pipeline(transaction=False)
        pipeline.hget("wr:{test}:state", "bucket")
        for part in ("inside", "back"):
            pipeline.zrange(f"wr:{{test}}:{part}", 0, -1)
        bucket, *zsets = pipeline.execute()
        inside, back = (sorted(int(member) - FIRST for member in members) for members in zsets)
        return inside, back, int(bucket or 0)

    def _own(self) -> tuple[int | str, ...]:
        epoch, tail, head = self.known
        known = (tail + FIRST, head + FIRST) if tail else (0, 0)
        return *self.limits.to_arguments(), epoch, *known, *self.known_arrivals, int(self.is_new)

    def _run(self, transition: str, *arguments: int | str | bytes) -> Any:
        return self._scripts[transition](keys=line_keys("test"), args=arguments)


def _real(numbers: Sequence[int]) -> list[int]:
    return [number + FIRST for number in numbers]
