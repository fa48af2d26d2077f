"""The tunnels of visitors: who is in one stays inside as long as it is open, and it is open no longer than that."""

import asyncio
from dataclasses import dataclass, replace

from waitroom.clients import Clients
from waitroom.exchange import Exchange
from waitroom.judge import Carry, Judge
from waitroom.recognition import Visit
from waitroom.rooms import Room

CHECK_S = 2.0


@dataclass(slots=True)
class Stay:
    """Whose tunnel it is: `visit` is as at its last check."""

    room: Room
    visit: Visit


class Tunnels:
    """Looks after them."""

    def __init__(self, judge: Judge, clients: Clients) -> None:
        self._judge = judge
        self.clients = clients
        self._stays: dict[Exchange, Stay] = {}

    def __len__(self) -> int:
        return len(self._stays)

    def keep(self, exchange: Exchange, room: Room, carry: Carry) -> None:
        """A tunnel is open. One of nobody's place, as by a bypass, needs no looking after."""
        if carry.number:
            visit = self._judge.visit(room, exchange.key, self.clients.asking(exchange))
            self._stays[exchange] = Stay(room, replace(visit, admission=carry.token or "", joins=False))

    async def run(self) -> None:
        """Checks all of them, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            for exchange, stay in list(self._stays.items()):
                token = "" if exchange.is_over else await self._judge.still_inside(stay.room, stay.visit)
                if token:
                    stay.visit = replace(stay.visit, admission=token)
                else:
                    del self._stays[exchange]
                    exchange.break_off()
