"""Our own responses as aiohttp sends them."""

from aiohttp import web

from waitroom.response import Response


def served(response: Response) -> web.Response:
    return web.Response(status=response.status, headers=response.fields, body=response.body)
