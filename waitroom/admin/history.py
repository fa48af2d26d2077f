"""The rooms over the last hours: a sample of each ten seconds, kept in Redis by whichever process comes first."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from waitroom.admin.overview import Overview
from waitroom.admin.shapes import RoomFigures, Sample
from waitroom.desk.room_desk import RoomDesk
from waitroom.errors import StoreLostError
from waitroom.rooms import Room, Rooms
from waitroom.store import Store

SLOT_MS = 10_000
# Six hours of them.
MOST_SAMPLES = 2_160


class History:
    """`rooms` gives those of the configuration."""

    def __init__(self, rooms: Callable[[], Rooms], store: Store, overview: Overview) -> None:
        self._rooms = rooms
        self._store = store
        self._overview = overview

    async def run(self) -> None:
        """Samples until cancelled; while Redis is lost there is nothing to keep."""
        task = asyncio.current_task()
        # Asked for by name, since redis-py swallows a cancellation that meets it while it connects.
        while task and not task.cancelling():
            await asyncio.sleep(SLOT_MS / 1000)
            for room in self._rooms():
                with suppress(StoreLostError):
                    await self.sample(room)

    async def sample(self, room: Room) -> None:
        """Raises StoreLostError."""
        figures = sampled(await self._overview.room(room))
        await RoomDesk(room, self._store).sample(SLOT_MS, MOST_SAMPLES, figures)

    async def read(self, room: Room) -> list[Sample]:
        """The oldest first. Raises StoreLostError."""
        samples = await RoomDesk(room, self._store).history(MOST_SAMPLES)
        return [Sample(**figures, at_ms=slot * SLOT_MS) for slot, figures in samples]  # type: ignore[typeddict-item]


def sampled(room: RoomFigures) -> dict[str, object]:
    """What is kept of a room's figures."""
    return {
        "mode": room["mode"],
        "inside": room["inside"],
        "cap": room["limits"]["cap"],
        "waiting": room["waiting"],
        "rate_per_minute": room["limits"]["rate_per_minute"],
        "measured_per_minute": room["measured_per_minute"],
        "joins_per_minute": room["joins_per_minute"],
        "no_show_share": room["no_show_share"],
        "wait_p50_s": room["wait_s"]["p50"],
        "wait_p90_s": room["wait_s"]["p90"],
        "origin_p50_ms": room["origin"]["p50_ms"],
        "origin_p95_ms": room["origin"]["p95_ms"],
        "error_share": room["origin"]["error_share"],
        "requests_per_second": room["origin"]["requests_per_second"],
    }
