"""Secrets of a configuration come from the file itself, another one, or the environment; nothing ever shows them."""

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from waitroom import settings
from waitroom.cli import main
from waitroom.config_file import ConfigFile
from waitroom.errors import ConfigError

LEAST = 'version = 1\n[[rooms]]\nname = "site"\norigins = ["http://origin:80"]\n'
URL = "redis://:hunter2@127.0.0.1:1"


def url_of(given: str) -> str:
    return settings.parse(f"{LEAST}[store]\nurl = {given}\n", "x").store.url.get_secret_value()


def fault_of(given: str) -> str:
    with pytest.raises(ConfigError) as caught:
        url_of(given)
    (fault,) = caught.value.faults
    assert fault.where == "store.url"
    return fault.what


def test_a_secret_is_read_from_a_file_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{URL}\n")
    assert url_of(f'{{ file = "{tmp_path}/url" }}') == URL


def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAITROOM_REDIS", URL)
    assert url_of('{ env = "WAITROOM_REDIS" }') == URL


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ('{ file = "/no/such" }', "the file '/no/such' can't be read: No such file or directory"),
        ('{ file = "/" }', "the file '/' can't be read: Is a directory"),
        ('{ file = "\\u0000" }', "can't be read: embedded null byte"),
        ('{ file = "/dev/null" }', "the file '/dev/null' is empty: write the secret into it"),
        ('{ file = "/dev/zero" }', "the file '/dev/zero' is too long for a secret"),
        ('{ env = "NO_SUCH" }', "the environment has no variable 'NO_SUCH', or an empty one: set it"),
        ('{ env = "A=B\\u0000" }', "the environment has no variable"),
        ('{ env = "PATH" }', "should be empty (an embedded Redis), or start with redis://"),
        ('{ file = "/dev/null", env = "PATH" }', 'should be the text itself, { file = "PATH" } or { env = "NAME" }'),
        ("{ path = 3 }", "should be the text itself"),
        ("{}", "should be the text itself"),
        ("7", "should be the text itself"),
    ],
)
def test_a_secret_that_can_not_be_had_is_a_clear_fault(given: str, what: str) -> None:
    assert what in fault_of(given)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "url").write_bytes(b"\xff\xfe")
    assert "should be text in UTF-8" in fault_of(f'{{ file = "{tmp_path}/url" }}')


@pytest.mark.parametrize("source", ["text", "file", "env"])
@pytest.mark.parametrize("url", [URL, "http://:hunter2@127.0.0.1:1"], ids=["good", "bad"])
def test_nothing_shows_a_secret(
    source: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the settings, nor a fault, nor `check`, nor the log as a file is read again."""
    (tmp_path / "url").write_text(url)
    monkeypatch.setenv("WAITROOM_REDIS", url)
    given = {"text": f'"{url}"', "file": f'{{ file = "{tmp_path}/url" }}', "env": '{ env = "WAITROOM_REDIS" }'}
    path = tmp_path / "waitroom.toml"
    path.write_text(LEAST)
    config = ConfigFile(path)
    path.write_text(f"{LEAST}[store]\nurl = {given[source]}\n")
    caplog.set_level(logging.DEBUG)
    config.read_again()
    shown = caplog.text + repr(config.settings) + repr(config.settings.store) + str(config.faults)
    shown += CliRunner().invoke(main, ["check", "--config", str(path)]).output
    assert "store" in shown
    assert "hunter2" not in shown


def test_a_secret_where_a_table_should_be_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        settings.parse(f'store = "{URL}"\n{LEAST}', "x")
    assert str(caught.value) == "x: 1 fault\n  store: should be a table"
