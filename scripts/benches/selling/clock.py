"""The clock by which everybody writes down: that of the machine, which Redis has too."""

import time


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
