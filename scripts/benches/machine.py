"""What machine it is, and what runs on it: figures mean little without."""

import os
import platform
import re
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import click

from waitroom import relay

# The core of who is measured, and that of everything else: load generators, origins, Redis.
MEASURED, OTHERS = 0, 1


def need_two_cores() -> None:
    """Raises ClickException."""
    if (os.cpu_count() or 1) < 2:
        raise click.ClickException("two cores are needed: one for who is measured, one for everything else")


def machine() -> Mapping[str, str]:
    """Processor, memory, system, and how Python was built."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "processor": f"{os.cpu_count()} cores, {model[1] if model else platform.processor()}",
        "memory": f"{int(memory[1]) / 1024**2:.0f} GiB" if memory else "unknown",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}, {build()}",
        "waitroom": "hot modules compiled" if is_compiled() else "not compiled",
    }


def is_compiled() -> bool:
    """Whether the modules that most requests run through are compiled (scripts/compile)."""
    return not str(relay.__file__).endswith(".py")


def build() -> str:
    """Whether the interpreter was built to be optimized by profile: without, it is 1.1 to 1.5 times slower."""
    is_optimized = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
    return "configured with --enable-optimizations" if is_optimized else "configured without --enable-optimizations"


def packages(*names: str) -> Mapping[str, str]:
    """The versions of these packages."""
    return {name: version(name) for name in names}


def told(command: Sequence[str], pattern: str = r"\d+(?:\.\d+)+") -> str:
    """The version that a program tells about itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    match = re.search(pattern, done.stdout + done.stderr)
    return match[0] if match else "unknown"
