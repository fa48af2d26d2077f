"""The path that a visitor asked for, as a link that stays on this site. Pure."""

import re

_PATH = re.compile(r"/(?:[^/\\\s]|\Z)")


def local(here: str) -> str:
    """`here` as a link that stays on this site.

    A path that begins with two slashes would name a host (RFC 3986, section 4.2), and browsers read a backslash as a
    slash; behind a dot segment, which they remove, it is the same path again.
    """
    return here if _PATH.match(here) else f"/.{here}"
