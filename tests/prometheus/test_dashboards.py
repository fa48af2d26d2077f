"""The dashboards: Grafana's own model knows all that they say, and Prometheus has an answer to all that they ask."""

import asyncio
import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.prometheus.conftest import Scene
from tests.prometheus.programs import needs_prometheus
from tests.waitroom.visitors import Come

GRAFANA = Path(__file__).parent.parent.parent / "config" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
WIDTH = 24
ANSWER_S = 180
# Of a small site that is well, and has just begun: nothing to show.
EMPTY = {
    "No-shows",
    "Set by hand",
    "No usable response",
    "Certificate ends in",
    "Holds",
    "Cache",
}

each_dashboard = pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)


def read(file: Path) -> dict[str, Any]:
    board: dict[str, Any] = json.loads(file.read_text())
    return board


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def questions(board: dict[str, Any]) -> list[tuple[str, str]]:
    """What is asked by each panel, and each variable."""
    asked = [(panel["title"], target["expr"]) for panel in panels(board) for target in panel["targets"]]
    of_labels = (re.fullmatch(r"label_values\((.+), \w+\)", one["query"]) for one in board["templating"]["list"])
    return [*asked, *(("a variable", found[1]) for found in of_labels if found)]


def lost(said: Any, kept: Any, where: str = "") -> list[str]:
    """What of a document is not in another."""
    if isinstance(said, dict) and isinstance(kept, dict):
        return [fault for key in said for fault in lost(said[key], kept.get(key), f"{where}/{key}")]
    if isinstance(said, list) and isinstance(kept, list) and len(said) == len(kept):
        return [fault for i, pair in enumerate(zip(said, kept, strict=True)) for fault in lost(*pair, f"{where}/{i}")]
    return [] if said == kept else [where]


@each_dashboard
def test_grafana_knows_everything_that_a_dashboard_says(file: Path) -> None:
    """What it does not know, it would drop."""
    plugins.register_default_plugins()
    board = read(file)
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert lost(board, kept) == []
    assert board["schemaVersion"] >= 36
    assert board["uid"] == file.stem


@each_dashboard
def test_panels_have_names_of_their_own_and_do_not_cover_each_other(file: Path) -> None:
    board = read(file)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["title"] and panel["targets"] for panel in panels(board))
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"], (one, other)


def test_what_is_provisioned_is_where_grafana_looks() -> None:
    dashboards = yaml.safe_load((GRAFANA / "provisioning/dashboards/waitroom.yml").read_text())
    assert [provider["type"] for provider in dashboards["providers"]] == ["file"]
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    assert [source["type"] for source in sources["datasources"]] == ["prometheus"]


@needs_prometheus
async def test_prometheus_answers_all_that_dashboards_ask(scene: Scene, come: Come) -> None:
    visitor = await come(scene.waitroom)
    unanswered = [
        (what, expression.replace("$job", file.stem).replace("$room", "site").replace("$__rate_interval", "1m"))
        for file in DASHBOARDS
        for what, expression in questions(read(file))
    ]
    async with asyncio.timeout(ANSWER_S):
        while {what for what, _ in unanswered} - EMPTY:
            await visitor.get()
            scene.booking.status("/api/flights/1")
            unanswered = [one for one in unanswered if not await scene.prometheus.query(one[1])]
            await asyncio.sleep(0.2)
