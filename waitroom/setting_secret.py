"""A secret of a configuration: as it stands, in a file, or in the environment. No fault shows anything of it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic_core import PydanticCustomError

# The kind of its faults: what was given is not to be shown.
KIND = "secret"
# More than any password or certificate has; a file without an end must not fill the memory.
MOST_CHARACTERS = 65_536


class _Place(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class FromFile(_Place):
    """A file has it, as a mounted Secret does. White space around it does not count."""

    file: str
    """path of the file"""


class FromEnvironment(_Place):
    """A variable of the environment has it."""

    env: str
    """name of the variable"""


def secret(check: Callable[[str], object] = str) -> BeforeValidator:
    """Reads a secret from where it is. `check` raises ValueError, without showing it, where it can't be used."""

    def revealed(given: object) -> SecretStr:
        try:
            text = _text(given)
            check(text)
        except ValueError as exc:
            raise PydanticCustomError(KIND, "{fault}", {"fault": str(exc)}) from exc
        return SecretStr(text)

    return BeforeValidator(revealed, json_schema_input_type=str | FromFile | FromEnvironment)


Secret = Annotated[SecretStr, secret()]


def _text(given: object) -> str:
    match given:
        case str():
            return given
        case SecretStr():
            return given.get_secret_value()
        case {"file": str(name), **more} if not more:
            return _content(name)
        case {"env": str(name), **more} if not more:
            return _variable(name)
    raise ValueError('should be the text itself, { file = "PATH" } or { env = "NAME" }')


def _content(name: str) -> str:
    try:
        with Path(name).open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except UnicodeDecodeError as exc:
        raise ValueError(f"the file {name!r} should be text in UTF-8") from exc
    except (OSError, ValueError) as exc:
        raise ValueError(f"the file {name!r} can't be read: {getattr(exc, 'strerror', None) or exc}") from exc
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the file {name!r} is too long for a secret")
    return _some(text.strip(), f"the file {name!r} is empty: write the secret into it")


def _variable(name: str) -> str:
    unset = f"the environment has no variable {name!r}, or an empty one: set it for this process"
    return _some(os.environ.get(name, "").strip(), unset)


def _some(text: str, fault: str) -> str:
    """An empty one would mean something else than what was asked for."""
    if not text:
        raise ValueError(fault)
    return text
