"""What a visitor asks for, read from the head of a request: who, what kind of answer, and whether it may wait. Pure."""

from dataclasses import dataclass
from typing import Literal

from waitroom.accept import form_of, takes_gzip
from waitroom.engines import Engine, engine_of
from waitroom.headers import Client, Fields
from waitroom.wire import cookies
from waitroom.wire.heads import Block

Kind = Literal["page", "json", "other"]
# What a page view is for; who does not say may be one, too (Fetch Metadata).
PAGE_VIEWS = ("", "document", "iframe")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a client asks, as all of its kind do: `kind` is the answer it understands, `languages` its Accept-Language,
    `engine` whose robot it says it is. `is_ahead` says that it fetches ahead of need."""

    kind: Kind
    is_ahead: bool
    accepts_gzip: bool
    languages: str
    engine: Engine | None

    @property
    def joins(self) -> bool:
        """Whether a GET that is made so may take a number."""
        return self.kind != "other" and not self.is_ahead


@dataclass(frozen=True, slots=True)
class Asking:
    """A visitor's request. `target` is the raw path and query, `block` has the fields."""

    client: Client
    method: str
    target: str
    block: Block
    manner: Manner
    request_id: str

    @property
    def kind(self) -> Kind:
        return self.manner.kind

    @property
    def joins(self) -> bool:
        """Whether it may take a number: a page view, or an app that asks with JSON; nothing fetched ahead of need."""
        return self.method == "GET" and self.manner.joins

    @property
    def fields(self) -> Fields:
        """All fields as text."""
        return [
            (name.decode("latin-1"), line[len(name) + 1 :].strip(b" \t").decode("latin-1"))
            for name, line in self.block.fields
        ]

    def cookie(self, name: bytes) -> str:
        """The value of a cookie, "" where there is none."""
        return cookies.cookie(self.block, name)


def read(method: str, target: str, block: Block, *, client: Client, request_id: str) -> Asking:
    """Reads the head of a request that came from a client."""
    return Asking(client, method, target, block, manner_of(block), request_id)


def manner_of(block: Block) -> Manner:
    """How the client of a request asks; found out once for each block."""
    manner = block.manner
    if not isinstance(manner, Manner):
        manner = block.manner = _manner(block)
    return manner


def _manner(block: Block) -> Manner:
    ahead = [*_values(block, b"sec-purpose"), *_values(block, b"purpose")]
    return Manner(
        kind=_kind(block),
        is_ahead=any("prefetch" in value for value in ahead),
        accepts_gzip=takes_gzip(",".join(_values(block, b"accept-encoding"))),
        languages=",".join(_values(block, b"accept-language")),
        engine=engine_of("".join(_values(block, b"user-agent"))),
    )


def _kind(block: Block) -> Kind:
    match form_of(",".join(_values(block, b"accept"))):
        case "html":
            return "page" if "".join(_values(block, b"sec-fetch-dest")) in PAGE_VIEWS else "other"
        case "json":
            return "json"
        case None:
            return "other"


def _values(block: Block, name: bytes) -> list[str]:
    return [value.decode("latin-1") for value in block.looked.get(name, ())]
