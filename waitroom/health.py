"""How well an origin does: what its responses and its health checks say of it, and how much it may be given. Pure.

Two judges. Failures in a row eject it for a while (passive); failed checks take it out until others pass (active). An
ejection is a guess, so that its owner may overrule it where nobody else is left; a check that fails is none.
"""

from waitroom.origin_terms import OriginTerms

# An ejection doubles this often: from 10 s to 640 s.
MOST_DOUBLINGS = 6
# The share with which one that has recovered begins.
LEAST_WEIGHT = 0.1


class Health:
    """Begins as healthy. Each method is given the time, in seconds of any one clock, and says whether something has
    changed that an operator wants to know."""

    __slots__ = (
        "_checks_failed",
        "_checks_passed",
        "_recovers_s",
        "_terms",
        "ejections",
        "failures",
        "is_up",
        "is_well",
    )

    def __init__(self, terms: OriginTerms) -> None:
        self._terms = terms
        self.is_up = True  # as far as the checks say
        self.failures = 0  # in a row
        self.is_well = True  # its weight is 1, whatever the time; once that is found out
        self.ejections = 0  # until it does well for as long as it was out
        self._checks_passed = 0  # in a row, and since the last ejection
        self._checks_failed = 0  # in a row
        self._recovers_s = float("-inf")  # the end of its last ejection or outage: before that time it is ejected

    def succeeded(self, now_s: float) -> bool:
        """It gave a response. That ends an ejection, too: it is the last resort that is asked while ejected."""
        self.failures = 0
        return self._end_ejection(now_s)

    def failed(self, now_s: float) -> bool:
        """It gave none. Once back from an ejection, the first failure is enough for the next."""
        self.failures += 1
        if self.failures < self._terms.eject_after or self.is_ejected(now_s):
            return False
        if now_s - self._recovers_s >= self._ejection_s():
            self.ejections = 0
        self.is_well = False
        self.ejections = min(self.ejections + 1, MOST_DOUBLINGS + 1)
        self._recovers_s = now_s + self._ejection_s()
        self._checks_passed = 0
        return True

    def checked(self, now_s: float, *, passed: bool) -> bool:
        """A health check passed, or failed."""
        self._checks_passed = self._checks_passed + 1 if passed else 0
        self._checks_failed = 0 if passed else self._checks_failed + 1
        if self.is_up and self._checks_failed >= self._terms.health_fall:
            self.is_up = self.is_well = False
            return True
        return self._checks_passed >= self._terms.health_rise and (self._rise(now_s) or self._end_ejection(now_s))

    def is_ejected(self, now_s: float) -> bool:
        return now_s < self._recovers_s

    def weight(self, now_s: float) -> float:
        """Its share beside others: 0 while it is out, LEAST_WEIGHT when it is back, and 1 once `slow_start_s` have
        passed."""
        since_s = now_s - self._recovers_s
        if since_s < 0 or not self.is_up:
            return 0.0
        if since_s >= self._terms.slow_start_s:
            self.is_well = True
            return 1.0
        return max(LEAST_WEIGHT, since_s / self._terms.slow_start_s)

    def _rise(self, now_s: float) -> bool:
        was_up, self.is_up = self.is_up, True
        if not was_up:
            self.failures, self._recovers_s = 0, now_s
        return not was_up

    def _end_ejection(self, now_s: float) -> bool:
        was_ejected = self.is_ejected(now_s)
        if was_ejected:
            self.failures, self._recovers_s = 0, now_s
        return was_ejected

    def _ejection_s(self) -> float:
        return self._terms.eject_s * (1 << max(self.ejections - 1, 0))
