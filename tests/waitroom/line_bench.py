"""A line on a real Redis whose clock the test holds: the transitions as plain calls.

A line counts from the clock when it begins. Here numbers are told from `FIRST` on, so that the first that is given by a
line that begins at `START_MS` reads as 1.
"""

from collections.abc import Iterator, Sequence
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
        kinds = [(KINDS[kind], place, kind > 3) for kind, place in self._places(reply[2:])]
        return [
            Given(kind, place - FIRST if kind in ("number", "called") else place, old) for kind, place, old in kinds
        ]

    def _places(self, reply: list[int]) -> Iterator[tuple[int, int]]:
        """The kind and the place of each who joined."""
        for kind, first, count in zip(reply[::3], reply[1::3], reply[2::3], strict=True):
            yield from ((kind, first + after) for after in range(count))

    def waiting(self, n: int) -> list[int]:
        """Lets n visitors join and poll, so that they wait."""
        numbers, called = self.join(n)
        self.poll(*numbers[len(called) :])
        return numbers

    def poll(self, *numbers: int) -> list[Standing]:
        return from_reply(self._run("poll", self.now_ms, *_real(numbers)))

    def claim(self, *numbers: int) -> list[Standing]:
        return self.claim_as(*[(number, None) for number in numbers])

    def claim_as(self, *holders: tuple[int, int | None]) -> list[Standing]:
        """The same, with how often the place of each ticket was moved; None for who is known to be inside."""
        pairs = [value for number, moves in holders for value in (number + FIRST, "" if moves is None else moves)]
        return from_reply(self._run("claim", self.now_ms, *pairs))

    def receipt(self, number: int, code: str, moves: int = 0, valid_ms: int = 600_000) -> tuple[str, int]:
        """Gives what became of it, and until when it is good, or when to try again."""
        told = f"told of {number}"
        kind, at_ms = self._run("receipt", self.now_ms, number + FIRST, moves, code, valid_ms, told)
        return ("made", "too often", "no place", "full")[kind], at_ms

    def move(self, code: str, who: str = "", own: int | None = None) -> tuple[str, int, str]:
        """Gives what became of it, how often the place was moved or when to try again, and what the receipt told."""
        own_number = "" if own is None else own + FIRST
        kind, value, told = self._run("move", self.now_ms, code, who, own_number)
        return ("moved", "locked", "wrong", "used up")[kind], value, told.decode()

    def tell_moves(self, moves: dict[int, int]) -> None:
        """Gives back what a process, or a ticket, knows of moves."""
        if moves:
            self._run("moved", *[value for number, often in moves.items() for value in (number + FIRST, often)])

    def moves(self) -> dict[int, int]:
        """How often each place was moved, as Redis has it."""
        reply = self._run("moved")
        return {number - FIRST: moves for number, moves in zip(reply[::2], reply[1::2], strict=True)}

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

    def empty(self) -> None:
        """Redis forgets everything."""
        self._redis.client.flushall()

    def sizes(self, hash_part: str, zset_part: str) -> tuple[int, int]:
        """How much there is in a hash, and in a zset."""
        pipeline = self._redis.client.pipeline(transaction=False)
        pipeline.hlen(_key(hash_part))
        pipeline.zcard(_key(zset_part))
        first, second = pipeline.execute()
        return first, second

    def ttl_ms(self, part: str) -> int:
        """For how long Redis keeps a key."""
        left_ms: int = self._redis.client.pttl(_key(part))
        return left_ms

    def fill(self, zset_part: str, n: int) -> None:
        """Puts members into a zset that are over tomorrow."""
        self._redis.client.zadd(_key(zset_part), {f"m{i}": self.now_ms + 86_400_000 for i in range(n)})

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

    def _own(self) -> tuple[int | str | bytes, ...]:
        epoch, tail, head = self.known
        known = (tail + FIRST, head + FIRST) if tail else (0, 0)
        return *self.limits.to_arguments(), epoch, *known, *self.known_arrivals, int(self.is_new)

    def _run(self, transition: str, *arguments: int | str | bytes) -> Any:
        return self._scripts[transition](keys=line_keys("test"), args=arguments)


def _key(part: str) -> str:
    return f"wr:{{test}}:{part}"


def _real(numbers: Sequence[int]) -> list[int]:
    return [number + FIRST for number in numbers]
