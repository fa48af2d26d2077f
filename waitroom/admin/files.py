"""The dashboard's own files: public, since they contain nothing; what they show they ask the API for."""

from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable

from aiohttp import web

FOLDER = resources.files("waitroom.admin") / "static"
INDEX = "index.html"
TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
# Everything is from here, and nothing is inline; the charts place their parts by style attributes that scripts set,
# which this does not forbid (CSP Level 3, section 6.7.3.3).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
FIELDS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def routes() -> list[web.RouteDef]:
    """One for each file, read once, so that no path can lead elsewhere."""
    files = dict(_files(FOLDER, "/"))
    return [web.get(path, _answering(file)) for path, file in [("/", files[f"/{INDEX}"]), *files.items()]]


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for file in folder.iterdir():
        if file.is_dir():
            yield from _files(file, f"{path}{file.name}/")
        elif _ending(file) in TYPES:
            yield f"{path}{file.name}", file


def _ending(file: Traversable) -> str:
    return file.name.rpartition(".")[2]


def _answering(file: Traversable) -> Callable[[web.Request], Awaitable[web.Response]]:
    body, content_type = file.read_bytes(), TYPES[_ending(file)]

    async def answer(_: web.Request) -> web.Response:
        response = web.Response(body=body, content_type=content_type, charset="utf-8", headers=FIELDS)
        response.enable_compression()
        return response

    return answer
