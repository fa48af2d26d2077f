"""The present of a line: who of those that wait was seen lately, and how many stand before whom."""

from bisect import bisect_left
from itertools import accumulate

# The present are counted up to each block of so many numbers once a snapshot; within a block, for each number. So many
# bits are counted nearly as fast as a few: a position takes as long in a short line as in a long one.
BLOCK = 2048
BLOCK_BYTES = BLOCK // 8


class Present:
    """The numbers that are present, by a bitmap that begins with the number `start`, the high bit first: how many stand
    before any of them. `total` is how many there are."""

    __slots__ = ("_before", "_blocks", "_size", "_start", "total")

    def __init__(self, start: int, here: bytes) -> None:
        whole = here.ljust(-(-len(here) // BLOCK_BYTES) * BLOCK_BYTES, b"\0")
        self._start = start
        self._size = len(whole) * 8
        self._blocks = [int.from_bytes(whole[at : at + BLOCK_BYTES]) for at in range(0, len(whole), BLOCK_BYTES)]
        self._before = list(accumulate((block.bit_count() for block in self._blocks), initial=0))
        self.total = self._before[-1]

    def at(self, rank: int) -> int:
        """Which of the present numbers has this rank, counted from 1."""
        block = bisect_left(self._before, rank) - 1
        bits, rest = self._blocks[block], rank - self._before[block]
        within = bisect_left(range(BLOCK - 1), rest, key=lambda at: (bits >> (BLOCK - 1 - at)).bit_count())
        return self._start + block * BLOCK + within

    def before(self, number: int) -> int:
        """How many are present before a number."""
        offset = number - self._start
        if offset <= 0:
            return 0
        if offset >= self._size:
            return self.total
        block = offset // BLOCK
        return self._before[block] + (self._blocks[block] >> (BLOCK - offset % BLOCK)).bit_count()
