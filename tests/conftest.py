"""How all tests run: side by side, but for those that belong together, and those that need the machine alone."""

import os
from collections.abc import Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.turns import Turns

# What these judge is told once, by the process that runs them.
TOGETHER = {"tests/waitroom/test_four_processes.py"}
# They take longest, and so begin first: nobody should wait for one of them in the end.
LONG = {"test_four_processes.py", "test_line_model.py", "test_workers.py", "test_losses.py", "test_first_ride.py"}


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Whoever is free runs the next test."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Turns:
    folder = tmp_path_factory.getbasetemp()
    return Turns(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest, turns: Turns) -> Iterator[None]:
    """A test's turn; that of one marked `alone` comes when no other test runs."""
    with turns.alone() if request.node.get_closest_marker("alone") else turns.beside():
        yield
