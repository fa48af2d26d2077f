"""What a visitor asks for, read from the head of a request: who, what kind of answer, and whether it may wait. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from waitroom.headers import Client, Fields, values

Kind = Literal["page", "json", "other"]
# Browsers of one kind all send the same Accept-Encoding.
MOST_ENCODINGS = 256


@dataclass(frozen=True, slots=True)
class Asking:
    """A visitor's request. `target` is the raw path and query, `kind` the answer it understands."""

    client: Client
    method: str
    target: str
    fields: Fields
    kind: Kind
    request_id: str

    @property
    def joins(self) -> bool:
        """Whether it may take a number: a page view, or an app that asks with JSON; nothing fetched ahead of need."""
        ahead = [*values(self.fields, "sec-purpose"), *values(self.fields, "purpose")]
        return self.method == "GET" and self.kind != "other" and not any("prefetch" in value for value in ahead)

    @property
    def accepts_gzip(self) -> bool:
        """Whether the answer may be sent as gzip."""
        return _accepts_gzip(",".join(values(self.fields, "accept-encoding")))


def read(method: str, target: str, fields: Fields, *, client: Client, request_id: str) -> Asking:
    """Reads the head of a request that came from a client."""
    return Asking(client, method, target, fields, _kind(fields), request_id)


def _kind(fields: Fields) -> Kind:
    accepted = ",".join(values(fields, "accept")).lower()
    if "text/html" in accepted:
        destination = "".join(values(fields, "sec-fetch-dest"))
        return "page" if destination in ("", "document", "iframe") else "other"
    return "json" if "application/json" in accepted else "other"


@lru_cache(MOST_ENCODINGS)
def _accepts_gzip(accept_encoding: str) -> bool:
    """By the weight of gzip, or else of `*` (RFC 9110, section 12.5.3). Who says nothing gets no coding."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = _weight(parameter.strip())
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def _weight(parameter: str) -> float:
    """A weight that can't be read counts as none: the answer as it is, is always understood."""
    if not parameter:
        return 1.0
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
