"""The audit of a sale: what it finds in the books of a small one, true and forged.

The sale is real: waitroom with two workers and a Redis, booking and its bank. It is held once, and each test forges a
copy of its books.
"""

import copy
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree

import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scripts.benches.findings import Finding
from scripts.benches.sale import Sale, found, hold
from scripts.benches.selling.audit import Auditor, Highest, audited, most_at_once, too_many
from scripts.benches.selling.books import DATABASE, Books, Present, Visitor
from scripts.benches.selling.check import main
from scripts.benches.selling.crowd import Plan
from scripts.benches.selling.site import Limits, wish

# Few inside at a time, so that some have tickets when it ends even on a busy machine.
LIMITS = Limits(rate_per_minute=300, burst=6, cap=5)
PLAN = Plan(200, seconds=12, rush=0.2, rush_s=2, connections=16, seed=1, think_s=0.02, search=wish())
WORKERS = 2


@dataclass(frozen=True)
class Held:
    """The sale that was held, and its books."""

    sale: Sale
    folder: Path


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    folder, books = tmp_path_factory.mktemp("sale"), tmp_path_factory.mktemp("books")
    return Held(hold(folder, books, LIMITS, PLAN, WORKERS), books)


@pytest.fixture
def books(held: Held) -> Books:
    """A copy, to be forged."""
    return copy.deepcopy(held.sale.books)


