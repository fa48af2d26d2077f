"""The verifier in Python that docs/admission-token.md offers to other sites, against the contract's vectors."""

import importlib.util
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/token_vectors.json").read_text())


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("admission_example", ROOT / "docs/examples/admission.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class KeySet(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": VECTORS["keys"]}).encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def key_set() -> Iterator[str]:
    """Where the waiting room's keys are."""
    with ThreadingHTTPServer(("127.0.0.1", 0), KeySet) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_token_gives_its_claims(example: ModuleType, key_set: str, vector: dict[str, Any]) -> None:
    verifier = example.Verifier(key_set, VECTORS["audience"], VECTORS["issuer"])
    assert verifier.verify(vector["token"], VECTORS["now_s"]) == vector["claims"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_token_gives_its_code(example: ModuleType, key_set: str, vector: dict[str, Any]) -> None:
    verifier = example.Verifier(key_set, VECTORS["audience"], VECTORS["issuer"])
    with pytest.raises(example.Refused) as refusal:
        verifier.verify(vector["token"], VECTORS["now_s"])
    assert refusal.value.code == vector["code"]
