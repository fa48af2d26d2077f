"""The secrets that our tokens are signed with: those of the settings, or one of our own, made once and kept in a file.

The first signs, all verify: so a new secret is put in front, and the old one removed when its tokens have ended.
"""

import contextlib
import hmac
import logging
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

FILE = "secret.key"
BYTES = 32

log = logging.getLogger(__name__)


def load(configured: Sequence[str], folder: Path) -> tuple[bytes, ...]:
    """The configured secrets; where there are none, the one in the folder, which is made if need be."""
    if configured:
        return tuple(secret.encode() for secret in configured)
    path = folder / FILE
    if not path.exists():
        _make(path)
        log.info("BOOKING_SECRETS is not set: tokens are signed with %s, which other machines do not have", path)
    return (path.read_bytes(),)


def keys_for(use: str, master_secrets: Sequence[bytes]) -> tuple[bytes, ...]:
    """The keys of one use, one by each secret: what is signed for one use fits no other."""
    return tuple(hmac.digest(secret, use.encode(), "sha256") for secret in master_secrets)


def _make(path: Path) -> None:
    """The file is there whole or not at all, and the first of two processes that make it wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Readable by its owner alone.
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(BYTES))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        Path(draft).unlink()
