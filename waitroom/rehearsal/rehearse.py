"""A rehearsal: lets a crowd of real visitors come to a site by schedule, whatever becomes of those before, and watches
the room meanwhile."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from waitroom.errors import WaitroomError
from waitroom.rehearsal.crowd import Crowd
from waitroom.rehearsal.record import Fates, Record, Sample
from waitroom.rehearsal.site import AskError, Site
from waitroom.rehearsal.visitor import Scene, Visitor
from waitroom.rehearsal.watcher import Seen, Watcher
from waitroom.rooms import OWN_PREFIX

SAMPLE_S = 0.5


class NoRoomError(WaitroomError):
    """There is nothing to rehearse at a URL, and why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a crowd goes: a room (and key) of the waitroom at `site`, and the page that it wants. `admin` is the
    listener for operators, asked with `token`, and None where it can't be."""

    site: Site
    admin: Site | None
    token: str
    room: str
    key: str = ""
    page: str = "/"

    def own(self, what: str) -> str:
        """The path of what waitroom says of the line."""
        key = f"?key={quote(self.key)}" if self.key else ""
        return f"{OWN_PREFIX}rooms/{self.room}/{what}{key}"


async def find(stage: Stage) -> None:
    """Returns where the room answers. Raises NoRoomError."""
    url = stage.site.url
    try:
        answer = await stage.site.ask(b"GET", stage.own("place"))
    except AskError as exc:
        raise NoRoomError(f"no waitroom answers at {url}: {exc.kind}. Start it with `waitroom serve`") from exc
    try:
        told = json.loads(answer.body)
    except ValueError:
        told = {}
    if answer.status == 200 and "state" in told:
        return
    if detail := told.get("detail"):
        raise NoRoomError(f"the waitroom at {url} has no such line to rehearse: {detail}")
    raise NoRoomError(f"what answers at {url} is no waitroom: it says {answer.status} to {stage.own('place')}")


class Rehearsal:
    """One run. `record` can be read at any time."""

    def __init__(self, stage: Stage, crowd: Crowd, presence_s: float) -> None:
        self.record = Record(Fates.of(len(crowd)))
        self._stage = stage
        self._crowd = crowd
        self._began_s = 0.0
        self.scene = Scene(
            site=stage.site,
            crowd=crowd,
            record=self.record,
            page=stage.page,
            place=stage.own("place"),
            leave=stage.own("leave"),
            now_s=self.now_s,
            chance=random.Random(crowd.habits.seed),
            presence_s=presence_s,
        )
        self._arrived = 0
        self._first: Seen | None = None
        self._watcher = Watcher(stage.admin, stage.token, stage.room, stage.key) if stage.admin else None

    def now_s(self) -> float:
        """Seconds since the crowd began to come."""
        return time.monotonic() - self._began_s

    @property
    def arrived(self) -> int:
        """How many have come so far."""
        return self._arrived

    async def run(self, longest_s: float, tell: Callable[["Rehearsal"], None]) -> Record:
        """Lets all of the crowd come and go, for at most so long; `tell` is called after each look at the line. When
        this is cancelled, the record says so, and holds what was seen until then."""
        record = self.record
        self._began_s = time.monotonic()
        self._first = await self._watcher.look() if self._watcher else None
        record.limits_from = "waitroom's admin listener" if self._first else "what visitors saw"
        watching = asyncio.create_task(self._watch(tell))
        try:
            async with asyncio.timeout(longest_s):
                await self._visits()
        except TimeoutError:
            record.was_stopped = f"It was stopped after {longest_s:g} s, as --within says."
        except asyncio.CancelledError:
            record.was_stopped = "It was interrupted."
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            record.ended_s = self.now_s()
            record.bytes_in, record.bytes_out = self._stage.site.bytes_in, self._stage.site.bytes_out
        return record

    async def _visits(self) -> None:
        """Each visitor comes when it is due, however many are still there."""
        async with asyncio.TaskGroup() as group:
            for i, arrives_s in enumerate(self._crowd.arrives_s):
                if (early_s := arrives_s - self.now_s()) > 0:
                    await asyncio.sleep(early_s)
                group.create_task(Visitor(self.scene, i).live())
                self._arrived = i + 1

    async def _watch(self, tell: Callable[["Rehearsal"], None]) -> None:
        while True:
            self._sample(await self._watcher.look() if self._watcher and self._first else None)
            tell(self)
            await asyncio.sleep(SAMPLE_S)

    def _sample(self, seen: Seen | None) -> None:
        scene, record = self.scene, self.record
        at_s = self.now_s()
        if seen and self._first:
            at_s = (seen.seen_ms - self._first.seen_ms) / 1000
            line = seen.waiting, seen.inside, seen.called - self._first.called
            record.missed = line[2] - (seen.claimed - self._first.claimed)
        elif self._first:
            return  # it did not tell this time
        else:
            line = scene.waiting, scene.inside, scene.entered
        if record.samples and at_s <= record.samples[-1].at_s:
            return  # nothing new, or another process that saw it earlier
        record.samples.append(Sample(at_s, *line, self._arrived, record.polls))
