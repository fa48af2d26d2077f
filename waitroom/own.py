"""What waitroom says in its own name under /.waitroom/: the key set, and answers to probes."""

import json

from waitroom.answers import problem
from waitroom.keys import Keys
from waitroom.lines import Lines
from waitroom.response import Response
from waitroom.rooms import OWN_PREFIX

KEY_SET_MAX_AGE_S = 300
METHODS = (b"GET", b"HEAD")
TEXT_FIELDS = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))


class Own:
    """Answers that need no visitor."""

    def __init__(self, keys: Keys, lines: Lines) -> None:
        self._lines = lines
        self._key_set = Response(
            200,
            (("Content-Type", "application/json"), ("Cache-Control", f"public, max-age={KEY_SET_MAX_AGE_S}")),
            json.dumps({"keys": [key.to_jwk() for key in keys.admission]}).encode(),
        )
        self._pages = {
            "jwks.json": self.key_set,
            "live": self.live,
            "ready": self.ready,
        }

    def answer(self, method: bytes, path: str) -> Response:
        """What there is at a path under /.waitroom/."""
        page = self._pages.get(path.removeprefix(OWN_PREFIX))
        if page is None:
            return problem(404, "not_found", "Not found", f"Waitroom has nothing at {path}.")
        if method not in METHODS:
            return problem(405, "bad_method", "Only to be read", f"Ask for {path} with GET.").with_fields(
                [("Allow", "GET, HEAD")]
            )
        return page()

    def key_set(self) -> Response:
        """`GET /.waitroom/jwks.json`: the public keys by which origins verify admissions (RFC 7517)."""
        return self._key_set

    def live(self) -> Response:
        """`GET /.waitroom/live`: the process answers."""
        return _text("live")

    def ready(self) -> Response:
        """`GET /.waitroom/ready`: every line was seen once. A store lost since leaves it ready: visitors' places are
        kept here, and a balancer that took all processes out would lose them their page."""
        if not self._lines.all_seen:
            return problem(503, "not_ready", "Not ready", "The store has not been reached yet.")
        return _text("ready, but the store is lost" if self._lines.store_lost else "ready")


def _text(text: str) -> Response:
    return Response(200, TEXT_FIELDS, f"{text}\n".encode())
