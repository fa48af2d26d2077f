"""Rows 4 to 7: fields on their way, in both directions."""

from tests.waitroom.proxy.each import each
from tests.waitroom.proxy.probe import Probe
from tests.waitroom.proxy.stage import Stage


@each(4)
async def test_row_04_fields_of_one_name_keep_their_count_and_order(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(5)
async def test_row_05_bytes_above_127_stay_as_they_are(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(6)
async def test_row_06_fields_of_one_hop_end_there(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(7)
async def test_row_07_nothing_is_invented(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours
