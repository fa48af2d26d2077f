"""How a room's rate may follow the health of its origins, as the configuration says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdaptiveTerms:
    """`target_ms` is for the 95th percentile of the time to the first byte. `settle_s` is how long a change of the rate
    takes to show at the origin. More than `error_percent` of failed requests count like a time over the target."""

    rate_min: int
    target_ms: int
    settle_s: int = 30
    error_percent: float = 5.0
