"""The commands `waitroom rehearse` and `waitroom plan`."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import uvloop
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from waitroom.admin.client import Client, DeskError
from waitroom.cli_shared import Failure, config_option, load
from waitroom.errors import WaitroomError
from waitroom.rehearsal import forecast, rehearse, site
from waitroom.rehearsal.charts import duration
from waitroom.rehearsal.crowd import Crowd, Habits
from waitroom.rehearsal.findings import Findings, Variant
from waitroom.rehearsal.options import Duration, crowd_options, habits
from waitroom.rehearsal.plan import planned, variants
from waitroom.rehearsal.rehearse import Rehearsal, Stage
from waitroom.rehearsal.report import Report
from waitroom.rehearsal.stand_in import standing_in
from waitroom.rooms import Room
from waitroom.settings import Settings
from waitroom.settings_rooms import RoomSettings

MOST_VISITORS = 100_000
BROKEN = 1
console = Console(highlight=False)
report_option = click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for report.html and report.json, which are replaced.",
)


@click.command("rehearse")
@crowd_options
@config_option
@click.option("--room", help="Which room; needed where the configuration has several.")
@click.option("--key", default="", help="Which line, in a room with {key} in its paths.")
@click.option("--page", help="The path that visitors come for; default: the first that the room guards.")
@click.option("--target", help="Where waitroom answers; default: where the configuration lets it listen.")
@click.option("--within", "longest_s", type=Duration(1), default="1h", show_default=True, help="Stop after this time.")
@click.option("--with-origin", is_flag=True, help="Stand in for the site behind the room, which does not run.")
@click.option("--huge", is_flag=True, help=f"Let more than {MOST_VISITORS:,} visitors come.")
@click.option("--yes-this-is-my-site", "anywhere", is_flag=True, help="Let a crowd loose on another machine.")
@report_option
def rehearse_command(
    config: Path,
    room: str | None,
    target: str | None,
    folder: Path | None,
    longest_s: float,
    **options: Any,
) -> None:
    """Send a crowd of real visitors at a room on this machine, and report what became of them.

    They come by schedule, whatever becomes of those before, poll as the waiting page does, go in when called, and lose
    patience. Ends with 1 if a promise was broken; Ctrl-C ends it early, with a report.
    """
    stages = {name: options.pop(name) for name in ("key", "page", "with_origin", "huge", "anywhere")}
    crowd = habits(options)
    if crowd.visitors > MOST_VISITORS and not stages["huge"]:
        raise Failure(f"--visitors {crowd.visitors} is more than {MOST_VISITORS:,}: say --huge if you mean it")
    loaded = load(config)
    guarded = _room(loaded, room, config)
    if crowd.think_s * 3 > guarded.limits.session_ms / 1000:
        raise Failure(
            f"--think {crowd.think_s:g}s is too long for leases of {guarded.limits.session_ms // 1000} s "
            "(session_s): visitors would lose their places between two requests"
        )
    try:
        findings = uvloop.run(_rehearsed(loaded, guarded, crowd, target or _own_url(loaded), longest_s, **stages))
    except WaitroomError as exc:
        raise Failure(str(exc)) from exc
    except OSError as exc:
        raise Failure(f"--target {target}: {exc.strerror or exc}") from exc
    _tell(Report(findings, _named(guarded, stages["key"]), _now()), folder or Path("rehearsal"))


@click.command("plan")
@crowd_options
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Begin with the limits of a room here.")
@click.option("--room", help="Which room of it; needed where it has several.")
@click.option("--rate", "rate_per_minute", type=int, help="Calls a minute.  [default: 600]")
@click.option("--burst", type=int, help="Calls at once after a quiet time.  [default: a second's worth and one]")
@click.option("--cap", type=int, help="Visitors inside.  [default: 200]")
@click.option("--session", "session_s", type=Duration(1), help="A lease.  [default: 10m]")
@click.option("--claim", "claim_s", type=Duration(1), help="How long a called place is kept.  [default: 60s]")
@click.option("--presence", "presence_s", type=Duration(1), help="Who polls less often is absent.  [default: 60s]")
@click.option("--polls-per-second", type=int, help="The budget of a line's polls.  [default: 10000]")
@click.option(
    "--within", "longest_s", type=Duration(1), default=forecast.LONGEST_S, help="Look so far ahead.  [default: 48h]"
)
@report_option
def plan_command(config: Path | None, room: str | None, longest_s: float, folder: Path | None, **options: Any) -> None:
    """Foretell what a crowd would meet, in seconds, by a model of the line and the pacing code of waitroom.

    The options that describe the crowd are those of `waitroom rehearse`, and both agree where a crowd fits both.
    """
    names = ("rate_per_minute", "burst", "cap", "session_s", "claim_s", "presence_s", "polls_per_second")
    wanted = {name: value for name in names if (value := options.pop(name)) is not None}
    given = _planned_room(config, room, wanted)
    crowd = habits(options)
    with console.status(f"{crowd.visitors:,} visitors come, wait and go…"):
        findings = planned(crowd, given.limits, given.polls_per_second, longest_s)
        tried = list(variants(crowd, given.limits, given.polls_per_second, longest_s))
    _tell(Report(findings, _named(given, ""), _now(), tried), folder)


def _planned_room(config: Path | None, name: str | None, wanted: dict[str, Any]) -> Room:
    """A room with these limits over those of the configuration, checked as there."""
    before: dict[str, Any] = {"name": "plan", "title": "a room", "origins": []}
    if config:
        loaded = load(config)
        given = next(one for one in loaded.rooms if one.name == _room(loaded, name, config).name)
        before = given.model_dump(exclude={"page"})  # of which the files were read, and which changes no wait
        if "rate_per_minute" in wanted:
            before["burst"] = None
    elif name:
        raise Failure(f"--room {name}: say with --config which file has it")
    whole = {key: int(value) for key, value in wanted.items()}
    try:
        return RoomSettings.model_validate(before | whole).to_room(version=1, edited_ms=0)
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, error['loc']))} {error['msg']}".strip() for error in exc.errors())
        raise Failure(f"these limits make no room: {faults}") from exc


async def _rehearsed(
    loaded: Settings, room: Room, crowd: Habits, target: str, longest_s: float, **stages: Any
) -> Findings:
    if target.partition("://")[0] not in ("http", "https"):
        raise Failure(f"--target {target} should be a URL such as http://127.0.0.1:8080")
    async with AsyncExitStack() as stack:
        if stages["with_origin"]:
            if not room.origins:
                raise Failure(f"--with-origin: room {room.name!r} has no origins to stand in for")
            await stack.enter_async_context(standing_in(room.origins[0]))
        asked = await site.reach(target.rstrip("/"), anywhere=stages["anywhere"])
        stack.callback(asked.close)
        desk = Client(loaded)
        admin = await site.reach(desk.url, anywhere=stages["anywhere"])
        stack.callback(admin.close)
        page = stages["page"] or room.paths[0].replace("{key}", stages["key"]).replace("*", "")
        stage = Stage(asked, admin, _token(desk), room.name, stages["key"], page)
        await rehearse.find(stage)
        rehearsal = Rehearsal(stage, Crowd.of(crowd), room.limits.presence_ms / 1000)
        record = await _run(rehearsal, longest_s)
        return Findings(crowd, room.limits, record)


async def _run(rehearsal: Rehearsal, longest_s: float) -> Any:
    """Runs it to its end or to Ctrl-C, and shows how far it is."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} served"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        visitors = len(rehearsal.record.fates.arrived_s)
        bar = progress.add_task("Waiting for the first…", total=visitors)

        def tell(so_far: Rehearsal) -> None:
            scene = so_far.scene
            text = f"{so_far.arrived:,} came, {scene.waiting:,} wait, {scene.inside:,} inside"
            progress.update(bar, completed=scene.settled, description=text)

        running = asyncio.ensure_future(rehearsal.run(longest_s, tell))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)
        return await running


