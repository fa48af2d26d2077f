"""Messages by their grammar (RFC 9112), whole ones and damaged ones, as Hypothesis draws them."""

from dataclasses import dataclass

from hypothesis import strategies as st

from waitroom.wire.heads import LOOKED_AT, METHODS
from waitroom.wire.rewriting import HOP_BY_HOP

SPECIAL = LOOKED_AT | HOP_BY_HOP
TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
TARGET = "/?:@!$&'()*+,;=-._~aZ09"
VALUE = [byte for byte in range(0x100) if byte >= 0x20 and byte != 0x7F] + [9]
# What has divided readers before.
DIVIDERS = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b" :", b"\x00", b"\x0b", b"\x0c", b"\x7f", b"\x85", b"\xa0",
    b",", b";", b"+", b"-", b"_", b"0", b"0x", b"0\r\n\r\n", b"5\r\nhello\r\n", b"#", b"*", b"@", b"http://",
    b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding:chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding\t: chunked\r\n", b" chunked", b"Host: evil\r\n",
    b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: chat\r\n", b"Connection: host, content-length\r\n",
    b"Expect: 100-continue\r\n", b"X-Waitroom-Admission: forged\r\n", b"X_Waitroom_Admission: forged\r\n",
    b"Cookie: wr-site=1\r\n", b"GET / HTTP/1.1\r\nHost: inner\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
]  # fmt: skip

tokens = st.text(TOKEN, min_size=1, max_size=12).map(str.encode)
values = st.lists(st.sampled_from(VALUE), max_size=20).map(lambda chosen: bytes(chosen).strip(b" \t"))
spaces = st.sampled_from([b"", b" ", b"\t", b"  "])
contents = st.binary(max_size=40) | st.sampled_from([b"GET / HTTP/1.1\r\n\r\n", b"0\r\n\r\n", b"x" * 700])


@dataclass(frozen=True)
class Message:
    """A message as some reader has read it: `start` is what its first line says, `content` its body, unframed."""

    start: tuple[bytes, ...]
    fields: tuple[tuple[bytes, bytes], ...]
    content: bytes


@st.composite
def field_lines(draw: st.DrawFn) -> bytes:
    """Lines of fields that have no say in framing."""
    names = draw(st.lists(tokens.filter(lambda name: name.lower() not in SPECIAL), max_size=4))
    return b"".join(name + b":" + draw(spaces) + draw(values) + draw(spaces) + b"\r\n" for name in names)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """The lines that frame a body, and the body."""
    content = draw(contents)
    match draw(st.sampled_from(["none", "length", "chunked"])):
        case "none":
            return b"", b""
        case "length":
            zeros = b"0" * draw(st.integers(0, 2))
            return b"Content-Length: %b%d\r\n" % (zeros, len(content)), content
        case _:
            return draw(st.sampled_from([b"Transfer-Encoding: chunked\r\n", b"transfer-encoding:CHUNKED \r\n"])), draw(
                chunked(content)
            )


@st.composite
def chunked(draw: st.DrawFn, content: bytes) -> bytes:
    """Content in chunks of any sizes, with extensions and trailers (RFC 9112, section 7.1)."""
    body = b""
    while content:
        size = draw(st.integers(1, len(content)))
        extension = draw(st.sampled_from([b"", b";a", b";a=b", b';a="b c"']))
        body += draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % size + extension + b"\r\n" + content[:size] + b"\r\n"
        content = content[size:]
    return body + draw(st.sampled_from([b"0", b"000", b"0;last"])) + b"\r\n" + draw(field_lines()) + b"\r\n"


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(sorted(METHODS)))
    target = b"/" + draw(st.text(TARGET, max_size=12)).encode()
    if draw(st.integers(0, 9)) == 0:
        target = b"http://shop" + target
    framing, body = draw(bodies())
    more = draw(st.sampled_from([b"", b"", b"", b"Expect: 100-continue\r\n", b"Connection: keep-alive, X\r\n"]))
    lines = draw(st.permutations([b"Host: shop:80\r\n", framing, more, draw(field_lines())]))
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, b"".join(lines), body)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """One final response, with interim ones before it."""
    interim = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"])
    )
    status = draw(st.sampled_from([200, 200, 201, 206, 302, 404, 500, 599]))
    framing, body = draw(bodies())
    reason = draw(st.sampled_from([b" OK", b" ", b" Two words", b" \xc3\xa9"]))
    lines = draw(st.permutations([framing, draw(field_lines())]))
    return interim + b"HTTP/1.1 %d%b\r\n%b\r\n%b" % (status, reason, b"".join(lines), body)


streams = st.lists(requests(), min_size=1, max_size=3).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Messages with bytes lost, added, changed or repeated."""
    data = draw(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(1, 12)))
        match draw(st.sampled_from(["lose", "add", "change", "repeat"])):
            case "lose":
                data = data[:start] + data[end:]
            case "add":
                data = data[:start] + draw(st.sampled_from(DIVIDERS) | st.binary(min_size=1, max_size=3)) + data[start:]
            case "change":
                data = data[:start] + draw(st.binary(min_size=1, max_size=1)) + data[start + 1 :]
            case _:
                data = data[:end] + data[start:end] + data[end:]
    return data


@st.composite
def cut(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> list[bytes]:
    """The same, in pieces: cut anywhere, or into single bytes."""
    data = draw(whole)
    if draw(st.integers(0, 4)) == 0:
        return [data[i : i + 1] for i in range(len(data))]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[i:j] for i, j in zip([0, *cuts], [*cuts, len(data)], strict=True)]
