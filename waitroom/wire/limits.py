"""What one visitor may ask of a process: sizes in bytes, times in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WireLimits:
    """`head_s` is for a whole head, `idle_s` between requests; `body_s` and `send_s` are without any progress: of a
    request's body, and of a visitor who takes nothing of a response. `body_bytes` is 0 for no limit; `connections` are
    those of one process."""

    head_s: float = 10.0
    idle_s: float = 75.0
    body_s: float = 30.0
    send_s: float = 60.0
    target_bytes: int = 8192
    fields_bytes: int = 32_768
    fields_count: int = 100
    body_bytes: int = 0
    connections: int = 10_000
