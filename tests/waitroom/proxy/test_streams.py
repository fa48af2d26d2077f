"""Rows 18, 19, 21 to 24, 28 and 30: what both ends do in turn."""

from tests.waitroom.proxy.each import each
from tests.waitroom.proxy.probe import Probe
from tests.waitroom.proxy.stage import Stage


@each(18)
async def test_row_18_a_body_waits_for_100(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(19)
async def test_row_19_interim_responses_are_relayed(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(21)
async def test_row_21_an_early_answer_reaches_who_uploads(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(22)
async def test_row_22_who_takes_nothing_is_sent_nothing(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(23)
async def test_row_23_streams_pass_at_once(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(24)
async def test_row_24_a_visitor_who_goes_takes_the_request_along(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(28)
async def test_row_28_an_upgrade_becomes_a_tunnel(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(30)
async def test_row_30_pipelined_requests_are_answered_in_order(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours
