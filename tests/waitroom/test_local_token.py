"""The token of this machine: one for all who start at once, kept, and nobody else's to read."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from waitroom.admin import local_token
from waitroom.admin_tokens import known


def test_it_is_made_where_it_is_missing_and_kept_where_it_is_not(tmp_path: Path) -> None:
    state = tmp_path / "state"
    token = local_token.ready(state)
    text = local_token.read(state)
    assert text
    assert text.startswith("wr_")
    assert (known(text, [token]), token.may("operator")) == (token, True)
    assert local_token.ready(state) == token
    assert (state / "admin.token").stat().st_mode & 0o777 == 0o600
    (state / "admin.token").unlink()
    assert local_token.ready(state) != token


def test_workers_that_start_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as workers:
        assert len(set(workers.map(local_token.ready, [tmp_path] * 8))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["admin.token"]


def test_one_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert local_token.read(tmp_path) is None
    (tmp_path / "admin.token").mkdir()
    assert local_token.read(tmp_path) is None
