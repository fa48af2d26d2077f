"""Row 29: what the origin is told of the visitor, and from whom it is believed; and what no visitor may say."""

import pytest

from tests.waitroom.proxy.probe import lines, request
from tests.waitroom.proxy.stage import Stage

# In the trusted networks of the stage's configuration; 127.0.0.1 is not.
TRUSTED = "127.0.0.9"
NAMES = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded")
TRUE = (
    "X-Forwarded-For: 127.0.0.1, X-Forwarded-Proto: http, X-Forwarded-Host: a, "
    'Forwarded: for=127.0.0.1;host="a";proto=http'
)


async def told(stage: Stage, fields: bytes, source: str = "127.0.0.1") -> str:
    await stage.ask(request(b"/", fields), source=source)
    return lines(stage.origin.requests[-1].head, NAMES)
