"""The public statuses of the lines: each prepared once a second at most, for all who ask."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from waitroom.lines import Lines
from waitroom.place import Outlook
from waitroom.response import Response
from waitroom.rooms import Room
from waitroom.status import Clue, ask_after_ms, status

MOST_STATUSES = 1_000
ETAG_BYTES = 8
# While nobody answers it, a cache may go on with what it has.
STALE_IF_ERROR_S = 30


@dataclass(frozen=True, slots=True)
class Prepared:
    """Both answers, and for which second and which configuration of the room they are good."""

    second: int
    room: Room
    etag: str
    whole: Response
    unchanged: Response


class Statuses:
    """Those of all lines of one process. `now_s` is its clock, in seconds since 1970."""

    def __init__(self, lines: Lines, now_s: Callable[[], float]) -> None:
        self._lines = lines
        self._now_s = now_s
        self._prepared: dict[tuple[str, str], Prepared] = {}

    def answer(self, room: Room, key: str, message: str, known: str) -> Response | None:
        """The status of a line with a message, if the operator has one; only that it has not changed, for who brings
        its ETag in `known`, the value of If-None-Match (RFC 9110, section 13.1.2). None where this process does not
        have the line: nobody begins one by looking at it."""
        name = room.line_name(key), message
        prepared = self._prepared.get(name)
        if prepared is None or prepared.second != int(self._now_s()) or prepared.room is not room:
            made = self._prepare(room, key, message)
            if made is None:
                return None
            if len(self._prepared) >= MOST_STATUSES:
                self._prepared.clear()
            prepared = self._prepared[name] = made
        return prepared.unchanged if known and _is_known(prepared.etag, known) else prepared.whole

    def clue(self, room: Room, key: str, number: int | None) -> Clue:
        """What a visitor is told besides the place, who has this number in a line that this process has."""
        now_ms = int(self._now_s() * 1000)
        if number is None:
            return Clue(None, None, now_ms)
        presence_ms = self._lines.of(room, key).in_force.presence_ms
        return Clue(number, ask_after_ms(presence_ms, random.random()), now_ms)

    def _prepare(self, room: Room, key: str, message: str) -> Prepared | None:
        line = self._lines.awake(room, key)
        if line is None or line.snapshot is None:
            return None
        now_s = self._now_s()
        outlook = Outlook(
            snapshot=line.snapshot,
            estimate=line.estimate,
            limits=line.in_force,
            polls_per_second=room.polls_per_second,
            message=message,
        )
        told = status(line.snapshot, outlook, line.estimate, int(now_s * 1000), lost=self._lines.is_lost(line))
        body = told.to_json().encode()
        etag = f'"{blake2b(body, digest_size=ETAG_BYTES).hexdigest()}"'
        fields = (
            ("Cache-Control", _caching(room.status_s)),
            ("ETag", etag),
        )
        whole = Response(200, (("Content-Type", "application/json; charset=utf-8"), *fields), body)
        return Prepared(int(now_s), room, etag, whole, Response(304, fields))


def _caching(status_s: int) -> str:
    """RFC 9111, section 5.2.2, and RFC 5861: who asks a cache need not wait until it has asked us."""
    return (
        f"public, max-age={status_s}, stale-while-revalidate={status_s}, "
        f"stale-if-error={max(status_s, STALE_IF_ERROR_S)}"
    )


def _is_known(etag: str, known: str) -> bool:
    """By the weak comparison (RFC 9110, section 8.8.3.2): caches that compress weaken a tag."""
    return known.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in known.split(","))
