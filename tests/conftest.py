"""Fixtures of all tests: they run side by side, but for those that need the machine to themselves."""

import os
from collections.abc import Iterator

import pytest

from tests.turns import Turns


@pytest.fixture(scope="session")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Turns:
    folder = tmp_path_factory.getbasetemp()
    return Turns(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest, turns: Turns) -> Iterator[None]:
    """A test's turn; that of one marked `alone` comes when no other test runs."""
    with turns.alone() if request.node.get_closest_marker("alone") else turns.beside():
        yield
