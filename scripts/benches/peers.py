"""Peers: reverse proxies in Python that others use. Each has a virtual environment of its own, made when it is first
needed, since they ask for older versions of packages than we do."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click

FOLDER = Path(".bench")
INSTALL_TIMEOUT_S = 240.0
# The newest that run on every Python that we do.
VERSIONS: Mapping[str, str] = {"mitmproxy": "11.0.2", "proxy.py": "2.4.10"}


def bin_folder(name: str) -> Path:
    """Where the programs of a peer lie. Raises ClickException where it can't be installed."""
    requirement = f"{name}=={VERSIONS[name]}"
    folder = (FOLDER / f"{name}-{VERSIONS[name]}-python{sys.version_info.major}.{sys.version_info.minor}").resolve()
    done = folder / "installed"
    if not done.exists():
        _run(requirement, [sys.executable, "-m", "venv", "--clear", str(folder)])
        _run(requirement, [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", requirement])
        done.touch()
    return folder / "bin"


def _run(requirement: str, command: list[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired as exc:
        raise click.ClickException(f"{requirement} was not installed within {INSTALL_TIMEOUT_S:.0f} s") from exc
    except subprocess.CalledProcessError as exc:
        last = (exc.stderr or exc.stdout).strip().rpartition("\n")[2]
        raise click.ClickException(f"{requirement} can't be installed by {sys.executable}: {last}") from exc
