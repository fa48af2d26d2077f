"""One probe of a proxy: what is tried, what came of it in a few words that compare, and what waitroom makes of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.waitroom.proxy.messages import Field, Head, Message
from tests.waitroom.proxy.stage import Stage

Run = Callable[[Stage], Awaitable[str]]
HOST = b"Host: a\r\n"


@dataclass(frozen=True, slots=True)
class Probe:
    """`row` is the row of the contract; `ours` is what `run` should tell of waitroom."""

    row: int
    name: str
    run: Run
    ours: str


def request(
    target: bytes = b"/",
    fields: bytes = b"",
    body: bytes = b"",
    *,
    method: bytes = b"GET",
    host: bytes = HOST,
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """A request; `host` and `fields` are whole lines, with the field that frames the body."""
    return b"%b %b %b\r\n%b%b\r\n%b" % (method, target, version, host, fields, body)


def outcome(sent: bytes, *methods: bytes) -> Run:
    """Tells the answers' statuses, and what the origin was asked for."""

    async def run(stage: Stage) -> str:
        seen = await stage.ask(sent, methods=methods or (b"GET",))
        return f"{seen.words}; origin: {', '.join(stage.origin.told) or 'nothing'}"

    return run


def status(sent: bytes, answer: bytes = b"", *, close: bool = False) -> Run:
    """Tells the answers' statuses alone; the origin may answer so, and close if told."""

    async def run(stage: Stage) -> str:
        if answer:
            stage.origin.answers(answer, close=close)
        return (await stage.ask(sent)).words

    return run


def passed(sent: bytes, names: str) -> Run:
    """Tells the fields of these names, in lower case, that the origin got."""

    async def run(stage: Stage) -> str:
        seen = await stage.ask(sent)
        return (lines(stage.origin.requests[-1].head, names) or "none") if stage.origin.requests else seen.words

    return run


def names(sent: bytes) -> Run:
    """Tells the names of all fields that the origin got, in the order of the alphabet."""

    async def run(stage: Stage) -> str:
        seen = await stage.ask(sent)
        return " ".join(sorted(stage.origin.requests[-1].head.names)) if stage.origin.requests else seen.words

    return run


def returned(answer: bytes, names: str = "", *, sent: bytes = b"", method: bytes = b"GET", close: bool = False) -> Run:
    """Lets the origin answer so, and close if told; tells statuses, the fields of these names, and the content that the
    visitor got."""

    async def run(stage: Stage) -> str:
        stage.origin.answers(answer, close=close)
        seen = await stage.ask(sent or request(method=method), methods=(method,))
        return "; ".join([seen.words, *(tell(message, names) for message in seen.answers)])

    return run


def tell(answer: Message, names: str) -> str:
    """The fields of these names, the content, trailers, and that it was cut off if it was."""
    content = answer.body.decode("latin-1") if len(answer.body) < 100 else f"{len(answer.body)} bytes"
    trailers = f"trailers {', '.join(map(line, answer.trailers))}" if answer.trailers else ""
    shown = [lines(answer.head, names), content, trailers, "" if answer.whole else "cut off"]
    return ", ".join(part for part in shown if part) or "no content"


def lines(head: Head, names: str) -> str:
    """The fields of these names, spelt as they were, in order."""
    return ", ".join(line(field) for field in head.fields if field[0].decode().lower() in names.split())


def line(field: Field) -> str:
    name, value = field
    return f"{name.decode()}: {value.decode('latin-1')}"
