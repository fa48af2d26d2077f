"""The auditor of a sale: compares the books, and names whatever breaks a promise. It asks no running part, and believes
none more than the others: who was inside is said by Redis, by the tokens that reached the origin, and by the visitors.

docs/line.md has the invariants. What is proved here is what the books can show: a breach that begins and ends between
two samples of the line, a tenth of a second, is not seen in them.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import jwt

from booking.admission import LEEWAY_S
from booking.invariants import INVARIANTS
from scripts.benches.selling.books import DATABASE, Books, Reached, Visitor

# A poll goes to Redis with the next tick of its process, which may be late on a busy machine: from then on its visitor
# is present for certain.
TICKS_MS = 3_000
# What was asked for within this time after the last sample of a lease may have been judged before it ended.
UNDER_WAY_MS = 1_000


@dataclass(frozen=True, slots=True)
class Call:
    """When a number was called: after `before_ms`, at `by_ms` at the latest; these are samples `index - 1` and `index`
    of the line. `lease_ms` is the last end that its lease ever had, `until_ms` when it was last seen inside."""

    number: int
    index: int
    before_ms: int
    by_ms: int
    lease_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Admission:
    """What the token of a request says."""

    number: int
    issued_s: int
    expires_s: int


class Auditor:
    """Goes through the books of one sale; each check gives the breaches that it finds, as sentences."""

    def __init__(self, books: Books, database: Path) -> None:
        self._books = books
        self._terms = books.terms
        self._database = database

    def check(self) -> dict[str, list[str]]:
        """All promises, each with its breaches."""
        checks: dict[str, Callable[[], Iterator[str]]] = {
            "I1: never more inside than the cap, and no admission outlives its lease": self._inside,
            "I2: no more calls than the burst and the rate allow, in any interval": self._rate,
            "I3: of two present throughout, the lower number is called first": self._overtaken,
            "I4: a number is given once, and never changes": self._numbers,
            "I6: no request reached the origin without a valid admission": self._unadmitted,
            "nobody is lost: each has a ticket, is inside, or keeps the place": self._lost,
            "no seat is sold twice, and booking's records hold": self._records,
            "each ticket has its visitor, and each visitor the tickets it was told of": self._tickets,
        }
        return {promise: list(check()) for promise, check in checks.items()}

    @cached_property
    def calls(self) -> dict[int, Call]:
        """By number, as the line shows them."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        leases: dict[int, int] = {}
        for index, sample in enumerate(self._books.line):
            for number, lease_ms in sample.inside.items():
                first.setdefault(number, index)
                last[number] = index
                leases[number] = max(lease_ms, leases.get(number, 0))
        line = self._books.line
        return {
            number: Call(
                number, index, line[index - 1].at_ms if index else 0, line[index].at_ms, leases[number],
                line[last[number]].at_ms,
            )
            for number, index in first.items()
        }  # fmt: skip

    def _inside(self) -> Iterator[str]:
        cap = self._terms.cap
        for sample in self._books.line:
            if len(sample.inside) > cap:
                yield f"at {sample.at_ms} the line had {len(sample.inside)} inside, of {cap}"
        for at_ms, inside in most_at_once(map(self._certainly_inside, self._books.visitors)):
            if inside > cap:
                yield f"at {at_ms} {inside} visitors were inside, of {cap}, by their own word"
        for reached, admission in self._admissions:
            call = self.calls.get(admission.number)
            if call and admission.expires_s * 1000 > call.lease_ms:
                yield f"{reached.path}: the admission of {admission.number} ends after its lease, {admission.expires_s}"

    def _certainly_inside(self, visitor: Visitor) -> tuple[int, int]:
        """From when to when: whatever came later than the visitor saw, or earlier, is not counted."""
        if not visitor.admitted_ms:
            return 0, 0
        return visitor.called_ms, visitor.ended_ms or visitor.served_ms

    def _rate(self) -> Iterator[str]:
        """By the line's own counter, and by the numbers that came in."""
        line, terms = self._books.line, self._terms
        counted = [(sample.at_ms, sample.called) for sample in line]
        came = Counter(call.index for call in self.calls.values())
        seen, total = [], 0
        for index, sample in enumerate(line):
            total += came[index]
            seen.append((sample.at_ms, total))
            if total > sample.called:
                yield f"at {sample.at_ms} {total} numbers had been inside, of {sample.called} that were called"
        for source, counts in (("the line's counter", counted), ("the numbers inside", seen)):
            for start_ms, end_ms, calls in too_many(counts, terms.rate_per_minute, terms.burst):
                yield f"by {source} {calls} were called from {start_ms} to {end_ms}"

    def _overtaken(self) -> Iterator[str]:
        """Each visitor who was present, against the highest number called while it was not."""
        line = self._books.line
        highest = Highest([0] * len(line))
        for called in self.calls.values():
            highest.values[called.index] = max(highest.values[called.index], called.number)
        highest.build()
        before_ms = [0] + [sample.at_ms for sample in line[:-1]]
        by_ms = [sample.at_ms for sample in line]
        for visitor in self._books.visitors:
            if not visitor.numbers or not visitor.polls or visitor.gap_ms >= self._terms.presence_s * 1000:
                continue
            number = visitor.numbers[-1]
            until_ms = visitor.asked_ms + self._terms.presence_s * 1000
            if visitor.ended_ms:
                until_ms = min(until_ms, visitor.ended_ms)
            if call := self.calls.get(number):
                until_ms = min(until_ms, call.before_ms)
            first = bisect_left(before_ms, visitor.present_ms + TICKS_MS)
            last = bisect_right(by_ms, until_ms)
            if (overtaker := highest.between(first, last)) > number:
                yield f"visitor {visitor.who}, {number}, was present, and {overtaker} was called before"

    def _numbers(self) -> Iterator[str]:
        owners: defaultdict[int, list[int]] = defaultdict(list)
        for visitor in self._books.visitors:
            if len(visitor.numbers) > 1:
                yield f"the number of visitor {visitor.who} changed: {visitor.numbers}"
            for number in visitor.numbers:
                owners[number].append(visitor.who)
        for number, whose in owners.items():
            if len(whose) > 1:
                yield f"{number} was given to visitors {whose}"
        for number in self.calls.keys() - owners.keys():
            yield f"{number} was called, and is nobody's"

    @cached_property
    def _judged(self) -> list[tuple[Reached, Admission | str]]:
        """Each request that the origin carried out, and its admission, or what is wrong with it."""
        verifier = Verifier(self._terms.jwks, self._terms.audience, self._terms.issuer)
        return [(reached, verifier.judge(reached)) for reached in self._books.origin]

    @property
    def _admissions(self) -> Iterable[tuple[Reached, Admission]]:
        return ((reached, judged) for reached, judged in self._judged if isinstance(judged, Admission))

    def _unadmitted(self) -> Iterator[str]:
        holders = {number for visitor in self._books.visitors for number in visitor.numbers}
        answers: Counter[int] = Counter()
        for reached, judged in self._judged:
            if isinstance(judged, str):
                yield f"{reached.method} {reached.path} at {reached.at_ms}: {judged}"
                continue
            answers[judged.number] += 1
            call = self.calls.get(judged.number)
            if judged.number not in holders:
                yield f"{reached.path} at {reached.at_ms}: {judged.number} is no visitor's"
            if call is None:
                yield f"{reached.path} at {reached.at_ms}: {judged.number} never held a place"
            elif not call.before_ms <= reached.at_ms <= call.until_ms + UNDER_WAY_MS:
                yield f"{reached.path} at {reached.at_ms}: {judged.number} held no place then"
        for visitor in self._books.visitors:
            if visitor.answers > sum(answers[number] for number in visitor.numbers):
                yield f"visitor {visitor.who} had {visitor.answers} answers of the origin, which knows of fewer"

    def _lost(self) -> Iterator[str]:
        present = self._books.present.numbers()
        inside = self._books.line[-1].inside if self._books.line else {}
        if len(self._books.visitors) != self._terms.visitors:
            yield f"{self._terms.visitors} were to come, and {len(self._books.visitors)} did"
        for visitor in self._books.visitors:
            number = visitor.numbers[-1] if visitor.numbers else 0
            match visitor.fate:
                case "unanswered" | "astray" as fate:
                    yield f"visitor {visitor.who} is {fate}: {visitor.told or 'it was never answered'}"
                case "waiting" if number not in present and number not in inside:
                    yield f"visitor {visitor.who} waits, and the line does not know {number}"
                case "inside" if number not in inside and not visitor.ended_ms:
                    yield f"visitor {visitor.who} was inside, and the line does not know {number}"
                case "ticket" if not visitor.seats:
                    yield f"visitor {visitor.who} has a ticket for no seat"

    def _records(self) -> Iterator[str]:
        for name, query in {**INVARIANTS, "one ticket per seat": TICKETS_PER_SEAT}.items():
            for row in self._rows(query):
                yield f"{name}: {row}"

    def _tickets(self) -> Iterator[str]:
        """What booking sold is what visitors have, or would have been told of next."""
        sold: defaultdict[str, set[str]] = defaultdict(set)
        for reference, flight, seat in self._rows(TICKETS):
            sold[reference].add(f"{flight}:{seat}")
        holders: defaultdict[str, list[int]] = defaultdict(list)
        for visitor in self._books.visitors:
            if visitor.booking:
                holders[visitor.booking].append(visitor.who)
            if visitor.fate == "ticket" and set(visitor.seats) != sold.get(visitor.booking, set()):
                yield f"visitor {visitor.who} was told of {visitor.seats}, and booking sold {sold[visitor.booking]}"
        for reference in sold:
            if len(holders[reference]) != 1:
                yield f"the tickets of {reference} are those of visitors {holders[reference]}"

    def _rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self._database)) as connection:
            return connection.execute(query).fetchall()


