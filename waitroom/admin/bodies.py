"""What acts are asked by: the bodies of the admin API's requests, checked as a whole."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from waitroom.admin.problems import ApiError
from waitroom.admin.shapes import Knob

LONGEST_S = 365 * 86_400
MOST_NUMBERS = 1_000
REVOKED_S = 86_400

Why = Annotated[str, Field(max_length=500, description="For the audit log.")]
Key = Annotated[str, Field(max_length=64, description="Which line, in a room with {key} in its paths.")]
Seconds = Annotated[int, Field(ge=1, le=LONGEST_S)]
Number = Annotated[int, Field(ge=1, le=2**53 - 1)]
Numbers = Annotated[list[Number], Field(min_length=1, max_length=MOST_NUMBERS, description="`num` of admissions.")]


class Body(BaseModel):
    """Nothing in it is unknown, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Turn(Body):
    """Knobs to turn, all or none; without `for_s` they stay until they are cleared."""

    set: Annotated[dict[Knob, int | str], Field(min_length=1)]
    for_s: Seconds | None = None
    why: Why = ""


class Clear(Body):
    """Knobs that go back to the configuration; without `knobs` all of them."""

    knobs: Annotated[list[Knob], Field(min_length=1)] | None = None
    why: Why = ""


class Release(Body):
    """Numbers whose places are given back."""

    key: Key = ""
    numbers: Numbers
    why: Why = ""


class Revoke(Release):
    """Numbers whose places are taken away, and that are refused for a time."""

    for_s: Seconds = REVOKED_S


class ResetLine(Body):
    """Begins a line anew if `epoch` is the one after the line's; without it, only says what that would do."""

    key: Key = ""
    epoch: Annotated[int, Field(ge=2)] | None = None
    why: Why = ""


AnyBody = TypeVar("AnyBody", bound=Body)


def parsed(model: type[AnyBody], text: bytes) -> AnyBody:
    """Raises ApiError, with all faults."""
    try:
        return model.model_validate_json(text)
    except ValidationError as exc:
        faults = [f"{'.'.join(map(str, error['loc'])) or 'the body'}: {error['msg']}" for error in exc.errors()]
        raise ApiError(422, "bad_body", "; ".join(faults), "GET /api/openapi.json says what it should be.") from exc
