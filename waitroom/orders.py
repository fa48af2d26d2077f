"""What a supervisor tells a worker, and the word by which that answers."""

import json
from dataclasses import asdict, dataclass

READY = b"ready"


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker is told. `sockets` are file descriptors by address; to `ready`, another one, it says READY once it
    serves, or what is wrong. Workers of one `generation` serve beside each other: a later one relieves them all.
    `worker_deaths` are those since the supervisor began; one of an earlier version does not tell."""

    config: str
    sockets: dict[str, list[int]]
    ready: int
    store_url: str
    generation: int
    worker_deaths: int = 0

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> "Orders":
        return cls(**json.loads(text))

    @property
    def descriptors(self) -> list[int]:
        """All that the worker must inherit."""
        return [self.ready, *(one for some in self.sockets.values() for one in some)]
