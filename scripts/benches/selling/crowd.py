"""The visitors of a sale: each comes at a moment that was set before, waits as it is told to, goes in when it is
called, and makes its trip.

`python -m scripts.benches.selling.crowd PORT BANK_PORT FOLDER` lives a plan (JSON, on standard input), writes down in
the folder what each visitor saw, and prints how long the answers took.
"""

import asyncio
import json
import sys
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TypeAlias, TypeGuard

import uvloop

from scripts.benches.arrivals import opening
from scripts.benches.open_loop import Pool, Quantiles, Times, at
from scripts.benches.raw_http import OnReply, Reply
from scripts.benches.selling.books import VISITORS, Visitor, write_lines
from scripts.benches.selling.browser import HTML, JSON, Browser
from scripts.benches.selling.clock import now_ms
from scripts.benches.selling.trip import Trip, UnexpectedError
from waitroom.ticket import number_in

PAGE, ROOM = "/", "site"
PLACE = f"/.waitroom/rooms/{ROOM}/place"
LEAVE = f"/.waitroom/rooms/{ROOM}/leave"
TICKET, ADMISSION = f"wr-{ROOM}", f"wr-{ROOM}.admission"
# A visitor without an answer tries again after this time.
AGAIN_S = 1.0
# After the last arrival: who has just come shows itself in the line, and what is under way is answered.
LAST_LOOK_S = 2.0
PATIENCE_S = 10.0