@pytest.fixture
def records(held: Held, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of booking's database, to be forged."""
    own = copytree(held.folder, tmp_path / "books")
    with closing(sqlite3.connect(own / DATABASE)) as connection:
        yield connection


def broken(breaches: Mapping[str, Sequence[str]]) -> set[str]:
    """Which promises are, by the beginnings of their names."""
    return {promise.split(":")[0].split(",")[0] for promise, found in breaches.items() if found}


def one(books: Books, is_it: Callable[[Visitor], bool]) -> Visitor:
    return next(visitor for visitor in books.visitors if is_it(visitor))


def test_a_true_sale_keeps_every_promise(held: Held) -> None:
    sale = held.sale
    assert not broken(sale.breaches), sale.breaches
    fates = {visitor.fate for visitor in sale.books.visitors}
    assert {"ticket", "waiting"} <= fates <= {"ticket", "waiting", "inside"}
    assert sale.books.origin
    assert sale.books.line


def test_what_was_held_is_told(held: Held, tmp_path: Path) -> None:
    finding = found(held.sale, PLAN, LIMITS, WORKERS, 60)
    assert all(target.is_reached for target in finding.targets)
    finding.save(tmp_path)
    assert [table.title for table in Finding.load(tmp_path / "sale.json").tables] == [
        table.title for table in finding.tables
    ]


def test_books_are_read_as_they_were_written(held: Held, books: Books, tmp_path: Path) -> None:
    books.write(tmp_path)
    assert Books.read(tmp_path) == held.sale.books


class TestForged:
    """Each forgery breaks the promise that it is made against; what else it breaks follows from it."""

    @pytest.fixture(autouse=True)
    def _audit(self, held: Held, books: Books) -> None:
        self.books = books
        self._database = held.folder / DATABASE

    def found(self) -> set[str]:
        return broken(Auditor(self.books, self._database).check())

    def add_to_line(self, index: int, numbers: list[int], until: int) -> None:
        """These were inside, too, from one sample to another."""
        for sample in self.books.line[index:until]:
            sample.inside.update(dict.fromkeys(numbers, sample.at_ms + 60_000))  # type: ignore[attr-defined]

    def test_one_more_inside_than_the_cap(self) -> None:
        full = next(index for index, sample in enumerate(self.books.line) if len(sample.inside) == LIMITS.cap)
        waiting = one(self.books, lambda visitor: visitor.fate == "waiting")
        self.add_to_line(full, waiting.numbers, full + 1)
        assert "I1" in self.found()

    def test_more_inside_than_the_cap_by_the_visitors_word(self) -> None:
        for visitor in self.books.visitors[: LIMITS.cap + 1]:
            visitor.called_ms, visitor.admitted_ms, visitor.ended_ms = 1_000, 2_000, 3_000
        assert "I1" in self.found()

    def test_an_admission_that_outlives_its_lease(self) -> None:
        for sample in self.books.line:
            for number in sample.inside:
                sample.inside[number] -= 2_000  # type: ignore[index]
        assert self.found() == {"I1"}

    def test_more_calls_than_the_rate_allows(self) -> None:
        for index, sample in enumerate(self.books.line[-3:]):
            self.books.line[index - 3] = replace(sample, called=sample.called + 100 * (index == 2))
        assert self.found() == {"I2"}

    def test_more_calls_than_the_line_has_counted(self) -> None:
        self.books.line[:] = [replace(sample, called=sample.called // 2) for sample in self.books.line]
        assert self.found() == {"I2"}

    def test_a_visitor_who_was_overtaken(self) -> None:
        """Who waited with a low number was called first; now it was called last."""
        first = one(self.books, lambda visitor: bool(visitor.polls and visitor.admitted_ms))
        number = first.numbers[0]
        for sample in self.books.line:
            sample.inside.pop(number, None)  # type: ignore[attr-defined]
        first.asked_ms = self.books.line[-1].at_ms
        first.present_ms = self.books.line[0].at_ms - 10_000
        first.ended_ms = 0
        assert "I3" in self.found()

    def test_a_number_that_is_given_twice(self) -> None:
        earlier, later = (visitor for visitor in self.books.visitors[:2])
        later.numbers = list(earlier.numbers)
        assert "I4" in self.found()

    def test_a_number_that_changes(self) -> None:
        waiting = one(self.books, lambda visitor: visitor.fate == "waiting")
        waiting.numbers.insert(0, 17)
        assert self.found() == {"I4"}

    def test_a_call_of_nobody(self) -> None:
        self.add_to_line(len(self.books.line) - 1, [17], len(self.books.line))
        assert "I4" in self.found()

    def test_a_request_without_an_admission(self) -> None:
        self.books.origin[0] = replace(self.books.origin[0], admission="")
        assert "I6" in self.found()

    def test_a_request_with_an_admission_of_a_stranger(self) -> None:
        token = self.books.origin[0].admission
        claims = jwt.decode(token, options={"verify_signature": False})
        header = jwt.get_unverified_header(token)
        forged = jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers=header)
        self.books.origin[0] = replace(self.books.origin[0], admission=forged)
        assert "I6" in self.found()

    def test_a_request_after_the_admission_has_ended(self) -> None:
        first = self.books.origin[0]
        ends_s = jwt.decode(first.admission, options={"verify_signature": False})["exp"]
        self.books.origin.append(replace(first, at_ms=(ends_s + 6) * 1000))
        assert self.found() == {"I6"}

    def test_a_request_after_the_place_was_given_back(self) -> None:
        done = one(self.books, lambda visitor: visitor.fate == "ticket")
        numbers = {
            reached: jwt.decode(reached.admission, options={"verify_signature": False})["num"]
            for reached in self.books.origin
        }
        last = [reached for reached, number in numbers.items() if number == done.numbers[0]][-1]
        self.books.origin.append(replace(last, at_ms=last.at_ms + 5_000))
        assert self.found() == {"I6"}

    def test_an_answer_of_the_origin_that_it_knows_nothing_of(self) -> None:
        one(self.books, lambda visitor: visitor.fate == "ticket").answers += 1
        assert self.found() == {"I6"}

    def test_a_visitor_whom_the_line_has_forgotten(self) -> None:
        self.books = replace(self.books, present=replace(self.books.present, here=""))
        assert self.found() == {"nobody is lost"}

    def test_a_visitor_who_was_never_answered(self) -> None:
        one(self.books, lambda visitor: visitor.fate == "waiting").fate = "unanswered"
        assert self.found() == {"nobody is lost"}

    def test_a_visitor_who_is_missing(self) -> None:
        self.books.visitors.remove(max(self.books.visitors, key=lambda visitor: visitor.numbers))
        assert self.found() == {"nobody is lost"}

    def test_a_ticket_that_booking_never_sold(self) -> None:
        one(self.books, lambda visitor: visitor.fate == "ticket").seats = ["1:99Z"]
        assert self.found() == {"each ticket has its visitor"}

    def test_a_ticket_that_is_nobodys(self) -> None:
        holder = one(self.books, lambda visitor: visitor.fate == "ticket")
        holder.booking, holder.fate = "", "gone"
        assert self.found() == {"each ticket has its visitor"}


class TestForgedRecords:
    """The same for booking's database, by the command."""

    def audit(self, records: sqlite3.Connection) -> tuple[set[str], int, str]:
        """What is broken; the exit code of the command, and what it printed."""
        records.commit()
        folder = Path(records.execute("PRAGMA database_list").fetchone()[2]).parent
        ran = CliRunner().invoke(main, [str(folder)])
        return broken(audited(folder)), ran.exit_code, ran.output

    def test_true_records_are_kept(self, records: sqlite3.Connection) -> None:
        assert self.audit(records)[:2] == (set(), 0)

    def test_a_seat_that_is_sold_twice(self, records: sqlite3.Connection) -> None:
        """The second booking has its tickets by all other rules; only the seat is the same."""
        bookings = "SELECT id, flight_id FROM bookings WHERE state = 'ticketed' ORDER BY id"
        (first, flight), (second, _) = records.execute(bookings).fetchmany(2)
        records.execute("UPDATE bookings SET flight_id = ? WHERE id = ?", (flight, second))
        seat = "(SELECT seat FROM passengers WHERE booking_id = ?)"
        records.execute(f"UPDATE passengers SET seat = {seat} WHERE booking_id = ?", (first, second))
        found, code, output = self.audit(records)
        assert "no seat is sold twice" in found
        assert code == 1
        assert "one ticket per seat" in output

    def test_a_seat_that_nobody_bought(self, records: sqlite3.Connection) -> None:
        free = "SELECT flight_id, label FROM seats WHERE state = 'free' LIMIT 1"
        records.execute(f"UPDATE seats SET state = 'sold' WHERE (flight_id, label) = ({free})")
        assert self.audit(records)[:2] == ({"no seat is sold twice"}, 1)

    def test_books_that_are_missing_are_named(self, tmp_path: Path) -> None:
        ran = CliRunner().invoke(main, [str(tmp_path)])
        assert ran.exit_code == 1
        assert "terms.json" in ran.output


def test_too_many_calls_are_found_in_any_interval() -> None:
    """60 a minute and a burst of 2: three at once are too many, and so is one too early after a pause."""
    assert not list(too_many([(0, 0), (1_000, 3), (2_000, 4)], 60, 2))
    assert list(too_many([(0, 0), (1_000, 4)], 60, 2)) == [(0, 1_000, 4)]
    assert list(too_many([(0, 0), (60_000, 0), (60_001, 3)], 60, 2)) == [(60_000, 60_001, 3)]
    assert list(too_many([(0, 5), (1_000, 8), (1_900, 9)], 60, 2)) == [(0, 1_900, 4)]


def test_spans_that_meet_are_not_at_once() -> None:
    assert max(count for _, count in most_at_once([(1, 3), (3, 5), (2, 4), (0, 0)])) == 2


def test_the_highest_between_two_indices_is_that_of_the_slice() -> None:
    values = [3, 1, 4, 1, 5, 9, 2, 6]
    highest = Highest(values)
    highest.build()
    for start in range(len(values)):
        for end in range(len(values) + 1):
            assert highest.between(start, end) == max(values[start:end], default=0)


def test_who_is_present_stands_behind_the_head_or_is_late() -> None:
    assert Present(base=80, head=82, here="a8ff01", late=[7]).numbers() == {84, *range(88, 96), 103, 7}
