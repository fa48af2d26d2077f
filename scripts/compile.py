"""Makes a wheel of both packages for this machine's Python, with the modules that most requests run through compiled to
C, by mypyc, which is a part of mypy. It needs a C compiler. Nothing else differs: the sources are the same.
"""

import os
import shutil
import sysconfig
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from mypyc.build import mypycify
from rich.console import Console
from setuptools import setup

# What a request that is carried on, a poll, and a visitor who comes run through. Left out is what tests put their own
# in place of: compiled code takes nothing but the class that it names.
HOT = (
    "wire/bodies",
    "wire/cookies",
    "wire/errors",
    "wire/heads",
    "wire/limits",
    "wire/requests",
    "wire/rewriting",
    "wire/targets",
    "answers",
    "asking",
    "clients",
    "coalesce",
    "connections",
    "cookies",
    "cors",
    "dates",
    "desk/vitals",
    "exchange",
    "front",
    "front_connection",
    "gate",
    "headers",
    "judge",
    "listener",
    "line",
    "lines",
    "metrics",
    "newcomers",
    "origin_connection",
    "outlooks",
    "pace",
    "papers",
    "place",
    "places",
    "present",
    "prepared",
    "reception",
    "recognition",
    "records",
    "relay",
    "response",
    "rooms",
    "standing",
    "ticket",
)
console = Console(highlight=False)


def wheel(out: Path) -> Path:
    """The wheel, made in a folder. Raises ClickException where there is no compiler."""
    compiler = str(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if not shutil.which(compiler):
        raise click.ClickException(f"there is no C compiler {compiler}: install one (apt-get install gcc), or set CC")
    modules = [f"waitroom/{name}.py" for name in HOT]
    with TemporaryDirectory() as scratch:  # a new one: what an earlier build left would get into the wheel
        extensions = mypycify(modules, group_name="waitroom", opt_level="3", debug_level="0", target_dir=scratch)
        built = ["egg_info", f"--egg-base={scratch}", "build", f"--build-base={scratch}"]
        setup(script_args=["--quiet", *built, "bdist_wheel", f"--dist-dir={out}"], ext_modules=extensions)
    return max(out.glob("waitroom-*.whl"), key=lambda made: made.stat().st_mtime)


def unpacked(folder: Path) -> Path:
    """A folder of its own with what is in such a wheel, for PYTHONPATH; made anew where a source is newer."""
    newest = max(path.stat().st_mtime for path in Path("waitroom").rglob("*.py"))
    if not folder.exists() or folder.stat().st_mtime < newest:
        with TemporaryDirectory() as out:
            made = wheel(Path(out))
            shutil.rmtree(folder, ignore_errors=True)
            with zipfile.ZipFile(made) as archive:
                archive.extractall(folder)
        folder.touch()
    return folder


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("dist"), help="A folder for it.")
@click.option("--unpack", is_flag=True, help="Put there what would be in the wheel, for PYTHONPATH.")
def main(out: Path, *, unpack: bool) -> None:
    """Make the wheel."""
    console.print(f"{unpacked(out) if unpack else wheel(out)}")


if __name__ == "__main__":
    main()
