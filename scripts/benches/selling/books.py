"""What is written down of a sale, each by who saw it: the visitors, the line in Redis, and the origin.

A folder holds one sale: `terms.json`, `visitors.jsonl`, `line.jsonl`, `origin.jsonl`, and the origin's database. All
times are of the machine's clock, in milliseconds since 1970: everything runs on one machine.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

TERMS, VISITORS, LINE, ORIGIN, DATABASE = "terms.json", "visitors.jsonl", "line.jsonl", "origin.jsonl", "booking.db"

# What became of a visitor by its own word: it has its ticket; was let in, and the sale ended before it had one; was
# still in line; went away, for there was nothing to be had; was told something that it should not have been told; got
# no answer at all.
Fate = Literal["ticket", "inside", "waiting", "gone", "astray", "unanswered"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What was to be kept. `jwks` is the key set by which admissions are judged."""

    visitors: int
    rate_per_minute: int
    burst: int
    cap: int
    claim_s: int
    session_s: int
    presence_s: int
    audience: str
    issuer: str
    jwks: Mapping[str, Any]


@dataclass(slots=True)
class Visitor:
    """What one visitor saw; a time is 0 where it never came to that.

    It was to come at `due_ms`, and had its first answer at `page_ms`. `numbers` are all that its ticket ever had. It
    asked for its place from `present_ms` (when that was first answered) to `asked_ms`, `polls` times and never more
    than `gap_ms` apart. It saw that it was called at `called_ms`: the last time, if it was `sent_back` to the waiting
    page so often when it went in. The origin answered it from `admitted_ms` to `served_ms`, `answers` times; at
    `ended_ms` it sent the request that gave its place back. `booking` is what it held, and `seats`, as FLIGHT:LABEL,
    what it has tickets for. `told` is why it is astray.
    """

    who: int
    due_ms: int
    page_ms: int = 0
    numbers: list[int] = field(default_factory=list)
    present_ms: int = 0
    asked_ms: int = 0
    polls: int = 0
    gap_ms: int = 0
    called_ms: int = 0
    sent_back: int = 0
    admitted_ms: int = 0
    served_ms: int = 0
    ended_ms: int = 0
    answers: int = 0
    booking: str = ""
    seats: list[str] = field(default_factory=list)
    fate: Fate = "unanswered"
    told: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """The line at a moment, as it stands in Redis. `called` counts all calls until then; `inside` has each number that
    holds a place, with the end of its lease (ms)."""

    at_ms: int
    tail: int
    head: int
    called: int
    inside: Mapping[int, int]

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Sample":
        return cls(**{**told, "inside": {int(number): lease_ms for number, lease_ms in told["inside"].items()}})


@dataclass(frozen=True, slots=True)
class Present:
    """Who stood in the line when the sale had ended: the bitmap `here`, in hex, which begins with the number `base` and
    counts behind `head`; and those who are late."""

    base: int
    head: int
    here: str
    late: list[int]

    def numbers(self) -> set[int]:
        """All of them."""
        bits = (
            self.base + place * 8 + bit
            for place, byte in enumerate(bytes.fromhex(self.here))
            if byte
            for bit in range(8)
            if byte & 0x80 >> bit
        )
        return {number for number in bits if number > self.head} | set(self.late)


@dataclass(frozen=True, slots=True)
class Reached:
    """A request that reached the origin, and what it was answered. `admission` is the token that it carried."""

    at_ms: int
    method: str
    path: str
    status: int
    admission: str


@dataclass(frozen=True, slots=True)
class Books:
    """All that was written down of one sale, but the database."""

    terms: Terms
    visitors: list[Visitor]
    line: list[Sample]
    present: Present
    origin: list[Reached]

    @classmethod
    def read(cls, folder: Path) -> "Books":
        *samples, present = _read_lines(folder / LINE)
        return cls(
            terms=Terms(**json.loads((folder / TERMS).read_text())),
            visitors=[Visitor(**told) for told in _read_lines(folder / VISITORS)],
            line=[Sample.from_json(told) for told in samples],
            present=Present(**present),
            origin=[Reached(**told) for told in _read_lines(folder / ORIGIN)],
        )

    def write(self, folder: Path) -> None:
        """As `read` reads it."""
        (folder / TERMS).write_text(as_line(self.terms))
        write_lines(folder / VISITORS, self.visitors)
        write_lines(folder / LINE, [*self.line, self.present])
        write_lines(folder / ORIGIN, self.origin)


Entry: TypeAlias = Terms | Visitor | Sample | Present | Reached


def as_line(entry: Entry) -> str:
    return json.dumps(asdict(entry)) + "\n"


def write_lines(path: Path, entries: Iterable[Entry]) -> None:
    with path.open("w") as file:
        file.writelines(map(as_line, entries))


def _read_lines(path: Path) -> list[Any]:
    with path.open() as file:
        return [json.loads(line) for line in file]
