"""How a room deals with its origins: times, sizes, health and TLS, as the configuration says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OriginTerms:
    """`response_s` is until the head of a response, `stall_s` between two reads of its body, `idle_s` how long a
    pooled connection is kept. `connections` are those of one process to one origin.

    Without a `health_path` nobody is asked; `eject_after` failures in a row take an origin out for `eject_s`. An empty
    `ca_file` stands for the system's authorities, an empty `server_name` for the host of the URL.
    """

    connect_s: float = 5.0
    response_s: float = 60.0
    stall_s: float = 300.0
    idle_s: float = 4.0
    connections: int = 1024
    health_path: str = ""
    health_interval_s: float = 5.0
    health_timeout_s: float = 2.0
    health_fall: int = 3
    health_rise: int = 2
    eject_after: int = 5
    eject_s: float = 10.0
    slow_start_s: float = 10.0
    resolve_s: float = 30.0
    ca_file: str = ""
    server_name: str = ""
    verify: bool = True
    certificate: str = ""
    key: str = ""


DEFAULT_TERMS = OriginTerms()
