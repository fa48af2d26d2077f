"""What the commands share: where the configuration is, how it is read, how failure is told, and what is logged."""

import logging
import re
import sys
from pathlib import Path
from typing import Any

import click

from waitroom import settings
from waitroom.errors import WaitroomError
from waitroom.settings import Settings

UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config/waitroom.toml"),
    show_default=True,
    help="The configuration file.",
)


class Duration(click.ParamType[int]):
    """A time: 90, 90s, 10m, 2h or 1d. Gives seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,9})([smhd]?)", str(value))
        if not match or not int(match[1]):
            self.fail(f"{value!r} should be a time such as 90s, 10m, 2h or 1d", param, ctx)
        return int(match[1]) * UNITS_S[match[2]]


class Failure(click.ClickException):
    """An error for the user: its text, and exit code 2."""

    exit_code = 2


def load(config: Path) -> Settings:
    """The settings in a file. Raises Failure, with all faults."""
    try:
        return settings.load(config)[0]
    except WaitroomError as exc:
        raise Failure(str(exc)) from exc


def log_to_stderr() -> None:
    """For commands that serve."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(process)d %(name)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
