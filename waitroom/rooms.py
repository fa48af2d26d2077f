"""Rooms: which of them guards a request. Matching sees a normalised path, so that no spelling slips past a rule."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.cookies import admission_names
from waitroom.engines import Engine
from waitroom.identity import Identity
from waitroom.languages import SOURCE
from waitroom.limits import Limits, OnStoreLoss
from waitroom.look import OURS, Look
from waitroom.origin_terms import DEFAULT_TERMS, OriginTerms

KEY = "{key}"

# Decoding is repeated until nothing changes: an origin may decode once more than we would guess. Bounded, since
# each step shortens the path by a third of what it decodes.
MOST_DECODINGS = 8
# Under which waitroom itself answers.
OWN_PREFIX = "/.waitroom/"
MOST_ROUTES = 4096


@dataclass(frozen=True, slots=True)
class Room:
    """A rule of the configuration, as values; times carry their unit.

    A room with {key} in its paths has a line for each key that fits `key_pattern`, `most_lines` at a time. While the
    store is lost, `on_store_loss` says what becomes of those who are not inside; `loss_cap` is how many each process
    then lets in by itself. Scripts of `cors_origins` may read what waitroom says here, and
    robots of `crawlers` pass without a place. `message` is told to all for whose language `messages`, by their codes,
    have no other. Caches may keep the public status of a line for `status_s`; with 0 it has none.
    """

    name: str
    title: str
    audience: str
    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    bypass: tuple[str, ...]
    origins: tuple[str, ...]
    limits: Limits
    page_status: int
    polls_per_second: int
    message: str
    messages: Mapping[str, str] = field(default_factory=dict, hash=False)
    language: str = SOURCE
    look: Look = OURS
    key_pattern: str = ""
    most_lines: int = 1
    identity: Identity | None = None
    on_store_loss: OnStoreLoss = "hold"
    loss_cap: int = 0
    origin_terms: OriginTerms = DEFAULT_TERMS
    adaptive: AdaptiveTerms | None = None
    cors_origins: tuple[str, ...] = ()
    crawlers: tuple[Engine, ...] = ()
    status_s: int = 0

    @property
    def is_adaptive(self) -> bool:
        return self.adaptive is not None

    @property
    def has_keys(self) -> bool:
        return KEY in self.paths[0]

    def message_in(self, language: str) -> str:
        """What the operator says, in the language of that code if possible."""
        return self.messages.get(language, self.message)

    def guards(self, host: str, path: str) -> bool:
        """Whether a request for a host (lower case, no port) and a normalised path is this room's."""
        return any(_pattern(glob).fullmatch(host) for glob in self.hosts) and self._match(path) is not None

    def key_of(self, path: str) -> str | None:
        """The key of the line that a guarded path belongs to; "" in a room without keys, None where no line can be."""
        match = self._match(path)
        if match is None or not self.has_keys:
            return ""
        key: str = match["key"]
        return key if self.has_key(key) else None

    def has_key(self, key: str) -> bool:
        """Whether there may be a line of that key."""
        return re.fullmatch(self.key_pattern, key) is not None if self.has_keys else key == ""

    def line_name(self, key: str) -> str:
        """What the line is called in Redis and in tickets; neither rooms nor keys have a slash in their names."""
        return f"{self.name}/{key}" if key else self.name

    def _match(self, path: str) -> re.Match[str] | None:
        return next((match for glob in self.paths if (match := _pattern(glob).fullmatch(path))), None)

    def lets_by(self, raw_path: str, path: str) -> bool:
        """Whether a bypass rule forwards this request without a place: never one whose spelling is unusual."""
        return raw_path == path and any(_exact(glob).fullmatch(path) for glob in self.bypass)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request belongs. `path` is the normalised one; `key` is None where no line can be;
    `own` says that waitroom itself answers. The names of the admission's cookie are those over plain HTTP, and over
    HTTPS."""

    path: str
    room: Room | None = None
    key: str | None = None
    own: bool = False
    bypass: bool = False
    admission_names: tuple[bytes, bytes] = (b"", b"")


class Rooms:
    """All rooms; the first that guards a request has it."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self._rooms = tuple(rooms)
        self._routes: dict[tuple[str, bytes], Route] = {}

    def route(self, host: str, raw_path: bytes) -> Route:
        """Where a request belongs for a host (lower case, no port) and a path as sent; remembered, since most
        repeat."""
        route = self._routes.get((host, raw_path))
        if route is None:
            if len(self._routes) >= MOST_ROUTES:
                self._routes.clear()
            route = self._routes[host, raw_path] = self._find(host, raw_path)
        return route

    def _find(self, host: str, raw_path: bytes) -> Route:
        path = normalised(raw_path)
        room = self.match(host, path)
        key = room.key_of(path) if room else None
        if room is None or key is None:
            return Route(path, room, own=path.startswith(OWN_PREFIX))
        return Route(
            path,
            room,
            key,
            own=path.startswith(OWN_PREFIX),
            bypass=room.lets_by(raw_path.decode("latin-1"), path),
            admission_names=admission_names(room.name, key),
        )

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms)

    def match(self, host: str, path: str) -> Room | None:
        return next((room for room in self._rooms if room.guards(host, path)), None)

    def named(self, name: str) -> Room | None:
        return next((room for room in self._rooms if room.name == name), None)


def host_name(authority: str) -> str:
    """The host of an authority, in lower case, without port and trailing dot."""
    host = authority.rpartition("]")[0] + "]" if authority.startswith("[") else authority.partition(":")[0]
    return host.lower().removesuffix(".")


def normalised(raw_path: bytes) -> str:
    """A path as the most lenient origin might read it: decoded, slashes joined, dots resolved (RFC 3986, 5.2.4).

    A fragment has no place in a request: it is cut off like a query."""
    path = re.split(b"[?#]", raw_path, maxsplit=1)[0]
    for _ in range(MOST_DECODINGS):
        decoded = unquote_to_bytes(path)
        if decoded == path:
            break
        path = decoded
    text = path.decode("utf-8", "replace").replace("\\", "/")
    segments: list[str] = []
    for segment in text.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    slash = "/" if segments and text.endswith(("/", "/.", "/..")) else ""
    return "/" + "/".join(segments) + slash


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """Case does not matter to rules: an origin to which it does not must not be reached past a rule by another
    spelling."""
    return re.compile(_expression(glob), re.DOTALL | re.IGNORECASE)


@lru_cache(maxsize=1024)
def _exact(glob: str) -> re.Pattern[str]:
    return re.compile(_expression(glob), re.DOTALL)


def _expression(glob: str) -> str:
    """`*` stands for any characters, `{key}` for any within a segment; `/admin/*` also for `/admin` itself."""
    expression = ".*".join(map(re.escape, glob.split("*"))).replace(re.escape(KEY), "(?P<key>[^/]+)")
    return expression.removesuffix("/.*") + "(/.*)?" if glob.endswith("/*") else expression
