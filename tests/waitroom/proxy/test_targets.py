"""Rows 1 to 3 and 11: what a request is for, and how it asks."""

from tests.waitroom.proxy.each import each
from tests.waitroom.proxy.probe import Probe
from tests.waitroom.proxy.stage import Stage


@each(1)
async def test_row_01_path_and_query_reach_the_origin_byte_for_byte(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(2)
async def test_row_02_an_absolute_target_names_the_host(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(3)
async def test_row_03_a_host_is_named_once_and_well(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(11)
async def test_row_11_known_methods_are_forwarded_and_others_are_not(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours
