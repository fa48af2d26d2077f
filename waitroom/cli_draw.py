"""The command that checks a draw. It needs nothing of the waitroom whose draw it was."""

import click

from waitroom import draw
from waitroom.cli_shared import Failure
from waitroom.draw import Draw
from waitroom.errors import MalformedTicketError


def _hash(_context: click.Context, _parameter: click.Parameter, text: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError as exc:
        raise click.BadParameter(f"{text!r} is not hex") from exc
    if len(data) != draw.SEED_BYTES:
        raise click.BadParameter(f"should be {draw.SEED_BYTES} bytes in hex, and has {len(data)}")
    return data


@click.command("verify-draw")
@click.option("--seed", metavar="HEX", required=True, callback=_hash, help="The seed, shown after the opening.")
@click.option("--commitment", metavar="HEX", required=True, callback=_hash, help="What was published before it.")
@click.option("--size", type=click.IntRange(1, draw.LARGEST_SIZE), required=True, help="How many places were drawn.")
@click.argument("arrivals", metavar="TICKET_OR_ARRIVAL...", nargs=-1, required=True)
def verify_draw(seed: bytes, commitment: bytes, size: int, arrivals: tuple[str, ...]) -> None:
    """Check that a seed is the one that was committed to, and say which places it gave.

    An arrival is a number, counted from 0, or the text of a ticket: the value of the room's cookie. Places count
    from 1.
    """
    if draw.commitment(seed) != commitment.hex():
        raise Failure(
            "the seed does not fit the commitment: this is not the draw that was committed to\n"
            f"  SHA-256 of the seed: {draw.commitment(seed)}\n"
            f"  the commitment:      {commitment.hex()}"
        )
    drawn = Draw(seed, size)
    places = [(arrival, drawn.place(arrival)) for arrival in (_arrival(text, size) for text in arrivals)]
    click.echo("The seed fits the commitment.")
    for arrival, place in places:
        click.echo(f"Arrival {arrival:,} of the draw of {size:,} has place {place:,}")


def _arrival(text: str, size: int) -> int:
    try:
        arrival = int(text) if text.isdecimal() else draw.arrival_in(text)
    except (MalformedTicketError, ValueError) as exc:
        raise Failure(f"{text}: should be an arrival, like 17, or the text of a ticket, like v1.c2l0ZX4xf...") from exc
    if arrival is None:
        raise Failure(f"{text}: this ticket was given after the opening: its number was not drawn")
    if not 0 <= arrival < size:
        raise Failure(f"{text}: arrival {arrival:,} is not in a draw of {size:,}, whose arrivals are 0 to {size - 1:,}")
    return arrival
