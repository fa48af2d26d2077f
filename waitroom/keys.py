"""Keys on disk: makes them, reads them, and tells a development key from a configured one."""

import contextlib
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from waitroom.admission import AdmissionKey
from waitroom.errors import ConfigError, Fault

Key = TypeVar("Key")

log = logging.getLogger(__name__)

ADMISSION_FILE = "admission.pem"
TICKET_FILE = "ticket.secret"
TICKET_SECRET_BYTES = 32


@dataclass(frozen=True)
class Keys:
    """The keys of a waitroom: the first of each kind signs, all verify."""

    admission: tuple[AdmissionKey, ...]
    ticket: tuple[bytes, ...]
    # Whether the ticket secret was made just now, so that no ticket can be in the field.
    are_new: bool = False

    @property
    def lasting(self) -> bytes:
        """The ticket secret that the longest-lived things hang on (draws, identities): a new one that is put before it
        changes nothing about them."""
        return self.ticket[-1]

    def __repr__(self) -> str:
        return f"<Keys admission={[key.id for key in self.admission]} ticket=*** x {len(self.ticket)}>"


def make_pair(folder: Path) -> tuple[Path, Path]:
    """Writes a new admission key (PKCS 8, PEM) and a new ticket secret (hex), readable by the owner alone.

    Raises FileExistsError rather than replace a key: tickets and admissions in the field hang on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return _new_file(folder / ADMISSION_FILE, _new_admission_key()), _new_file(folder / TICKET_FILE, _new_secret())


def load(admission: Sequence[str], ticket: Sequence[str], state: Path) -> Keys:
    """Reads the configured files; where none are, makes or reuses a development key in the state folder, and says so.

    Raises ConfigError with all files that can't be used.
    """
    faults: list[Fault] = []
    are_new = not ticket and not (state / TICKET_FILE).exists()
    admission_files = _files("admission", admission, state / ADMISSION_FILE, _new_admission_key)
    ticket_files = _files("ticket", ticket, state / TICKET_FILE, _new_secret)
    keys = [key for path in admission_files if (key := _read(path, _admission_key, "keys.admission", faults))]
    ticket_secrets = [secret for path in ticket_files if (secret := _read(path, _secret, "keys.ticket", faults))]
    if faults:
        raise ConfigError("keys", faults)
    return Keys(tuple(keys), tuple(ticket_secrets), are_new)


def _files(kind: str, configured: Sequence[str], fallback: Path, make: Callable[[], bytes]) -> list[Path]:
    if configured:
        return [Path(name) for name in configured]
    if not fallback.exists():
        fallback.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another process was faster: its key serves both
            _new_file(fallback, make())
    log.warning("no [keys] %s is configured: using the development key %s", kind, fallback)
    return [fallback]


def _read(path: Path, parse: Callable[[bytes], Key], where: str, faults: list[Fault]) -> Key | None:
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as exc:
        faults.append(Fault(where, f"{path}: {exc}; `waitroom keys --out FOLDER` makes one"))
        return None


def _admission_key(data: bytes) -> AdmissionKey:
    key = serialization.load_pem_private_key(data, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("should be an Ed25519 private key")
    return AdmissionKey(key)


def _secret(data: bytes) -> bytes:
    secret = bytes.fromhex(data.decode("ascii").strip())
    if len(secret) < TICKET_SECRET_BYTES:
        raise ValueError(f"should be at least {TICKET_SECRET_BYTES} bytes in hex")
    return secret


def _new_admission_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _new_secret() -> bytes:
    return secrets.token_hex(TICKET_SECRET_BYTES).encode() + b"\n"


def _new_file(path: Path, data: bytes) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    return path
