"""The command `waitroom keys`."""

from pathlib import Path

import click

from waitroom import keys
from waitroom.cli_shared import Failure


@click.command("keys")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("keys"), show_default=True)
def make_keys(out: Path) -> None:
    """Make a pair of keys: for admissions and for tickets."""
    try:
        admission, ticket = keys.make_pair(out)
    except FileExistsError as exc:
        raise Failure(f"{exc.filename} exists, and what it signed hangs on it: choose another --out") from exc
    click.echo(f"Wrote {admission} and {ticket}. Name them in the configuration:\n")
    click.echo(f'[keys]\nadmission = ["{admission}"]\nticket = ["{ticket}"]')