def _tell(report: Report, folder: Path | None) -> None:
    """Prints what counts, writes the report, and ends with BROKEN where a promise was broken."""
    findings = report.findings
    table = Table(title=f"{report.kind.capitalize()} of {report.room}", show_header=False, title_justify="left")
    for name, value in report.facts():
        table.add_row(name, value)
    console.print(table)
    _print_variants(report.variants)
    for promise in findings.promises:
        sign = {True: "[green]✓", False: "[red]✗", None: "[yellow]?"}[promise.kept]
        console.print(f"{sign}[/] {promise.text}: {promise.detail}")
    for kind, count in findings.record.errors.most_common(5):
        console.print(f"[red]{count:,} times: {kind}")
    console.print(f"[bold]{findings.verdict}.[/] {findings.record.was_stopped}")
    if folder:
        _write(report, folder)
    if findings.broken and not findings.is_plan:
        raise SystemExit(BROKEN)


def _print_variants(tried: Sequence[Variant]) -> None:
    if not tried:
        return
    table = Table(
        Column("Other limits", no_wrap=True), "Line ends after", "Median wait", "9 of 10 within", "Longest wait"
    )
    for variant in tried:
        waits = variant.findings.waits
        times = (variant.findings.line_ends_s, waits.p50_s, waits.p90_s, waits.longest_s)
        table.add_row(variant.name, *(duration(round(seconds)) for seconds in times))
    console.print(table)


def _write(report: Report, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.html").write_text(report.to_html(), "utf-8")
        (folder / "report.json").write_text(report.to_json(), "utf-8")
    except OSError as exc:
        raise Failure(f"--report {folder}: {exc.strerror}") from exc
    console.print(f"Wrote {folder / 'report.html'} and report.json")


def _room(loaded: Settings, name: str | None, config: Path) -> Room:
    """The room that is meant. Raises Failure."""
    rooms = list(loaded.to_rooms(edited_ms=0))
    names = ", ".join(room.name for room in rooms)
    if name is None and len(rooms) > 1:
        raise Failure(f"{config} has several rooms: name one of {names} with --room")
    found = [room for room in rooms if name in (None, room.name)]
    if not found:
        raise Failure(f"{config} has no room {name!r}: it has {names}")
    return found[0]


def _own_url(loaded: Settings) -> str:
    """Where waitroom listens on this machine by its configuration."""
    if not loaded.server.listen:
        raise Failure(
            "this waitroom listens with TLS only: say with --target where, by a name that its certificate has"
        )
    host, _, port = loaded.server.listen[0].rpartition(":")
    own = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  # what they stand for, from here
    return f"http://{own.get(host, host)}:{port}"


def _token(desk: Client) -> str:
    """What opens the admin listener; nothing does where there is none, and visitors then tell what they see."""
    try:
        return desk.token
    except DeskError:
        return ""


def _named(room: Room, key: str) -> str:
    return f"{room.title}, {key}" if key else room.title


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
