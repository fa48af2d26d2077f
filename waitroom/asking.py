"""What a visitor asks for, read from the head of a request: who, what kind of answer, and whether it may wait. Pure."""

from dataclasses import dataclass
from typing import Literal

from waitroom.accept import form_of, takes_gzip
from waitroom.headers import Client, Fields, values

Kind = Literal["page", "json", "other"]
# What a page view is for; who does not say may be one, too (Fetch Metadata).
PAGE_VIEWS = ("", "document", "iframe")


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
        return takes_gzip(",".join(values(self.fields, "accept-encoding")))


def read(method: str, target: str, fields: Fields, *, client: Client, request_id: str) -> Asking:
    """Reads the head of a request that came from a client."""
    return Asking(client, method, target, fields, _kind(fields), request_id)


def _kind(fields: Fields) -> Kind:
    match form_of(",".join(values(fields, "accept"))):
        case "html":
            return "page" if "".join(values(fields, "sec-fetch-dest")) in PAGE_VIEWS else "other"
        case "json":
            return "json"
        case None:
            return "other"
