"""What the bank is asked for: the bodies of requests, and what is wrong with them."""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from booking.sandbox.errors import Refused

Language = Literal["en", "ko"]
Key = Annotated[str, Field(min_length=1, max_length=64)]
Amount = Annotated[int, Field(gt=0, le=10**12)]
# ISO 4217.
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Request(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Order(Request):
    """A checkout to be made, once per key. The payer comes back to `return_url`."""

    key: Key
    reference: str = Field(min_length=1, max_length=40)
    amount_minor: Amount
    currency: Currency
    return_url: str = Field(max_length=500, pattern="^[!-~]+$")
    email: str = Field(max_length=320)
    language: Language = "en"


class RefundOrder(Request):
    """Money to be given back, once per key."""

    key: Key
    amount_minor: Amount
    currency: Currency


R = TypeVar("R", bound=Request)


def parse(kind: type[R], body: bytes) -> R:
    """The request that a body spells, as JSON. Raises Refused."""
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as exc:
        faults = (f"{'.'.join(map(str, error['loc'])) or 'body'}: {error['msg']}" for error in exc.errors())
        raise Refused("; ".join(faults)) from exc


def leads_back(return_url: str, site_url: str) -> bool:
    """Whether an address is the site's or below it, so that nobody is sent elsewhere from the bank's page."""
    return return_url == site_url or return_url.startswith(f"{site_url}/")
