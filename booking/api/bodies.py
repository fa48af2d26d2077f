"""What the API takes: the shape of each body. A body is read strictly, and all its faults are told at once.

Only shapes are judged here. What a name, a fare or a party may be is said where it is used, for pages and API alike.
"""

from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from booking.errors import Invalid
from booking.fares import DEFAULT_FARE

# Of the columns in the database.
GREATEST_VERSION = 2**31 - 1


class Body(BaseModel):
    """A JSON object with these members and no others."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


B = TypeVar("B", bound=Body)


class Nothing(Body):
    """An empty object, for what needs no words."""


class SeatWish(Body):
    """A seat by its label and, where the client has seen the map, its version."""

    label: Annotated[str, AfterValidator(lambda label: label.strip().upper())]
    version: int | None = Field(None, ge=0, le=GREATEST_VERSION)


def _seat(value: Any) -> Any:
    return {"label": value} if isinstance(value, str) else value


class HoldWish(Body):
    """`passengers`, where they are told already, in the order of `seats`."""

    seats: list[Annotated[SeatWish, BeforeValidator(_seat)]]
    fare: str = DEFAULT_FARE
    passengers: list[str] | None = None

    @property
    def chosen(self) -> list[tuple[str, int | None]]:
        return [(seat.label, seat.version) for seat in self.seats]

    def names_by_seat(self) -> list[str]:
        """The names in the order that a booking has its seats in: by their labels."""
        return [
            name for _, name in sorted(zip((seat.label for seat in self.seats), self.passengers or (), strict=True))
        ]


class Names(Body):
    passengers: list[str]


class NewAccount(Body):
    email: str
    name: str
    password: str
    phone: str = ""
    language: str = ""


class LogIn(Body):
    email: str
    password: str


class AccountChange(Body):
    """What is left out stays as it is."""

    name: str = ""
    language: str = ""


class PasswordChange(Body):
    old_password: str
    password: str


async def read(request: web.Request, shape: type[B]) -> B:
    """The body of a request. Raises Invalid, which names every member that does not fit, such as `seats.0.version`."""
    try:
        return shape.model_validate_json(await request.read())
    except ValidationError as exc:
        raise Invalid({_path(error["loc"]): f"{error['msg']}." for error in exc.errors()}) from exc


def _path(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place)) or "body"
