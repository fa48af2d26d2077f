"""What we ship for running it elsewhere, read as data: manifests, the Compose file, units and Dockerfiles."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from booking import settings as booking_settings
from waitroom import settings as waitroom_settings

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
KUBERNETES = sorted((CONFIG / "kubernetes").glob("*.yaml"))
SECRETS = {
    "BOOKING_DATABASE_URL": "mysql+aiomysql://booking:pass@database/booking",
    "BOOKING_REDIS_URL": "redis://redis:6379/1",
    "BOOKING_SECRETS": "0123456789abcdef" * 4,
    "BOOKING_STRIPE_SECRET_KEY": "sk_test_1",
    "BOOKING_STRIPE_WEBHOOK_SECRET": "whsec_1",
}


@dataclass(frozen=True)
class Image:
    """What a Dockerfile says of the image."""

    ports: set[int]
    user: int
    config: str | None

    @classmethod
    def of(cls, name: str) -> "Image":
        text = (ROOT / f"Dockerfile.{name}").read_text()
        ports = {int(port) for line in re.findall(r"^EXPOSE (.+)$", text, re.MULTILINE) for port in line.split()}
        config = re.search(r'"--config", "([^"]+)"', text)
        user = re.search(r"^USER (\d+)$", text, re.MULTILINE)
        assert user, f"Dockerfile.{name} has no numeric USER"
        return cls(ports, int(user[1]), config[1] if config else None)


@cache
def documents() -> list[dict[str, Any]]:
    """Each Kubernetes manifest."""
    return [document for file in KUBERNETES for document in yaml.safe_load_all(file.read_text())]


def manifest(kind: str, name: str) -> dict[str, Any]:
    return next(one for one in documents() if (one["kind"], one["metadata"]["name"]) == (kind, name))


def compose() -> dict[str, Any]:
    """The Compose file; anchors and merges are resolved."""
    told: dict[str, Any] = yaml.safe_load((CONFIG / "compose.yaml").read_text())
    return told


def waitroom_config(text: str) -> waitroom_settings.Settings:
    return waitroom_settings.parse(text, "waitroom.toml")


def booking_config(variables: Mapping[str, str], folder: Path) -> booking_settings.Settings:
    """The settings that these variables spell, with a secret in each file that they name."""
    given = dict(variables)
    for name in given:
        if name.endswith("_FILE"):
            file = folder / name
            file.write_text(SECRETS[name.removesuffix("_FILE")])
            given[name] = str(file)
    return booking_settings.read(given)


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def lies_in(path: str, folders: list[str]) -> bool:
    """Whether a path is one of the folders or below one."""
    return any(Path(path).is_relative_to(folder) for folder in folders)
