"""Answers, by measuring, one question each: `scripts/bench forward`, for one. What was measured is kept as JSON, and
`scripts/bench report` makes docs/benchmarks.md of it."""

from importlib import import_module

import click

# Each is a module here, and has a click command called `command`.
QUESTIONS = ("forward", "poll", "join", "memory", "precision", "booking", "sale", "report")


class Questions(click.Group):
    """Reads only the question that is asked: some need what others do not."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(QUESTIONS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in QUESTIONS:
            return None
        command: click.Command = import_module(f"scripts.benches.{name}").command
        return command


@click.group(cls=Questions, help=__doc__)
def main() -> None:
    pass


if __name__ == "__main__":
    main()
