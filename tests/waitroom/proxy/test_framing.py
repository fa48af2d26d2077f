"""Rows 8 to 10, 12, 13, 15 to 17 and 20: where messages end, and what is none."""

from tests.waitroom.proxy.each import each
from tests.waitroom.proxy.probe import Probe
from tests.waitroom.proxy.stage import Stage


@each(8)
async def test_row_08_a_request_that_can_be_read_in_two_ways_is_refused(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(9)
async def test_row_09_no_coding_but_chunked_is_passed_on(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(10)
async def test_row_10_versions_other_than_1_0_and_1_1_are_refused(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(12)
async def test_row_12_what_is_too_long_is_told_so(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(13)
async def test_row_13_bodies_pass_unchanged(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(15)
async def test_row_15_what_has_no_body_has_none(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(16)
async def test_row_16_a_truncated_response_looks_truncated(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(17)
async def test_row_17_an_old_visitor_gets_no_chunks(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(20)
async def test_row_20_trailers_are_dropped_with_their_announcement(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours
