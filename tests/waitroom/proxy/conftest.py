"""The tests of the data path run on uvloop, as waitroom does in a process of its own."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """For tests and fixtures in this folder."""
    return {"uvloop": uvloop.new_event_loop}
