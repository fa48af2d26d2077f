"""Cookies in a request, found without reading all of them."""

from waitroom.wire.heads import Block


def cookie(block: Block, name: bytes) -> str:
    """The value of a cookie, "" where there is none; of several, the first."""
    if b"cookie" not in block.looked:  # who comes for the first time
        return ""
    known = block.cookies.get(name)
    if known is None:
        known = block.cookies[name] = _find(block, name + b"=")
    return known


def _find(block: Block, wanted: bytes) -> str:
    for value in block.looked.get(b"cookie", ()):
        start = value.find(wanted)
        while start >= 0:
            if start == 0 or value[:start].rstrip(b" \t").endswith(b";"):
                return value[start + len(wanted) :].partition(b";")[0].strip(b" \t").decode("latin-1")
            start = value.find(wanted, start + 1)
    return ""
