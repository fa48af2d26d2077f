"""The hot modules, compiled or not (scripts/compile): which of the two is under test, and what is missing for it."""

import importlib
import os
from pathlib import Path

import click
import pytest

from scripts.compile import HOT, wheel


@pytest.mark.parametrize("name", HOT)
def test_what_is_under_test_is_what_was_asked_for(name: str) -> None:
    module = importlib.import_module(f"waitroom.{name.replace('/', '.')}")
    assert module.__file__
    is_compiled = Path(module.__file__).suffix == ".so"
    assert is_compiled == (os.environ.get("COMPILED") == "true")


def test_a_missing_compiler_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with pytest.raises(click.ClickException, match=r"no C compiler no-such-compiler.*apt-get install gcc"):
        wheel(tmp_path)
