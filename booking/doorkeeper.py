"""The doorkeeper: judges admissions by the waiting room's keys, and asks for newer ones where one is unknown.

A signature is checked once, and its token remembered until it ends.
"""

from booking.admission import Admission, Judge, Remembered, UnknownKey
from booking.key_set import KeySet


class Doorkeeper:
    def __init__(self, judge: Judge, key_set: KeySet) -> None:
        self._judge = judge
        self._key_set = key_set
        self._remembered = Remembered()

    async def admit(self, token: str, now_s: float) -> Admission:
        """The admission that a token proves. Raises AdmissionRefused, and AdmissionKeysUnavailable."""
        admission = self._remembered.get(token, now_s)
        if admission is None:
            admission = await self._judged(token, now_s)
            self._remembered.add(token, admission)
        return admission

    async def _judged(self, token: str, now_s: float) -> Admission:
        try:
            return self._judge.verify(token, self._key_set.keys, now_s)
        except UnknownKey:
            await self._key_set.refresh()
            return self._judge.verify(token, self._key_set.keys, now_s)
