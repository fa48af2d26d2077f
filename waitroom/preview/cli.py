"""The command `waitroom preview`."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import click
from aiohttp import web

from waitroom.background import in_background
from waitroom.cli_shared import Failure, config_option, log_to_stderr
from waitroom.config_file import ConfigFile
from waitroom.errors import WaitroomError
from waitroom.languages import Languages
from waitroom.preview.gallery import INDEX, Gallery
from waitroom.preview.serving import Preview, room_of
from waitroom.sockets import close, open_sockets


@click.command()
@config_option
@click.option("--room", default="", help="The name of the room; the first if left out.")
@click.option("--listen", default="127.0.0.1:9181", show_default=True, help="Where it is served.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write it to this folder instead.")
def preview(config: Path, room: str, listen: str, out: Path | None) -> None:
    """Show every state of a room's pages, side by side, as they look by this configuration.

    A change of the file, the logo or a template is shown at once; one that is refused is told, and the pages stay.
    """
    try:
        file = ConfigFile(config)
        found = room_of(file, room)
        if out:
            _write(Gallery(found, Languages()), out)
        else:
            log_to_stderr()
            asyncio.run(_serve(Preview(file, found.name), listen))
    except (WaitroomError, LookupError) as exc:
        raise Failure(str(exc)) from exc
    except OSError as exc:
        raise Failure(f"{exc.filename}: {exc.strerror}") from exc


def _write(gallery: Gallery, folder: Path) -> None:
    for name, text in gallery.files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    click.echo(folder / INDEX)


async def _serve(shown: Preview, listen: str) -> None:
    async with AsyncExitStack() as stack:
        runner = web.AppRunner(shown.application(), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await in_background(stack, shown.follow())
        sockets = open_sockets([listen], 1, {})
        stack.callback(close, sockets)
        for socket in sockets[listen]:
            await web.SockSite(runner, socket).start()
        click.echo(f"http://{listen}/")
        await asyncio.Event().wait()
