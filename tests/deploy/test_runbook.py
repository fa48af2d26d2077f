"""The runbook: every alert has its section, every command there is, every link leads somewhere."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
import yaml

from booking.cli import main as booking_command
from tests.deploy.files import CONFIG, ROOT
from waitroom.cli import main as waitroom_command

RUNBOOK = ROOT / "docs/operations.md"
TEXT = RUNBOOK.read_text()
PROGRAMS: dict[str, click.Group] = {"waitroom": waitroom_command, "booking": booking_command}
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(text)}


def alerts() -> set[str]:
    groups = yaml.safe_load((CONFIG / "prometheus/alerts.yml").read_text())["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"]}


def commands() -> Iterator[list[str]]:
    """The words of each command of ours, from a `$` on or in the middle of a sentence."""
    for line in re.findall(r"^\$ (.+)$", TEXT, re.MULTILINE) + re.findall(r"`([^`\n]+)`", TEXT):
        words = shlex.split(line, comments=True) if line.count('"') % 2 == 0 and line.count("'") % 2 == 0 else []
        if len(words) > 1 and words[0] in PROGRAMS and words[1].isalpha():
            yield words


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    sections = set(re.findall(r"^### ((?:Waitroom|Booking)\w+)$", TEXT, re.MULTILINE))
    assert sections == alerts()


def test_every_alert_leads_to_its_section() -> None:
    told = (CONFIG / "prometheus/alerts.yml").read_text()
    leads = re.findall(r"operations\.md#([\w-]+)", told)
    assert sorted(leads) == sorted(alert.lower() for alert in alerts())
    assert set(leads) <= anchors(TEXT)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_command_is_one_that_there_is(words: list[str]) -> None:
    program = PROGRAMS[words[0]]
    command = program.get_command(click.Context(program), words[1])
    assert command, f"there is no {words[0]} {words[1]}"
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_links_lead_to_files_and_sections_that_there_are() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        name, _, anchor = target.partition("#")
        file = RUNBOOK.parent / name if name else RUNBOOK
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file.read_text()), target
