"""The secrets that sign tokens: configured, or made once."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from booking.secret_key import keys_for, load


def test_configured_secrets_are_taken_as_they_are(tmp_path: Path) -> None:
    assert load(["new" * 11, "old" * 11], tmp_path) == (b"new" * 11, b"old" * 11)
    assert not list(tmp_path.iterdir())


def test_one_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    (secret,) = load([], folder)
    assert load([], folder) == (secret,)
    assert len(secret) == 32

    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_all_who_start_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(lambda _: load([], tmp_path), range(20)))
    assert len(found) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def test_each_use_has_keys_of_its_own() -> None:
    access, refresh = keys_for("access", [b"a", b"b"]), keys_for("refresh", [b"a", b"b"])
    assert len({*access, *refresh, b"a", b"b"}) == 6
    assert keys_for("access", [b"a", b"b"]) == access
