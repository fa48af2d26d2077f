"""The operator's commands on a room: what is set over its configuration, and what was done when and by whom."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from waitroom.cli_acting import at_desk, who, why_option
from waitroom.cli_shared import Duration, Failure, config_option
from waitroom.desk.knobs import TEXTS, values_of
from waitroom.desk.overrides import KNOBS, Override, Overrides
from waitroom.desk.room_desk import ENTRIES, Entry, RoomDesk
from waitroom.limits import Mode
from waitroom.rooms import Room

# What operators say for short.
SHORT = {"rate": "rate_per_minute", "session": "session_s", "claim": "claim_s", "presence": "presence_s"}
Changes = Mapping[str, int | str | None]

for_option = click.option(
    "--for", "for_s", type=Duration(), default=0, help="For how long: 30m or 2h; until it is cleared, if not said."
)
room_argument = click.argument("room")


@click.command("set")
@room_argument
@click.argument("knobs", nargs=-1, required=True, metavar="KNOB=VALUE...")
@for_option
@why_option
@config_option
def set_knobs(room: str, knobs: tuple[str, ...], for_s: int, why: str, config: Path) -> None:
    """Turn knobs of a room, over its configuration: rate (calls a minute), cap, session, claim, presence (seconds),
    burst, mode, message.

    It holds in all processes within a second, until its time is over or it is cleared.
    """
    _turn(config, room, dict(_knob(one) for one in knobs), for_s, why)


@click.command()
@room_argument
@click.argument("knobs", nargs=-1, metavar="[KNOB]...")
@why_option
@config_option
def clear(room: str, knobs: tuple[str, ...], why: str, config: Path) -> None:
    """Give knobs back to the configuration: those that are named, or all."""

    async def act(known: Room, desk: RoomDesk) -> None:
        now_ms, before = await desk.read()
        names = [SHORT.get(name, name) for name in knobs] or list(before.holding(now_ms))
        if unknown := [name for name in names if name not in KNOBS]:
            raise Failure(f"there is no knob {unknown[0]!r}: there are {', '.join(KNOBS)}")
        if not [name for name in names if name in before.holding(now_ms)]:
            click.echo(f"Nothing of that is set over the configuration of {room!r}.")
            return
        _, after = await desk.turn(dict.fromkeys(names), who=who(), why=why)
        _tell(known, before, after, now_ms)

    at_desk(config, room, act)


def _mode_command(name: str, mode: Mode, text: str) -> click.Command:
    @click.command(name, help=text)
    @room_argument
    @for_option
    @why_option
    @config_option
    def command(room: str, for_s: int, why: str, config: Path) -> None:
        _turn(config, room, {"mode": mode}, for_s, why)

    return command


hold = _mode_command("hold", "hold", "Call nobody: who is inside goes on, the others wait, and are told so.")
open_room = _mode_command("open", "open", "Let everybody pass: no limit is kept.")
close = _mode_command("close", "closed", "Refuse everybody, by a clear page.")
queue = _mode_command("queue", "queue", "Let everybody wait a turn, also while there is room.")


@click.command()
@room_argument
@why_option
@config_option
def resume(room: str, why: str, config: Path) -> None:
    """End a hold, or any other mode that was set: the configuration's mode is in force again."""

    async def act(known: Room, desk: RoomDesk) -> None:
        now_ms, before = await desk.read()
        # A hold of the configuration itself is what the operator wants to end.
        mode = "auto" if known.limits.mode == "hold" else None
        _, after = await desk.turn({"mode": mode}, who=who(), why=why)
        _tell(known, before, after, now_ms)

    at_desk(config, room, act)


@click.command()
@room_argument
@click.argument("text")
@for_option
@why_option
@config_option
def message(room: str, text: str, for_s: int, why: str, config: Path) -> None:
    """Say something to those who wait: it is on their page with the next poll. An empty TEXT says nothing."""
    _turn(config, room, {"message": text}, for_s, why)


@click.command()
@room_argument
@click.option("--most", type=click.IntRange(1, 10_000), default=ENTRIES, show_default=True, help="How many entries.")
@config_option
def audit(room: str, most: int, config: Path) -> None:
    """Show who did what, when and why; the newest last."""
    for entry in reversed(at_desk(config, room, lambda _, desk: desk.audit(most))):
        click.echo(_line(entry))


def _line(entry: Entry) -> str:
    """One act: when, by whom, what, from what to what, until when, and why."""
    change = " → ".join(value for value in (entry.before, entry.after) if value)
    until = f"until {_moment(entry.until_ms)}" if entry.until_ms else ""
    what = " ".join(part for part in (entry.act, entry.knob, change, until) if part)
    return f"{_moment(entry.at_ms)}  {entry.who}  {what}" + (f": {entry.why}" if entry.why else "")


def _turn(config: Path, room: str, changes: Changes, for_s: int, why: str) -> None:
    async def act(known: Room, desk: RoomDesk) -> None:
        now_ms, before = await desk.read()
        until_ms = now_ms + for_s * 1000 if for_s else 0
        _, after = await desk.turn(changes, until_ms=until_ms, who=who(), why=why)
        _tell(known, before, after, now_ms)

    at_desk(config, room, act)


def _knob(text: str) -> tuple[str, int | str]:
    name, equals, value = text.partition("=")
    knob = SHORT.get(name, name)
    if not equals:
        raise Failure(f"{text!r} should be KNOB=VALUE, for instance rate=600")
    if knob in KNOBS and knob not in TEXTS:
        if not value.isascii() or not value.isdigit():
            raise Failure(f"{knob}: {value!r} should be a whole number")
        return knob, int(value)
    return knob, value


def _tell(room: Room, before: Overrides, after: Overrides, now_ms: int) -> None:
    then, now = values_of(before.over(room, now_ms)), values_of(after.over(room, now_ms))
    holding = after.holding(now_ms)
    for knob in [knob for knob in KNOBS if before.knobs.get(knob) != after.knobs.get(knob)]:
        how_long = _how_long(holding.get(knob))
        click.echo(f"Room {room.name!r}: {knob} {_shown(then[knob])} → {_shown(now[knob])}, {how_long}.")
    click.echo("All processes have it within a second.")


def _how_long(override: Override | None) -> str:
    if override is None:
        return "as the configuration says"
    if override.until_ms:
        return f"until {_moment(override.until_ms)}"
    return "until it is cleared"


def _shown(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else repr(value)


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
