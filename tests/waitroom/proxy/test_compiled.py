"""The hot modules, compiled or not (scripts/compile): which of the two is under test, and what is missing for it."""

import importlib
import os
from pathlib import Path

import click
import pytest

from scripts.compile import HOT, wheel
from tests.waitroom.test_status import seen


@pytest.mark.parametrize("name", HOT)
def test_what_is_under_test_is_what_was_asked_for(name: str) -> None:
    module = importlib.import_module(f"waitroom.{name.replace('/', '.')}")
    assert module.__file__
    is_compiled = Path(module.__file__).suffix == ".so"
    assert is_compiled == (os.environ.get("COMPILED") == "true")


@pytest.mark.parametrize("name", HOT)
def test_nothing_is_lost_by_compiling(name: str) -> None:
    """mypyc takes a `cached_property` for one that is worked out anew each time, and says nothing of it."""
    assert "cached_property" not in Path(f"waitroom/{name}.py").read_text("utf-8")


def test_what_is_counted_once_a_snapshot_is_not_counted_for_each_who_asks() -> None:
    snapshot = seen(b"\xff\x81")
    assert snapshot.present is snapshot.present


def test_a_missing_compiler_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with pytest.raises(click.ClickException, match=r"no C compiler no-such-compiler.*apt-get install gcc"):
        wheel(tmp_path)
