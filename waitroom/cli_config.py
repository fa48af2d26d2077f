"""The commands on a configuration: what it means, and what one may say."""

from collections.abc import Iterator
from pathlib import Path

import click

from waitroom import explain, schema
from waitroom.cli_acting import at_desk
from waitroom.cli_shared import Failure, config_option, load
from waitroom.desk.room_desk import RoomDesk
from waitroom.rooms import Room
from waitroom.settings import Settings


@click.command()
@config_option
@click.option("--offline", is_flag=True, help="Do not ask Redis what is in force.")
def check(config: Path, *, offline: bool) -> None:
    """Validate a configuration, and say in words what it means, and what it would change of what is in force."""
    loaded = load(config)
    for line in explain.explain(loaded):
        click.echo(line)
    for warning in explain.warnings(loaded):
        click.secho(f"Warning: {warning}", fg="yellow")
    if not offline:
        for line in _differences(config, loaded):
            click.echo(line)


def _differences(config: Path, loaded: Settings) -> Iterator[str]:
    """Lines of text; that nothing can be compared is one of them, and no failure."""
    yield "Compared with what Redis has in force:"
    for room in loaded.to_rooms(edited_ms=0):
        try:
            yield from explain.differences(room, at_desk(config, room.name, _in_force))
        except Failure as exc:
            yield f"Nothing: {exc if loaded.store.url else 'the embedded Redis runs only while a waitroom does'}."
            return


async def _in_force(_: Room, desk: RoomDesk) -> explain.InForce:
    now_ms, overrides = await desk.read()
    return explain.InForce(now_ms, await desk.limits(), overrides)


@click.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of a configuration, for editors."""
    click.echo(schema.text(), nl=False)
