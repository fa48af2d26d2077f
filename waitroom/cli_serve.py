"""The command `waitroom serve`."""

from pathlib import Path

import click
import uvloop

from waitroom.cli_shared import Failure, config_option, log_to_stderr
from waitroom.errors import WaitroomError
from waitroom.supervisor import supervise


@click.command()
@config_option
@click.option("--take-over", is_flag=True, help="Relieve the waitroom that runs with this configuration.")
def serve(config: Path, *, take_over: bool) -> None:
    """Stand in front of the site until stopped.

    SIGTERM lets requests under way finish, a second one does not; SIGHUP applies the whole configuration.
    """
    log_to_stderr()
    try:
        uvloop.run(supervise(config, take_over=take_over))
    except WaitroomError as exc:
        raise Failure(str(exc)) from exc
