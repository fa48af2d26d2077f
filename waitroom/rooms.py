"""Rooms: which of them guards a request. Matching sees a normalised path, so that no spelling slips past a rule."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from waitroom.limits import Limits

# Decoding is repeated until nothing changes: an origin may decode once more than we would guess. Bounded, since
# each step shortens the path by a third of what it decodes.
MOST_DECODINGS = 8


@dataclass(frozen=True, slots=True)
class Room:
    """A rule of the configuration, as values; times carry their unit."""

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

    def guards(self, host: str, path: str) -> bool:
        """Whether a request for a host (lower case, no port) and a normalised path is this room's."""
        return _matches(self.hosts, host) and _matches(self.paths, path)

    def lets_by(self, raw_path: str, path: str) -> bool:
        """Whether a bypass rule forwards this request without a place: never one whose spelling is unusual."""
        return raw_path == path and _matches(self.bypass, path)


class Rooms:
    """All rooms; the first that guards a request has it."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self._rooms = tuple(rooms)

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


def normalised(raw_path: str) -> str:
    """A path as the most lenient origin might read it: decoded, slashes joined, dots resolved (RFC 3986, 5.2.4)."""
    path = raw_path.partition("?")[0]
    for _ in range(MOST_DECODINGS):
        decoded = unquote(path, errors="replace")
        if decoded == path:
            break
        path = decoded
    segments: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    slash = "/" if segments and path.endswith(("/", "/.", "/..", "\\")) else ""
    return "/" + "/".join(segments) + slash


def _matches(patterns: tuple[str, ...], text: str) -> bool:
    return any(_pattern(pattern).fullmatch(text) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """`*` stands for any characters; `/admin/*` also for `/admin` itself."""
    expression = ".*".join(map(re.escape, glob.split("*")))
    if glob.endswith("/*"):
        expression = expression.removesuffix("/.*") + "(/.*)?"
    return re.compile(expression, re.DOTALL)
