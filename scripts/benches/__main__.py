"""Answers, by measuring, one question each: `scripts/bench forward`, for one. What was measured is kept as JSON, and
`scripts/bench report` makes docs/benchmarks.md of it; `scripts/bench profile` shows where the time goes."""

from importlib import import_module

import click

from scripts.benches import QUESTIONS

COMMANDS = (*QUESTIONS, "profile", "report")


class Questions(click.Group):
    """Reads only the question that is asked: some need what others do not."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"scripts.benches.{name}").command
        return command


@click.group(cls=Questions, help=__doc__)
def main() -> None:
    pass


if __name__ == "__main__":
    main()