TICKETS = """
    SELECT b.reference, b.flight_id, p.seat FROM bookings b JOIN passengers p ON p.booking_id = b.id
    WHERE b.state = 'ticketed'"""
TICKETS_PER_SEAT = """
    SELECT b.flight_id, p.seat, COUNT(*) FROM bookings b JOIN passengers p ON p.booking_id = b.id
    WHERE b.state = 'ticketed' GROUP BY b.flight_id, p.seat HAVING COUNT(*) > 1"""


class Verifier:
    """Judges admissions as docs/admission-token.md has it, at the time when they were used."""

    def __init__(self, jwks: Mapping[str, Any], audience: str, issuer: str) -> None:
        self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(dict(jwks)).keys}
        self._audience, self._issuer = audience, issuer
        self._known: dict[str, Admission | str] = {}

    def judge(self, reached: Reached) -> Admission | str:
        """The admission, or what is wrong with it."""
        if reached.admission not in self._known:
            self._known[reached.admission] = self._read(reached.admission)
        known = self._known[reached.admission]
        if isinstance(known, str):
            return known
        if not known.issued_s - LEEWAY_S <= reached.at_ms / 1000 < known.expires_s + LEEWAY_S:
            return f"its admission was good from {known.issued_s} to {known.expires_s}"
        return known

    def _read(self, token: str) -> Admission | str:
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            times = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
            claims = jwt.decode(
                token, key, ["EdDSA"], audience=self._audience, issuer=self._issuer, options=times  # type: ignore[arg-type]
            )  # fmt: skip
        except (jwt.InvalidTokenError, KeyError) as exc:
            return f"its admission is none: {exc!r}"
        return Admission(claims["num"], claims["iat"], claims["exp"])


