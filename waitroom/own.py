"""What waitroom says in its own name under /.waitroom/: the key set, and answers to probes."""

from aiohttp import web

from waitroom.answers import problem
from waitroom.keys import Keys
from waitroom.lines import Lines
from waitroom.served import served

KEY_SET_MAX_AGE_S = 300


class Own:
    """Handlers that need no visitor."""

    def __init__(self, keys: Keys, lines: Lines) -> None:
        self._key_set = {"keys": [key.to_jwk() for key in keys.admission]}
        self._lines = lines

    async def key_set(self, _: web.Request) -> web.Response:
        """`GET /.waitroom/jwks.json`: the public keys by which origins verify admissions (RFC 7517)."""
        return web.json_response(self._key_set, headers={"Cache-Control": f"public, max-age={KEY_SET_MAX_AGE_S}"})

    async def live(self, _: web.Request) -> web.Response:
        """`GET /.waitroom/live`: the process answers."""
        return web.Response(text="live\n")

    async def ready(self, _: web.Request) -> web.Response:
        """`GET /.waitroom/ready`: every line was seen once. A store lost since leaves it ready: visitors' places are
        kept here, and a balancer that took all processes out would lose them their page."""
        if not self._lines.all_seen:
            return served(problem(503, "not_ready", "Not ready", "The store has not been reached yet."))
        return web.Response(text="ready, but the store is lost\n" if self._lines.store_lost else "ready\n")
