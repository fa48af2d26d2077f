"""No shape of request carries a second one past us: what the origin sees is what a strict reader sees, and no more."""

import pytest

from tests.waitroom.proxy.scripted_origin import ScriptedOrigin
from tests.waitroom.proxy.shapes import LAST, SHAPES, Shape, is_refused, smuggle
from tests.waitroom.proxy.stage import Seen, Stage

each_shape = pytest.mark.parametrize("shape", SHAPES, ids=[ascii(shape.name)[1:-1] for shape in SHAPES])


@each_shape
async def test_row_08_what_may_be_read_in_two_ways_is_refused(shape: Shape, stage: Stage) -> None:
    seen = await smuggle(stage, shape, shape.sent + LAST)
    assert seen.answers
    if is_refused(seen):
        assert seen.ending == "closed"
    assert_nothing_was_smuggled(shape, seen, stage.origin)


@each_shape
async def test_row_08_nothing_is_smuggled_byte_by_byte(shape: Shape, stage: Stage) -> None:
    seen = await smuggle(stage, shape, *(bytes([byte]) for byte in shape.sent), LAST)
    assert_nothing_was_smuggled(shape, seen, stage.origin)


def assert_nothing_was_smuggled(shape: Shape, seen: Seen, origin: ScriptedOrigin) -> None:
    """The origin got what a strict reader sees; of a refused shape, only what stood before the fault."""
    reads = list(shape.reads)
    assert not origin.unclear
    if is_refused(seen):
        assert shape.refused.issuperset(answer.head.status for answer in seen.answers if answer.head.status >= 400)
        assert shape.refused
        assert origin.told == reads[: len(origin.told)]
    elif seen.ending == "closed":
        assert origin.told == reads
    else:
        assert origin.told == [*reads, "GET /last"]
