"""The API against its contract, openapi.yaml: they name the same operations, codes and words."""

import inspect
import json
import re
from pathlib import Path

import pytest

from booking import errors
from booking.airports import AIRPORTS
from booking.api.contract import contract
from booking.cabins import Cabin
from booking.errors import AdmissionRefused, Problem
from booking.fares import FARES
from booking.language import LANGUAGES
from booking.tables import BookingState, SeatState
from tests.booking.bench import all_routes
from tests.booking.conftest import Site

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
METHODS = {"get", "post", "put", "patch", "delete"}
SCHEMAS = contract()["components"]["schemas"]
VECTORS = json.loads((Path(__file__).parents[1] / "token_vectors.json").read_text())


def operations() -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, item in contract()["paths"].items() for method in METHODS & item.keys()}


def codes() -> set[str]:
    """All that the code can answer with: our problems', the admission's, and those of HTTP itself."""
    problems = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Problem)]
    of_admissions = {vector["code"] for vector in VECTORS["bad"]}
    of_http = {"method_not_allowed", "request_entity_too_large", "unsupported_media_type"}
    return {kind.code for kind in problems if kind is not AdmissionRefused} | of_admissions | of_http


def test_contract_and_router_name_the_same_operations() -> None:
    assert operations() == {route for route in all_routes() if route[1].startswith("/api/")}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("AirportCode", AIRPORTS),
        ("Fare", FARES),
        ("Cabin", Cabin),
        ("BookingState", BookingState),
        ("Language", LANGUAGES),
    ],
)
def test_the_contract_knows_all_words_of_a_kind(schema: str, words: object) -> None:
    assert set(SCHEMAS[schema]["enum"]) == set(words)  # type: ignore[call-overload]


def test_the_contract_knows_all_states_of_a_seat() -> None:
    assert set(SCHEMAS["Seat"]["properties"]["state"]["enum"]) == set(SeatState)


def test_the_contract_knows_all_codes() -> None:
    assert set(SCHEMAS["ProblemCode"]["enum"]) == codes()


def test_who_changes_something_may_name_a_key() -> None:
    """Every unsafe operation says that it takes one, and what it answers then."""
    for method, path in operations():
        operation = contract()["paths"][path][method.lower()]
        takes_key = {"$ref": "#/components/parameters/IdempotencyKey"} in operation.get("parameters", [])
        assert takes_key == (method != "GET"), (method, path)
        assert ({"400", "409", "422"} <= operation["responses"].keys()) >= takes_key, (method, path)


@on_sqlite
async def test_the_contract_is_served_and_can_be_read(site: Site) -> None:
    """As it is, and as a page on which every operation and every schema has its place."""
    served = await site.visitor().get("/api/openapi.yaml")
    page = await site.visitor().page("/api/docs")

    assert served.headers["Content-Type"] == "application/yaml"
    assert served.text.startswith("openapi: 3.1")
    assert page.status == 200
    places = set(re.findall(r' id="(\w+)"', page.text))
    assert {contract()["paths"][path][method.lower()]["operationId"] for method, path in operations()} <= places
    assert set(re.findall(r'href="#(\w+)"', page.text)) - {"main"} <= places
