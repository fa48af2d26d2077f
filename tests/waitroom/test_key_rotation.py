"""Keys change step by step, as docs/operations.md has it: nobody notices, though processes are a step apart."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.visitors import Come, until_state
from waitroom import keys, memory

# The first signs, all verify, and on the last ticket secret hang draws and persons.
ADMISSION = [["old"], ["old", "new"], ["new", "old"], ["new"]]
TICKET = [["old"], ["old", "new", "old"], ["new", "old"], ["new"]]


def with_keys(waitroom: Waitroom, folder: Path, admission: Sequence[str], ticket: Sequence[str]) -> Waitroom:
    waitroom.keys = {
        "admission": [str(folder / name / keys.ADMISSION_FILE) for name in admission],
        "ticket": [str(folder / name / keys.TICKET_FILE) for name in ticket],
    }
    waitroom.set(cap=1, rate_per_minute=6000)
    # It remembers that there was no line: else the first visitor would wait for those who may have been in one.
    state = waitroom.folder / "state"
    state.mkdir()
    (state / memory.FILE).write_text("{}")
    return waitroom


@pytest.mark.parametrize("step", range(len(TICKET) - 1))
@pytest.mark.parametrize("first", ["behind", "ahead"])
async def test_a_place_holds_at_processes_of_this_step_and_of_the_next(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come, step: int, first: str
) -> None:
    for name in ("old", "new"):
        keys.make_pair(tmp_path / name)
    behind = with_keys(Waitroom(tmp_path / "a", redis.url, origin.port), tmp_path, ADMISSION[step], TICKET[step])
    ahead = Waitroom(tmp_path / "b", redis.url, origin.port)
    with_keys(ahead, tmp_path, ADMISSION[step + 1], TICKET[step + 1])
    here, there = (behind, ahead) if first == "behind" else (ahead, behind)
    async with here.serving_before(there, redis):
        inside, waiting = await come(here), await come(here)
        assert (await inside.get()).is_origins
        assert (await waiting.get()).waits
        number = waiting.number()
        assert (await inside.get(at=there)).is_origins
        assert (await waiting.get(at=there)).waits
        await until_state("waiting", waiting, at=there)
        assert waiting.number() == number


@pytest.fixture
def lasting(tmp_path: Path) -> Callable[[Sequence[str]], bytes]:
    """What draws and persons hang on, with ticket secrets of these names."""
    for name in ("old", "new"):
        keys.make_pair(tmp_path / name)
    return lambda ticket: keys.load([], [str(tmp_path / name / keys.TICKET_FILE) for name in ticket], tmp_path).lasting


def test_what_draws_and_persons_hang_on_changes_with_the_last_step_alone(
    lasting: Callable[[Sequence[str]], bytes],
) -> None:
    first, *others, last = map(lasting, TICKET)
    assert others == [first, first]
    assert last != first


def test_it_never_changes_where_the_new_one_was_a_spare_from_the_start(
    lasting: Callable[[Sequence[str]], bytes],
) -> None:
    assert len({*map(lasting, [["old", "new"], ["new", "old", "new"], ["new"]])}) == 1
