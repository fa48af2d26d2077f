"""A line in plain Python: whom it calls, and when, to the visitor as the transitions in waitroom/lua call them.

It leaves out what a plan has no use for: losses, draws, persons, and limits that change. Numbers count from 1, and
times in milliseconds from any moment. A waiting visitor is present without a word, as if it polled in time, until it
is said to have vanished: so that a plan need not live through its polls.
"""

from collections import deque
from heapq import heappop, heappush

from waitroom.limits import Limits
from waitroom.standing import Called, Late, Spent, Standing, Waiting

# As in lua/_line.lua, where each is explained.
CALL = 60_000
MOST_CALLS = 1_000
FIRST_POLL_MS = 3_000

WAITING, SPENT = Waiting(), Spent()


class ModelledLine:
    """`called` counts the calls so far, `missed` the leases that ended unclaimed; `is_full` says whether the cap, and
    not the rate, was what kept the last step from calling more."""

    def __init__(self, limits: Limits, now_ms: int) -> None:
        self.limits = limits
        self.head = self.tail = 0
        self.present = 0  # of those who wait, without the late
        self.called = self.missed = 0
        self.is_full = False
        self.leases: dict[int, int] = {}  # number to the end of each, of those inside
        self._here = bytearray(1)  # by number
        self._spent = bytearray(1)
        self._late: dict[int, None] = {}
        self._late_by_number: list[int] = []
        self._bucket = limits.burst * CALL
        self._refilled_ms = self._window_ms = now_ms
        self._given_ms = -FIRST_POLL_MS
        # Leases in the order of their ends, those of one moment together: all of a kind are equally long.
        self._unclaimed: deque[tuple[int, list[int]]] = deque()
        self._claimed: deque[tuple[int, list[int]]] = deque()
        # Who has vanished is passed over from the window's turn on at which nothing was heard of it for a whole window.
        self._turns = 0
        self._gone: dict[int, int] = {}  # number to that turn
        self._fading: tuple[list[int], list[int]] = [], []  # those of the next turn, and of the one after

    @property
    def inside(self) -> int:
        """How many have a lease."""
        return len(self.leases)

    @property
    def waiting(self) -> int:
        """Those present who have not been called, the late included."""
        return self.present + len(self._late)

    @property
    def silent(self) -> int:
        """Of those who wait, how many have vanished, and still count as present."""
        return len(self._gone)

    def position(self, number: int) -> int:
        """The position of a number that was not called yet: the present before it, and the late, plus one."""
        return len(self._late) + self._here.count(1, self.head + 1, number) + 1

    def advance(self, now_ms: int) -> list[int]:
        """Brings the line up to now, and gives the numbers that it calls, in their order."""
        limits = self.limits
        self._bucket = min(
            limits.burst * CALL, self._bucket + limits.rate_per_minute * max(0, now_ms - self._refilled_ms)
        )
        self._refilled_ms = now_ms
        self._end_leases(now_ms)
        if now_ms - self._window_ms >= limits.presence_ms:
            self._turn_window(now_ms)
        return self._call_next(now_ms)

    def join(self, n: int, now_ms: int) -> list[int]:
        """Gives the next `n` numbers after the calls that are due; those of them who are called at once are given back,
        and the calls that were due before with them."""
        called = self.advance(now_ms)
        free = self._room() if self.limits.mode == "auto" and not self._somebody_waits(now_ms) else 0
        first = self.tail + 1
        self.tail += n
        self._here.extend(bytes(n))
        self._spent.extend(bytes(n))
        at_once = list(range(first, first + min(n, free)))
        if at_once:
            self.head = at_once[-1]
            self._reserve(at_once, now_ms)
        if n > len(at_once):
            self._given_ms = now_ms
        return called + at_once

    def appear(self, first: int, n: int) -> None:
        """The first polls of `n` numbers from `first` on, who joined since the last step, and were not called."""
        self._here[first : first + n] = b"\1" * n
        self.present += n

    def see(self, number: int, now_ms: int) -> Standing:
        """A visitor shows itself: for the first time, too late for its call, or after it had vanished."""
        self._gone.pop(number, None)
        if number > self.head:
            self.present += not self._here[number]
            self._here[number] = 1
            return WAITING
        lease_ms = self.leases.get(number, 0)
        if lease_ms > now_ms:
            return Called(lease_ms, can_extend=not self._spent[number])
        if self._spent[number]:
            return SPENT
        if number not in self._late:
            self._late[number] = None
            heappush(self._late_by_number, number)
        return Late(sum(other < number for other in self._late))

    def vanish(self, number: int, seen_ms: int) -> None:
        """A waiting visitor polls no more: the last that was heard of it was at `seen_ms`, at most a window ago."""
        is_recent = seen_ms >= self._window_ms
        if number in self._late:  # it is passed over at once: that is a few seconds early, for one in thousands
            del self._late[number]
        elif number > self.head and self._here[number]:
            self._gone[number] = self._turns + 1 + is_recent
            self._fading[is_recent].append(number)

    def claim(self, number: int, now_ms: int) -> bool:
        """Takes the place, or extends the lease; whether there is one."""
        lease_ms = self.leases.get(number, 0)
        if lease_ms <= now_ms:
            return False
        self._spent[number] = 1
        end_ms = now_ms + self.limits.session_ms
        if end_ms > lease_ms:
            self.leases[number] = end_ms
            if self._claimed and self._claimed[-1][0] == end_ms:
                self._claimed[-1][1].append(number)
            else:
                self._claimed.append((end_ms, [number]))
        return True

    def release(self, number: int) -> None:
        """Gives a place inside back."""
        self.leases.pop(number, None)
        self._spent[number] = 1

    def _room(self) -> int:
        limits = self.limits
        if limits.mode not in ("auto", "queue"):
            return 0
        free = limits.cap - len(self.leases)
        earned = self._bucket // CALL
        self.is_full = free < earned
        return max(0, min(earned, free, MOST_CALLS))

    def _somebody_waits(self, now_ms: int) -> bool:
        fresh = self.tail > self.head and 0 <= now_ms - self._given_ms < FIRST_POLL_MS
        return fresh or self.waiting > 0

    def _call_next(self, now_ms: int) -> list[int]:
        room = self._room()
        numbers: list[int] = []
        while self._late and len(numbers) < room:
            number = heappop(self._late_by_number)
            if number in self._late:
                del self._late[number]
                numbers.append(number)
        find, here = self._here.find, self._here
        while len(numbers) < room and self.present:
            self.head = find(1, self.head + 1)
            here[self.head] = 0
            self.present -= 1
            numbers.append(self.head)
        self._reserve(numbers, now_ms)
        return numbers

    def _reserve(self, numbers: list[int], now_ms: int) -> None:
        end_ms = now_ms + self.limits.claim_ms
        self.leases.update(dict.fromkeys(numbers, end_ms))
        self._unclaimed.append((end_ms, numbers))
        self._bucket -= len(numbers) * CALL
        self.called += len(numbers)

    def _end_leases(self, now_ms: int) -> None:
        for leases in (self._unclaimed, self._claimed):
            while leases and leases[0][0] <= now_ms:
                end_ms, numbers = leases.popleft()
                for number in numbers:
                    if self.leases.get(number) == end_ms:  # not extended since
                        del self.leases[number]
                        self.missed += not self._spent[number]

    def _turn_window(self, now_ms: int) -> None:
        self._window_ms = now_ms
        self._turns += 1
        due, later = self._fading
        for number in due:
            if self._gone.get(number) == self._turns:
                del self._gone[number]
                if number > self.head and self._here[number]:
                    self._here[number] = 0
                    self.present -= 1
        self._fading = later, []
