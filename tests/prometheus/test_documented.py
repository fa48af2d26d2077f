"""docs/metrics.md tells of all that is exposed, and of nothing else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from booking.cache import Cache
from booking.db import Database
from booking.figures import Unfinished
from booking.metrics import Metrics as BookingMetrics
from booking.schema import migrate
from booking.store import Store
from tests.booking.bench import NOW_S
from tests.prometheus.programs import ALERTS, RECORDINGS
from tests.prometheus.test_dashboards import DASHBOARDS, questions, read
from tests.servers import Authority, PrivateRedis, free_port
from tests.waitroom.running import Waitroom
from waitroom.merged_metrics import HIGHEST, LOWEST

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE, RUNBOOK = (DOCS / "metrics.md").read_text(), (DOCS / "operations.md").read_text()
# Of what is exposed or recorded.
NAME = re.compile(r"\b(?:room:|waitroom_|booking_|process_)[\w:]+")


@dataclass(frozen=True)
class Row:
    """Of a table of metrics."""

    name: str
    type: str
    labels: frozenset[str]
    workers: str = ""


def rows(heading: str) -> dict[str, Row]:
    """The table under a heading, by name."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = ([cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines)
    return {
        name: Row(name, kind, frozenset(re.findall(r"\w+", labels)), rest[0]) for name, kind, labels, *rest in cells
    }


def exposed(text: str) -> dict[str, Metric]:
    """Families by the name by which they are asked for."""
    families = text_string_to_metric_families(text)
    return {f"{family.name}_total" if family.type == "counter" else family.name: family for family in families}


def check(documented: Mapping[str, Row], found: Mapping[str, Metric]) -> None:
    assert documented.keys() == found.keys()
    for name, family in found.items():
        assert documented[name].type == family.type, name
        for sample in family.samples:
            assert documented[name].labels == sample.labels.keys() - {"le"}, name


@pytest.fixture
async def waitroom_exposes(tmp_path: Path, own_redis: PrivateRedis) -> str:
    """With a certificate, and an origin that can't be reached."""
    certificate, key = Authority(tmp_path).issue("site")
    tls = {"listen": [f"127.0.0.1:{free_port()}"], "certificate": str(certificate), "key": str(key)}
    waitroom = Waitroom(tmp_path, own_redis.url, free_port(), server={"tls": tls})
    waitroom.set()
    async with waitroom.serving(), aiohttp.ClientSession() as session:
        async with session.get(waitroom.url, headers={"Accept": "text/html"}) as response:
            assert response.status == 502
        async with session.get(f"http://127.0.0.1:{waitroom.admin_port}/metrics") as response:
            return await response.text()


@pytest.fixture
async def booking_exposes(tmp_path: Path, own_redis: PrivateRedis) -> str:
    metrics = BookingMetrics()
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'booking.db'}") as db, Store(own_redis.url) as store:
        await migrate(db)
        metrics.watch(db, Cache(store))
        metrics.note_stores(await Unfinished(db, lambda: NOW_S).figures(), redis_answers=True)
    return generate_latest(metrics.registry).decode()


def test_each_metric_of_waitroom_is_documented(waitroom_exposes: str) -> None:
    check(rows("Waitroom"), exposed(waitroom_exposes))


def test_each_metric_of_booking_is_documented(booking_exposes: str) -> None:
    check(rows("Booking"), exposed(booking_exposes))


def test_how_workers_are_taken_together_is_documented() -> None:
    documented = rows("Waitroom").values()
    assert {row.name for row in documented if row.workers == "highest"} == HIGHEST
    assert {row.name for row in documented if row.workers == "lowest"} == LOWEST


def test_each_alert_is_documented() -> None:
    rules = rules_of(ALERTS)
    told = re.findall(r"^\| \[(\w+)\]\(operations\.md#(\w+)\) \| (\w+) \|", PAGE, re.MULTILINE)
    assert told == [(rule["alert"], rule["alert"].lower(), rule["labels"]["severity"]) for rule in rules]


def test_each_alert_is_in_the_runbook() -> None:
    headings = re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)
    assert {rule["alert"] for rule in rules_of(ALERTS)} <= set(headings)


def test_every_name_has_its_package_and_its_unit(waitroom_exposes: str, booking_exposes: str) -> None:
    """As Prometheus has it: a prefix, base units, `_total` on what only grows, and a help text."""
    for name, family in (exposed(waitroom_exposes) | exposed(booking_exposes)).items():
        assert name.startswith(("waitroom_", "booking_", "process_"))
        assert not re.search(r"_(ms|milliseconds|minutes?|percent|kb|kilobytes)(_|$)", name)
        assert family.documentation.endswith(".")
        assert family.type != "histogram" or name.endswith("_seconds")


def test_dashboards_and_rules_ask_for_nothing_that_there_is_not() -> None:
    """Prometheus has no complaint of a name that nobody exposes: it finds nothing, and an alert never fires."""
    recorded = rules_of(RECORDINGS)
    there_are = {rule["record"] for rule in recorded}
    for row in (rows("Waitroom") | rows("Booking")).values():
        parts = ("_bucket", "_count", "_sum") if row.type == "histogram" else ("",)
        there_are |= {row.name + part for part in parts}
    expressions = [rule["expr"] for rule in recorded + rules_of(ALERTS)]
    expressions += [expression for file in DASHBOARDS for _, expression in questions(read(file))]
    assert {name for each in expressions for name in NAME.findall(each)} <= there_are


def rules_of(file: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
