"""JupyterLab, a real site: it signs in, uploads and downloads files, and runs code over WebSockets."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import free_port
from tests.waitroom.proxy.process import process_of

TOKEN = "the token of a test"
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "sum",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": "for i in range(3):\n    print('told', 6 * 7 + i, flush=True)",
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@dataclass(frozen=True, slots=True)
class Jupyter:
    """A running JupyterLab; what it serves is in the folder `files`, at first a notebook of one cell."""

    port: int
    files: Path


@asynccontextmanager
async def jupyter(folder: Path) -> AsyncIterator[Jupyter]:
    """Runs one that has no state but what is in the folder, and asks nobody on the net."""
    files, home, port = folder / "files", folder / "home", free_port()
    files.mkdir(parents=True)
    home.mkdir()
    (files / "sum.ipynb").write_text(json.dumps(NOTEBOOK))
    config = folder / "jupyter_config.json"
    config.write_text(json.dumps(_config(port, files)))
    command = (sys.executable, "-m", "jupyterlab", "--config", str(config))
    ready_url = f"http://127.0.0.1:{port}/login"
    async with process_of(command, folder / "log", ready_url, HOME=str(home), SHELL="/bin/sh"):
        yield Jupyter(port, files)


def _config(port: int, files: Path) -> dict[str, dict[str, object]]:
    return {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": port,
            "port_retries": 0,
            "root_dir": str(files),
            "open_browser": False,
            "allow_root": True,
        },
        "IdentityProvider": {"token": TOKEN},
        "LabApp": {
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "extension_manager": "readonly",
        },
    }
