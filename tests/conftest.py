"""How all tests run: side by side, but for those that belong together, and those that need the machine alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.turns import Turns

# What these judge is told once, by the process that runs them, and alone: when all others have run.
LAST = {"test_four_processes.py"}
# What these judge takes long, and is done once, by the process that runs them.
TOGETHER = LAST | {"test_rolling_change.py", "test_trips.py"}
# They take longest, and so begin first: nobody should wait for one of them in the end.
FIRST = {
    "test_line_model.py",
    "test_hot_sale.py",
    "test_sudden_deaths.py",
    "test_pages_in_browser.py",
    "test_trips.py",
    "test_workers.py",
    "test_losses.py",
    "test_first_ride.py",
    "test_adaptive_admission.py",
    "test_rolling_change.py",
    "test_blue_and_green.py",
}


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Whoever is free runs the next test."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if Path(file).name in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_when)


def _when(item: pytest.Item) -> int:
    if item.path.name in LAST:
        return 2
    return 0 if item.path.name in FIRST else 1


@pytest.fixture(scope="session")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Turns:
    """Of all processes that run tests of this suite side by side."""
    folder = tmp_path_factory.getbasetemp()
    return Turns((folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "turns")


@pytest.fixture(autouse=True)
def turn(turns: Turns) -> Iterator[None]:
    """A test's turn: beside others, while none is alone."""
    with turns.beside():
        yield
