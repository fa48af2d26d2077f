"""What the operator has set, in a small file of the state folder: it outlives a Redis that forgets everything."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from waitroom import whole_file
from waitroom.desk.overrides import Overrides

log = logging.getLogger(__name__)

FILE = "desk.json"


class Keepsake:
    """The file; several processes with one folder know the same within a second."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._failed = False

    def recall(self) -> dict[str, Overrides]:
        """The overrides by room; a file that can't be read is as good as none."""
        try:
            told = json.loads(self._path.read_text("utf-8"))
            return {room: Overrides.from_json(record) for room, record in told.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as exc:
            log.warning("%s can't be read (%s): overrides are those that Redis has", self._path, exc)
            return {}

    def keep(self, overrides: Mapping[str, Overrides]) -> None:
        """Writes it, never half."""
        try:
            whole_file.write(self._path, json.dumps({room: one.to_json() for room, one in overrides.items()}))
        except OSError as exc:
            if not self._failed:
                log.warning("%s can't be written (%s): a Redis that forgets takes the overrides along", self._path, exc)
            self._failed = True
        else:
            self._failed = False