OnTime: TypeAlias = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Who comes: so many `visitors` within `seconds`, a `rush` (a share) of them within `rush_s` from the opening, by
    so many `connections` of a balancer. Inside they think for `think_s` at most between two steps; `search` is what
    they look for."""

    visitors: int
    seconds: float
    rush: float
    rush_s: float
    connections: int
    seed: int
    think_s: float
    search: str

    def starts_s(self) -> list[float]:
        return opening(self.visitors, self.seconds, self.rush, self.rush_s, Random(self.seed))


@dataclass(frozen=True, slots=True)
class Told:
    """What became of the load. `times` are of the answers to each step, from when it was due; `late` is how late the
    generator itself was with the arrivals, `late_polls` with the polls. `failed` counts, by the step, requests that
    were never answered. `busy` is its share of a core."""

    requests: int
    failed: Mapping[str, int]
    times: Mapping[str, Quantiles]
    counts: Mapping[str, int]
    late: Quantiles
    late_polls: Quantiles
    busy: float
    took_s: float

    @classmethod
    def from_json(cls, text: str) -> "Told":
        told = json.loads(text)
        quantiles = {name: Quantiles(**told[name]) for name in ("late", "late_polls")}
        return cls(**told | quantiles | {"times": {step: Quantiles(**of) for step, of in told["times"].items()}})


class Guest:
    """One visitor, while the sale goes on."""

    __slots__ = ("browser", "poll", "sent_ms", "visitor")

    def __init__(self, visitor: Visitor, browser: Browser) -> None:
        self.visitor = visitor
        self.browser = browser
        self.poll = b""
        self.sent_ms = 0

    def note_ticket(self) -> None:
        """The ticket may be a new one, or the same."""
        ticket = self.browser.cookies.get(TICKET)
        if ticket and (number := number_in(ticket)) not in self.visitor.numbers:
            self.visitor.numbers.append(number)
        self.poll = self.browser.get(PLACE, JSON)


class Crowd:
    """All of them. What they ask takes its turn in the balancer's connections."""

    def __init__(self, plan: Plan, port: int, bank_port: int) -> None:
        self._plan = plan
        self._host = f"127.0.0.1:{port}"
        self._loop = asyncio.get_running_loop()
        self._pool = Pool([("127.0.0.1", port)], plan.connections)
        self._bank = Pool([("127.0.0.1", bank_port)], plan.connections)
        self._guests: list[Guest] = []
        self._trips: set[asyncio.Task[None]] = set()
        self._times: defaultdict[str, Times] = defaultdict(lambda: array("d"))
        self._late_polls: Times = array("d")
        self._failed: Counter[str] = Counter()
        self._under_way = 0
        self._is_over = False

    async def run(self) -> Told:
        begun_s, cpu_s = time.monotonic(), time.process_time()
        late = await at(self._plan.starts_s(), self._arrive)
        await asyncio.sleep(LAST_LOOK_S)
        await self._end()
        took_s = time.monotonic() - begun_s
        return Told(
            requests=sum(map(len, self._times.values())),
            failed=dict(self._failed),
            times={step: Quantiles.of(times) for step, times in self._times.items()},
            counts={step: len(times) for step, times in self._times.items()},
            late=Quantiles.of(late),
            late_polls=Quantiles.of(self._late_polls),
            busy=(time.process_time() - cpu_s) / took_s,
            took_s=took_s,
        )

    def write(self, folder: Path) -> None:
        write_lines(folder / VISITORS, (guest.visitor for guest in self._guests))

    async def _end(self) -> None:
        """Nothing more is asked, and what was asked is answered."""
        self._is_over = True
        for trip in self._trips:
            trip.cancel()
        patient_until_s = time.monotonic() + PATIENCE_S
        while self._under_way and time.monotonic() < patient_until_s:
            await asyncio.sleep(0.01)
        if self._under_way:
            self._failed["when it was over"] += self._under_way
        self._pool.close()
        self._bank.close()

    def _arrive(self, who: int, due_s: float) -> None:
        due_ms = now_ms() - round((time.monotonic() - due_s) * 1e3)
        guest = Guest(Visitor(who, due_ms), Browser(who, self._host))
        self._guests.append(guest)
        self._come(guest, due_s)

    def _come(self, guest: Guest, due_s: float) -> None:
        self._ask("page", guest.browser.get(PAGE, HTML), due_s, lambda reply: self._greeted(guest, due_s, reply))

    def _greeted(self, guest: Guest, due_s: float, reply: Reply | None) -> None:
        """By the waiting page, or by the site itself."""
        if not self._is_good(reply, guest):
            self._later(AGAIN_S, lambda _: self._come(guest, due_s))
            return
        guest.visitor.page_ms = now_ms()
        if ADMISSION in guest.browser.cookies:
            self._let_in(guest)
        elif reply.status == 200 and guest.visitor.numbers:
            guest.visitor.fate = "waiting"
            self._poll(guest, time.monotonic())
        else:
            self._lead_astray(guest, f"page: {reply.status}")

    def _poll(self, guest: Guest, due_s: float) -> None:
        visitor, sent_ms = guest.visitor, now_ms()
        if visitor.present_ms:
            visitor.gap_ms = max(visitor.gap_ms, sent_ms - guest.sent_ms)
        guest.sent_ms = sent_ms
        self._late_polls.append(time.monotonic() - due_s)
        self._ask("poll", guest.poll, due_s, lambda reply: self._heard(guest, reply))

    def _heard(self, guest: Guest, reply: Reply | None) -> None:
        """The place."""
        visitor = guest.visitor
        if not self._is_good(reply, guest):
            self._later(AGAIN_S, lambda due_s: self._poll(guest, due_s))
            return
        place = json.loads(reply.body)
        match place["state"]:
            case "waiting":
                visitor.polls += 1
                visitor.asked_ms = guest.sent_ms
                visitor.present_ms = visitor.present_ms or now_ms()
                self._later(place["poll_after_ms"] / 1e3, lambda due_s: self._poll(guest, due_s))
            case "called":
                visitor.called_ms = now_ms()
                visitor.fate = "inside"
                self._go_in(guest, time.monotonic())
            case state:
                self._lead_astray(guest, f"place: {state}")

    def _go_in(self, guest: Guest, due_s: float) -> None:
        request = guest.browser.get(PAGE, HTML)
        self._ask("go in", request, due_s, lambda reply: self._entered(guest, reply))

    def _entered(self, guest: Guest, reply: Reply | None) -> None:
        if not self._is_good(reply, guest):
            self._later(AGAIN_S, lambda due_s: self._go_in(guest, due_s))
            return
        if reply.status != 200:
            self._lead_astray(guest, f"go in: {reply.status}")
        elif ADMISSION in guest.browser.cookies:
            self._let_in(guest)
        else:  # by a worker that had not heard of the call yet: the waiting page asks again as soon as it is shown
            guest.visitor.sent_back += 1
            self._poll(guest, time.monotonic())

    def _let_in(self, guest: Guest) -> None:
        visitor = guest.visitor
        visitor.admitted_ms = visitor.served_ms = now_ms()
        visitor.called_ms = visitor.called_ms or visitor.admitted_ms
        visitor.answers += 1
        visitor.fate = "inside"
        if not self._is_over:
            trip = self._loop.create_task(self._travel(guest))
            self._trips.add(trip)
            trip.add_done_callback(self._trips.discard)

    async def _travel(self, guest: Guest) -> None:
        visitor, chance = guest.visitor, Random(f"{self._plan.seed} {guest.visitor.who}")
        try:
            has_ticket = await Trip(self, visitor, guest.browser, chance, self._plan.think_s, self._plan.search).make()
        except UnexpectedError as exc:
            self._lead_astray(guest, str(exc))
            has_ticket = False
        else:
            visitor.fate = "ticket" if has_ticket else "gone"
        if not has_ticket:
            visitor.ended_ms = now_ms()
            await self.ask("leave", guest.browser.post(LEAVE, {}))

    def ask(self, step: str, request: bytes) -> asyncio.Future[Reply | None]:
        """For a trip: of waitroom."""
        return self._awaited(self._pool, step, request)

    def ask_bank(self, step: str, request: bytes) -> asyncio.Future[Reply | None]:
        """For a trip: of the bank."""
        return self._awaited(self._bank, step, request)

    def _awaited(self, pool: Pool, step: str, request: bytes) -> asyncio.Future[Reply | None]:
        answered: asyncio.Future[Reply | None] = self._loop.create_future()

        def replied(reply: Reply | None) -> None:
            if not answered.done():  # the sale may be over
                answered.set_result(reply)

        self._ask(step, request, time.monotonic(), replied, pool)
        return answered

    def _ask(self, step: str, request: bytes, due_s: float, on_reply: OnReply, pool: Pool | None = None) -> None:
        self._under_way += 1

        def replied(reply: Reply | None) -> None:
            self._under_way -= 1
            if reply:
                self._times[step].append(reply.whole_s - due_s)
            else:
                self._failed[step] += 1
            on_reply(reply)

        (pool or self._pool).ask(request, replied)

    def _later(self, delay_s: float, do: OnTime) -> None:
        """Unless it is over by then. `do` gets the moment that was meant."""
        due_s = time.monotonic() + delay_s
        self._loop.call_later(delay_s, lambda: None if self._is_over else do(due_s))

    @staticmethod
    def _is_good(reply: Reply | None, guest: Guest) -> TypeGuard[Reply]:
        """Whether there is an answer to go on with. Its cookies are kept in any case: a page that says that the origin
        is slow brings the ticket, too."""
        if reply and guest.browser.keep(reply):
            guest.note_ticket()
        return reply is not None and reply.status < 500

    def _lead_astray(self, guest: Guest, told: str) -> None:
        guest.visitor.fate, guest.visitor.told = "astray", told


async def live(plan: Plan, port: int, bank_port: int, folder: Path) -> Told:
    """Lives it before a waitroom and a bank, and writes down in the folder what the visitors saw."""
    crowd = Crowd(plan, port, bank_port)
    told = await crowd.run()
    crowd.write(folder)
    return told


if __name__ == "__main__":
    ports = int(sys.argv[1]), int(sys.argv[2])
    sys.stdout.write(json.dumps(asdict(uvloop.run(live(Plan(**json.load(sys.stdin)), *ports, Path(sys.argv[3]))))))
