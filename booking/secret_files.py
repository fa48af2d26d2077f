"""Secrets in files, as systemd, Docker and Kubernetes hand them over: `NAME_FILE` names the file of `NAME`."""

from collections.abc import Collection, Mapping
from pathlib import Path

SUFFIX = "_FILE"


class SecretFileError(Exception):
    """Some of the files can't be used; `faults` has one sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def opened(environment: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """The environment, with each of the variables `names` that a file stands for. White space around it does not count.

    Raises SecretFileError.
    """
    given = dict(environment)
    faults = []
    for name in names:
        file = given.pop(name + SUFFIX, None)
        if file is None:
            continue
        if name in given:
            faults.append(f"{name}{SUFFIX}: {name} is set, too; keep one of them")
            continue
        try:
            given[name] = Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is not text"
            faults.append(f"{name}{SUFFIX}: {file} can't be read: {why}")
    if faults:
        raise SecretFileError(faults)
    return given
