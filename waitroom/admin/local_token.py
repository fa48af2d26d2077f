"""The operator's token of this machine: in the state folder, for those who may read the waitroom's own files."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from waitroom import admin_tokens
from waitroom.admin_tokens import LOCAL, Token

FILE = "admin.token"


def path(state: Path) -> Path:
    return state / FILE


def read(state: Path) -> str | None:
    """The token, or None where there is none that we may read."""
    try:
        return path(state).read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def ready(state: Path) -> Token:
    """The token, made anew where it is missing. Raises OSError."""
    text = read(state)
    if text is None:
        _make(state)
        text = path(state).read_text("ascii").strip()
    return Token(LOCAL, "operator", admin_tokens.digest(text))


def _make(state: Path) -> None:
    """Appears whole or not at all: of several workers that start at once, the first one's serves all."""
    state.mkdir(parents=True, exist_ok=True)
    descriptor, own = tempfile.mkstemp(dir=state)  # readable by its owner alone
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{admin_tokens.made()}\n")
    with suppress(FileExistsError):
        os.link(own, path(state))
    Path(own).unlink()
