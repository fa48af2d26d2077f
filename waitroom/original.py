"""Forward-auth: the visitor's request that a proxy asks about, read out of the request by which it asks. Pure.

Each proxy tells it in its own way: nginx as its configuration says, by X-Original-URI and X-Original-Method; Traefik
and Caddy by X-Forwarded-Uri and X-Forwarded-Method; Envoy sends the request itself, with PREFIX before its path.
"""

from dataclasses import dataclass

from waitroom.headers import AUTHORITY, Fields, values

PREFIX = b"/.waitroom/authz"


@dataclass(frozen=True, slots=True)
class Original:
    """`target` is path and query as sent, `host` the authority, "" where the asker's X-Forwarded-Host or Host has it.
    `shows_refusals` is whether the proxy hands on what it is answered: nginx drops all but the status."""

    method: str
    target: str
    host: str
    shows_refusals: bool

    @property
    def path(self) -> bytes:
        """As sent, without the query."""
        return self.target.partition("?")[0].encode("latin-1")


def is_about_another(target: bytes) -> bool:
    """Whether a raw target asks about another request. Never by the normalised path: what stands behind PREFIX is a
    visitor's, and dots in it could lead out of it."""
    return target.startswith(PREFIX) and target[len(PREFIX) : len(PREFIX) + 1] in (b"", b"?", b"/")


def original(method: str, target: bytes, authority: str, fields: Fields) -> Original | None:
    """The request behind one whose target is about another; None where none is told, or more than one: a visitor may
    have added the fields that its proxy does not use."""
    behind = target[len(PREFIX) :].decode("latin-1")
    if behind.startswith("/"):
        return Original(method, behind, authority, shows_refusals=True)
    by_nginx = [values(fields, name) for name in ("x-original-method", "x-original-uri")]
    by_others = [values(fields, name) for name in ("x-forwarded-method", "x-forwarded-uri")]
    if any(by_nginx) == any(by_others):
        return None
    match by_nginx if any(by_nginx) else by_others:
        case [[told_method], [told_target]] if told_target.startswith("/"):
            host = "".join(values(fields, "x-original-host")[:1]) if any(by_nginx) else ""
            believed = host if AUTHORITY.fullmatch(host) else ""
            return Original(told_method, told_target, believed, shows_refusals=not any(by_nginx))
    return None
