"""Writes a file whole or not at all: whoever reads it meanwhile, or after a crash, sees the old one or the new one."""

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Makes its folder, too, where there is none. Raises OSError."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(text, "utf-8")
    draft.replace(path)
