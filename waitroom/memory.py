"""What a process must not forget over its own death: the highest numbers that it knew of each line, in a small file.

With it, a crash of Redis and of every process at once leaves the line where it was; without it (a machine without a
disk of its own) a new line begins ahead of the old by the clock.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from waitroom import whole_file
from waitroom.line import Knowledge

log = logging.getLogger(__name__)

FILE = "lines.json"
# Lua counts in doubles.
LARGEST = 2**53


class Memory:
    """The file; several processes with one folder know the same within a tick, so that the last to write is right."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._written: Mapping[str, Knowledge] = {}
        self._failed = False
        # Whether lines were kept here before, and could be read: one which is not among them is then new.
        self.was_recalled = False

    def recall(self) -> dict[str, Knowledge]:
        """What was known; a file that can't be read is as good as none."""
        try:
            told = json.loads(self._path.read_text("utf-8"))
            known = {line: _knowledge(**one) for line, one in told.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as exc:
            log.warning("%s can't be read (%s): lines begin by the clock if Redis is empty", self._path, exc)
            return {}
        self.was_recalled = True
        return known

    def keep(self, known: Mapping[str, Knowledge]) -> None:
        """Writes it, if it has changed; never half."""
        if known == self._written:
            return
        try:
            whole_file.write(self._path, json.dumps({line: asdict(one) for line, one in known.items()}))
        except OSError as exc:
            if not self._failed:
                log.warning(
                    "%s can't be written (%s): a crash of Redis and of all processes finds no memory", self._path, exc
                )
            self._failed = True
            return
        self._written, self._failed = dict(known), False


def _knowledge(epoch: int, tail: int, head: int, arrived: int, draw: str) -> Knowledge:
    """Raises ValueError for what can't have been kept: Redis would choke on it at every step."""
    numbers = (epoch, tail, head, arrived)
    if not all(type(number) is int and 0 <= number <= LARGEST for number in numbers) or not isinstance(draw, str):
        raise ValueError(f"{numbers} and {draw!r} are no knowledge of a line")
    return Knowledge(epoch, tail, head, arrived, draw)
