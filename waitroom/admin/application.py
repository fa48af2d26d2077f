"""The admin listener put together: what is public on it, and what is behind the door."""

from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from waitroom.admin import files
from waitroom.admin.broadcast import Broadcast

MOST_BYTES = 65_536


def application(
    public: Sequence[web.RouteDef], private: Sequence[web.RouteDef], door: Middleware, broadcast: Broadcast
) -> web.Application:
    """`private` are the routes under /api; whatever is asked for there passes the door first."""
    api = web.Application(middlewares=[door])
    api.add_routes(private)
    listener = web.Application(client_max_size=MOST_BYTES)
    listener.add_routes([*public, *files.routes()])
    listener.add_subapp("/api", api)

    async def close(_: web.Application) -> None:
        broadcast.close()

    listener.on_shutdown.append(close)
    listener.on_response_prepare.append(_guard)
    return listener


async def _guard(_: web.Request, response: web.StreamResponse) -> None:
    """What is told here is of this moment, and for who asked; files say more themselves."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
