"""The draw: who comes before an opening gets a place by lot, and anyone can check the lot afterwards.

The places are a keyed permutation of all places of the draw. Its key, the seed, is fixed by a published hash, the
commitment, before the first arrival, and shown after the opening. docs/draw.md has it in words, so that a stranger can
write it anew; changing what is here breaks every draw that was committed to.

It is the generalised Feistel cipher of Black and Rogaway ("Ciphers with Arbitrary Finite Domains", CT-RSA 2002) with
SHA-256 as round function: the construction of Luby and Rackoff (1988) on a rectangle of barely more than `size` cells
instead of a square of two to a power. A cell beyond `size` is shuffled again until it falls inside.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from math import isqrt

from waitroom.errors import MalformedTicketError

# Keeps the secret's other uses apart from this one.
SALT = b"waitroom draw v1"
SEED_BYTES = 32
# What two places tell of each other shrinks about by the length of a side every two rounds. With 12 rounds, and no side
# under 8, no pair of places is off its fair chance by one part in 4,000, and in a draw of 1,000 by one in a million.
ROUNDS = 12
LEAST_SIDE = 8
LARGEST_SIZE = 2**64
# Draws remembered: one for each line. Any is had again from the secret.
MOST_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Draw:
    """The draw of one opening. The seed stays out of the repr: it is a secret until the opening."""

    seed: bytes = field(repr=False)
    size: int

    def place(self, arrival: int) -> int:
        """The place, from 1 to `size`, of an arrival, counted from 0. Raises ValueError if it is outside the draw."""
        return permute(self.seed, arrival, self.size) + 1


class Draws:
    """The draws of all lines, under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._draws: dict[tuple[str, str, int], Draw] = {}

    def of(self, line: str, name: str, size: int) -> Draw:
        """The draw of that name and size for a line."""
        at = line, name, size
        if at not in self._draws:
            if len(self._draws) >= MOST_DRAWS:
                self._draws.clear()
            self._draws[at] = Draw(seed_of(self._secret, line, name), size)
        return self._draws[at]


def seed_of(secret: bytes, line: str, draw: str) -> bytes:
    """The seed of a line's draw by its name. It tells nothing of the secret, nor of other seeds.

    Another secret gives another seed: whoever published a commitment keeps the secret until the seed is shown.
    """
    key = hmac.digest(secret, SALT, hashlib.sha256)
    # No line's name has a ~, so that no two draws of two lines share a text.
    return hmac.digest(key, f"{line}~{draw}".encode(), hashlib.sha256)


def commitment(seed: bytes) -> str:
    """What is published in advance: the SHA-256 of the seed, in hex."""
    return hashlib.sha256(seed).hexdigest()


def permute(seed: bytes, index: int, size: int) -> int:
    """Where the permutation of range(size) takes an index; a size is 1 to 2**64. Raises ValueError for one outside."""
    if not 0 <= index < size <= LARGEST_SIZE:
        raise ValueError(f"{index} is not in a draw of {size}")
    height = max(LEAST_SIDE, isqrt(size - 1) + 1)
    width = max(LEAST_SIDE, -(-size // height))
    place = _shuffled(seed, index, height, width)
    # Cycle walking: what is left stays a permutation. From size 64 on fewer than one cell in ten lies beyond the draw,
    # and of a large draw hardly any.
    while place >= size:
        place = _shuffled(seed, place, height, width)
    return place


def _shuffled(seed: bytes, cell: int, height: int, width: int) -> int:
    """The Feistel permutation of range(height * width)."""
    left, right = divmod(cell, width)
    for turn in range(ROUNDS):
        digest = hashlib.sha256(seed + (turn << 64 | right).to_bytes(9, "big")).digest()
        left, right = right, (left + int.from_bytes(digest, "big")) % height
        height, width = width, height
    # The number of rounds is even, so both halves and both sides are back where they began.
    return left * width + right


def arrival_in(text: str) -> int | None:
    """The arrival that a ticket holds, or None if it was given after the opening.

    Needs no secret, and so believes any ticket. Raises MalformedTicketError for what is none.
    """
    version, _, rest = text.partition(".")
    payload, _, _ = rest.partition(".")
    if version != "v1":
        raise MalformedTicketError
    try:
        fields = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode().split("~")
        _line, _epoch, number, _issued_s, _visitor = fields
        text, at, _ = number.partition("@")
        arrival = int(text)
    except ValueError as exc:
        raise MalformedTicketError from exc
    return arrival if at else None