class Highest:
    """The highest of some values between two indices, in constant time: a sparse table."""

    def __init__(self, values: list[int]) -> None:
        self.values = values
        self._rows: list[list[int]] = []

    def build(self) -> None:
        self._rows = [self.values]
        width = 1
        while width * 2 <= len(self.values):
            row = self._rows[-1]
            self._rows.append([max(row[i], row[i + width]) for i in range(len(row) - width)])
            width *= 2

    def between(self, start: int, end: int) -> int:
        """Of those from `start` to before `end`; 0 where there is none."""
        if end <= start:
            return 0
        power = (end - start).bit_length() - 1
        row = self._rows[power]
        return max(row[start], row[end - (1 << power)])


def most_at_once(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Each moment at which a span begins, and how many there are then, those that end then not counted."""
    steps: list[tuple[int, int]] = []
    for start, end in spans:
        if start < end:
            steps += [(start, 1), (end, -1)]
    count = 0
    for moment, step in sorted(steps):
        count += step
        if step > 0:
            yield moment, count


def too_many(counts: Sequence[tuple[int, int]], rate_per_minute: int, burst: int) -> Iterator[tuple[int, int, int]]:
    """Where a counter (moment in ms, count), from any moment to any later one, rose by more than the burst and the rate
    allow: from when to when, and by how much. In units of 1/60000 of a call, so that nothing is rounded."""
    least = None
    for (start_ms, start), (end_ms, end) in pairwise(counts):
        spare = start * 60_000 - rate_per_minute * start_ms
        if least is None or spare < least[0]:
            least = spare, start_ms, start
        if end * 60_000 - rate_per_minute * end_ms - least[0] > burst * 60_000:
            yield least[1], end_ms, end - least[2]


def audited(folder: Path) -> dict[str, list[str]]:
    """The promises and their breaches, of the sale whose books are in that folder."""
    return Auditor(Books.read(folder), folder / DATABASE).check()
