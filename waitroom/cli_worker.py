"""The command by which a supervisor starts a worker."""

import click
import uvloop

from waitroom.cli_shared import Failure, log_to_stderr
from waitroom.errors import WaitroomError
from waitroom.orders import Orders
from waitroom.worker import work


@click.command(hidden=True)
@click.argument("orders")
def worker(orders: str) -> None:
    """Serve by a supervisor's orders."""
    log_to_stderr()
    try:
        uvloop.run(work(Orders.of_text(orders)))
    except WaitroomError as exc:
        # The supervisor was told what is wrong, and says it.
        raise SystemExit(Failure.exit_code) from exc
