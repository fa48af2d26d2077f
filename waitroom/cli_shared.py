"""What the commands share: where the configuration is, how it is read, and how a failure is told."""

from pathlib import Path

import click

from waitroom import settings
from waitroom.errors import WaitroomError
from waitroom.settings import Settings

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config/waitroom.toml"),
    show_default=True,
    help="The configuration file.",
)


class Failure(click.ClickException):
    """An error for the user: its text, and exit code 2."""

    exit_code = 2


def load(config: Path) -> Settings:
    """The settings in a file. Raises Failure, with all faults."""
    try:
        return settings.load(config)[0]
    except WaitroomError as exc:
        raise Failure(str(exc)) from exc
