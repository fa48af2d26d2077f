"""Prometheus itself and its promtool, of Debian's package `prometheus`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CONFIG = Path(__file__).parent.parent.parent / "config" / "prometheus"
ALERTS = CONFIG / "alerts.yml"
RECORDINGS = CONFIG / "recording.rules.yml"
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")

needs_prometheus = pytest.mark.skipif(
    not (PROMETHEUS and PROMTOOL) and os.environ.get("CI") != "true",
    reason="no prometheus and promtool on PATH (Debian's package: prometheus)",
)


def promtool(*arguments: str | Path, told: str = "") -> str:
    """What it says. Fails the test where it finds anything wrong."""
    assert PROMTOOL, "with CI=true nothing may skip: install Debian's package prometheus"
    run = subprocess.run([PROMTOOL, *arguments], input=told, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr
