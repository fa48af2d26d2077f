"""Loans: the visitors whom a process lets in by itself while the store is lost, as far as the room allows it."""

from collections import deque

# How long a loan lasts: what is lent when the store comes back is beyond the cap for no longer than this.
LOAN_S = 60


class Loans:
    """Bounded for each room: at no time are more out than its `loss_cap`."""

    def __init__(self) -> None:
        self._ends: dict[str, deque[float]] = {}

    def are_left(self, room: str, most: int, now_s: float) -> bool:
        ends = self._ends.setdefault(room, deque())
        while ends and ends[0] <= now_s:
            ends.popleft()
        return len(ends) < most

    def take(self, room: str, now_s: float) -> None:
        """Notes a loan that begins now."""
        self._ends.setdefault(room, deque()).append(now_s + LOAN_S)
