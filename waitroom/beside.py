"""The files beside a configuration that belong to it: read, and noted, so that they can be followed as they change."""

import re
from pathlib import Path

# What a folder of templates is read for; editors leave others there.
TEMPLATE = re.compile(r"[a-z0-9][a-z0-9_-]*\.(?:html|css|js|svg)")
MOST_TEMPLATES = 64
MOST_TEMPLATE_BYTES = 64 * 1024


class Beside:
    """The folder in which a configuration is; paths in it begin there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noted: set[Path] = set()

    @property
    def noted(self) -> frozenset[Path]:
        """All that was asked for, whether it was there or not; of a folder, itself and all that is in it."""
        return frozenset(self._noted)

    def content(self, name: str, most_bytes: int) -> bytes:
        """What is in a file, cut off one byte beyond what it may have. Raises ValueError."""
        path = self._folder / name
        self._noted.add(path)
        return _read(path, name, most_bytes)

    def templates(self, name: str) -> dict[str, str]:
        """The texts of the templates in a folder, by the names of their files. Raises ValueError."""
        folder = self._folder / name
        self._noted.add(folder)
        try:
            paths = sorted(path for path in folder.iterdir() if TEMPLATE.fullmatch(path.name))
        except OSError as exc:
            raise ValueError(f"should be a folder that can be read: {exc.strerror}") from exc
        self._noted.update(paths)
        if not paths:
            raise ValueError("should have templates in it, with names such as base.html")
        if len(paths) > MOST_TEMPLATES:
            raise ValueError(f"should have at most {MOST_TEMPLATES} templates, and has {len(paths):,}")
        return {path.name: _template(folder, path, f"{name}/{path.name}") for path in paths}


def _template(folder: Path, path: Path, name: str) -> str:
    # A mounted volume links to its own files.
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name} should be a file in this folder, and leads out of it")
    content = _read(path, name, MOST_TEMPLATE_BYTES)
    if len(content) > MOST_TEMPLATE_BYTES:
        raise ValueError(f"{name} should have at most {MOST_TEMPLATE_BYTES:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as exc:
        raise ValueError(f"{name} should be text in UTF-8") from exc


def _read(path: Path, name: str, most_bytes: int) -> bytes:
    try:
        # A pipe would have no end.
        if not path.is_file():
            raise ValueError(f"{name} should be a file that is there")
        with path.open("rb") as file:
            return file.read(most_bytes + 1)
    except OSError as exc:
        raise ValueError(f"{name} should be a file that can be read: {exc.strerror}") from exc
