"""What is remembered of admissions: enough to verify none twice that is asked for often, and no more than so many."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.waitroom.running import TIMEOUT_MS, Waitroom
from waitroom import recognition as module
from waitroom.admission import Admission, AdmissionKey, AdmissionSigner, AdmissionVerifier
from waitroom.config_file import ConfigFile
from waitroom.draw import Draws
from waitroom.line import Line
from waitroom.lines import Lines
from waitroom.memory import Memory
from waitroom.recognition import Recognition, Visit
from waitroom.store import Store
from waitroom.ticket import TicketSigner

NOW_S = 1_800_000_000
MOST = 8


class CountingVerifier(AdmissionVerifier):
    """The real one, and how often each token was verified."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.verified: Counter[str] = Counter()

    def verify(self, token: str, audience: str, now_s: float) -> Admission:
        self.verified[token] += 1
        return super().verify(token, audience, now_s)


@dataclass
class Desk:
    """`show` brings an admission, and gives the number that it was recognized by, 0 for none."""

    verifier: CountingVerifier
    sign: Callable[..., str]
    show: Callable[[str], int]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(module, "MOST_KNOWN", MOST)
    waitroom = Waitroom(tmp_path, "redis://127.0.0.1:1", 1)
    waitroom.set()
    room = next(iter(ConfigFile(waitroom.config).rooms))
    store = Store("redis://127.0.0.1:1", TIMEOUT_MS)
    key = AdmissionKey(Ed25519PrivateKey.generate())
    signer, verifier = AdmissionSigner([key], "waitroom"), CountingVerifier({key.id: key.public}, "waitroom")
    lines = Lines(store, [room], Memory(tmp_path), time.monotonic, are_new=True)
    recognition = Recognition(lines, TicketSigner([b"x" * 32]), verifier, Draws(b"x" * 32), lambda: NOW_S)
    line = Line("site", room.limits, store)

    def sign(number: int, expires_s: int = NOW_S + 600) -> str:
        return signer.sign(Admission("site", room.audience, f"v{number}", number, NOW_S - 10, expires_s, ""))

    def show(token: str) -> int:
        known = recognition.admission(room, line, Visit(ticket="", admission=token))
        return known.number if known else 0

    return Desk(verifier, sign, show)


def test_an_admission_is_verified_once(desk: Desk) -> None:
    token = desk.sign(7)
    assert [desk.show(token) for _ in range(3)] == [7, 7, 7]
    assert desk.verifier.verified == {token: 1}


def test_of_more_good_admissions_than_are_remembered_each_is_recognized(desk: Desk) -> None:
    """Who was found good longest ago is verified again, and not everybody."""
    tokens = [desk.sign(number) for number in range(1, 10 * MOST)]
    assert [desk.show(token) for token in tokens] == list(range(1, 10 * MOST))
    verified = desk.verifier.verified.total()
    assert [desk.show(tokens[0]), desk.show(tokens[-1])] == [1, 10 * MOST - 1]
    assert desk.verifier.verified.total() == verified + 1
    assert desk.verifier.verified[tokens[-1]] == 1


def test_ended_admissions_make_room_before_good_ones_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    good = [desk.sign(number) for number in range(1, MOST // 2 + 1)]
    ending = [desk.sign(100 + number, NOW_S + 5) for number in range(MOST // 2)]
    for token in (*good, *ending):
        desk.show(token)
    monkeypatch.setattr("tests.waitroom.test_recognition.NOW_S", NOW_S + 60)
    assert desk.show(desk.sign(50, NOW_S + 900)) == 50
    before = desk.verifier.verified.total()
    assert all(desk.show(token) for token in good)
    assert desk.verifier.verified.total() == before
