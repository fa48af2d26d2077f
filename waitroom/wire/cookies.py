"""Cookies in a request, found without reading all of them."""

from collections.abc import Sequence


def cookie(values: Sequence[bytes], name: bytes) -> str:
    """The value of a cookie in the values of Cookie fields, "" where there is none; of several, the first."""
    wanted = name + b"="
    for value in values:
        start = value.find(wanted)
        while start >= 0:
            if start == 0 or value[:start].rstrip(b" \t").endswith(b";"):
                end = value.find(b";", start)
                found = value[start + len(wanted) :] if end < 0 else value[start + len(wanted) : end]
                return found.strip(b" \t").decode("latin-1")
            start = value.find(wanted, start + 1)
    return ""
