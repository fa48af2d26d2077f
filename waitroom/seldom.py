"""A warning that may come in floods: told at once, then at most every ten seconds, with how many there were."""

import logging
import time

EVERY_S = 10.0


class Seldom:
    """Logs warnings of one kind."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._next_s = 0.0
        self._untold = 0

    def warn(self, message: str, *arguments: object) -> None:
        """The untold ones are counted in the next that is told."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            self._untold += 1
            return
        more = f" ({self._untold} more since the last)" if self._untold else ""
        self._log.warning(message + more, *arguments)
        self._next_s, self._untold = now_s + EVERY_S, 0
