"""What waitroom says in its own name under /.waitroom/: the key set, the contract of places, answers to probes, the
choice of a language."""

import json
from pathlib import Path
from urllib.parse import parse_qs

from waitroom.answers import problem, see_other
from waitroom.cookies import LANGUAGE_COOKIE, LANGUAGE_MAX_AGE_S, set_cookie
from waitroom.keys import Keys
from waitroom.languages import Languages
from waitroom.lines import Lines
from waitroom.response import Response
from waitroom.rooms import OWN_PREFIX

CONTRACT = Path(__file__).with_name("openapi.json")
KEY_SET_MAX_AGE_S = 300
CONTRACT_MAX_AGE_S = 3600
METHODS = (b"GET", b"HEAD")
TEXT_FIELDS = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))


class Own:
    """Answers that need no visitor."""

    def __init__(self, keys: Keys, lines: Lines, languages: Languages) -> None:
        self._lines = lines
        self._languages = languages
        key_set = json.dumps({"keys": [key.to_jwk() for key in keys.admission]}).encode()
        self._key_set = _public(key_set, KEY_SET_MAX_AGE_S)
        self._contract = _public(CONTRACT.read_bytes(), CONTRACT_MAX_AGE_S)

    def answer(self, method: bytes, target: str, *, secure: bool) -> Response:
        """What there is at a path, with its query, under /.waitroom/."""
        path, _, query = target.partition("?")
        if method not in METHODS:
            refusal = problem(405, "bad_method", "Only to be read", f"Ask for {path} with GET.")
            return refusal.with_fields([("Allow", "GET, HEAD")])
        match path.removeprefix(OWN_PREFIX):
            case "jwks.json":
                return self.key_set()
            case "openapi.json":
                return self.contract()
            case "live":
                return self.live()
            case "ready":
                return self.ready()
            case "language":
                return self.language(query, secure=secure)
            case _:
                return problem(404, "not_found", "Not found", f"Waitroom has nothing at {path}.")

    def key_set(self) -> Response:
        """`GET /.waitroom/jwks.json`: the public keys by which origins verify admissions (RFC 7517)."""
        return self._key_set

    def contract(self) -> Response:
        """`GET /.waitroom/openapi.json`: what apps may ask about places, and what they are answered (OpenAPI 3.1)."""
        return self._contract

    def live(self) -> Response:
        """`GET /.waitroom/live`: the process answers."""
        return _text("live")

    def ready(self) -> Response:
        """`GET /.waitroom/ready`: every line was seen once. A store lost since leaves it ready: visitors' places are
        kept here, and a balancer that took all processes out would lose them their page."""
        if not self._lines.all_seen:
            return problem(503, "not_ready", "Not ready", "The store has not been reached yet.")
        return _text("ready, but the store is lost" if self._lines.store_lost else "ready")

    def language(self, query: str, *, secure: bool) -> Response:
        """`GET /.waitroom/language?to=ko&back=/path`: keeps the choice, and leads back to a path of this site."""
        asked = parse_qs(query, errors="replace")
        code, back = (asked.get(name, [""])[0] for name in ("to", "back"))
        chosen = set_cookie(LANGUAGE_COOKIE, code, LANGUAGE_MAX_AGE_S, secure=secure)
        cookies = [("Set-Cookie", chosen)] if code in self._languages.codes else []
        return see_other(back).with_fields(cookies)


def _public(body: bytes, max_age_s: int) -> Response:
    """JSON that is the same for everybody."""
    fields = (("Content-Type", "application/json"), ("Cache-Control", f"public, max-age={max_age_s}"))
    return Response(200, fields, body)


def _text(text: str) -> Response:
    return Response(200, TEXT_FIELDS, f"{text}\n".encode())
