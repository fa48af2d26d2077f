"""Passwords: argon2id, hashed off the event loop, two at a time: a crowd that logs in starves nobody."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

AT_ONCE = 2


class Passwords:
    """OWASP's second choice for argon2id: 19 MiB, two passes, one lane. About 25 ms each."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._turn = asyncio.Semaphore(AT_ONCE)
        # Verified where there is no account, so that both answers take the same time.
        self._nobodys = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, password: str, password_hash: str | None) -> bool:
        """Whether the password is the one that was hashed; never, where there is no hash."""
        async with self._turn:
            fits = await asyncio.to_thread(self._verify, password_hash or self._nobodys, password)
        return fits and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerificationError:
            return False
