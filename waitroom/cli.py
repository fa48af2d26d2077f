"""The command `waitroom`. Each command is imported when it is asked for: a worker should not start with what only a
rehearsal needs."""

import pkgutil

import click

# In the order in which help has them.
COMMANDS = {
    "serve": "waitroom.cli_serve:serve",
    "worker": "waitroom.cli_worker:worker",
    "check": "waitroom.cli_config:check",
    "schema": "waitroom.cli_config:print_schema",
    "preview": "waitroom.preview.cli:preview",
    "keys": "waitroom.cli_keys:make_keys",
    "status": "waitroom.cli_watch:status",
    "top": "waitroom.cli_watch:top",
    "dashboard": "waitroom.cli_watch:dashboard",
    "token": "waitroom.cli_watch:token",
    "set": "waitroom.cli_knobs:set_knobs",
    "clear": "waitroom.cli_knobs:clear",
    "hold": "waitroom.cli_knobs:hold",
    "resume": "waitroom.cli_knobs:resume",
    "open": "waitroom.cli_knobs:open_room",
    "close": "waitroom.cli_knobs:close",
    "queue": "waitroom.cli_knobs:queue",
    "message": "waitroom.cli_knobs:message",
    "audit": "waitroom.cli_knobs:audit",
    "release": "waitroom.cli_desk:release",
    "revoke": "waitroom.cli_desk:revoke",
    "reset": "waitroom.cli_desk:reset",
    "rehearse": "waitroom.rehearsal.cli:rehearse_command",
    "plan": "waitroom.rehearsal.cli:plan_command",
    "verify-draw": "waitroom.cli_draw:verify_draw",
}


class Commands(click.Group):
    """Those of `COMMANDS`, by name."""

    def list_commands(self, _: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        where = COMMANDS.get(cmd_name)
        command: click.Command | None = pkgutil.resolve_name(where) if where else None
        return command


@click.group(cls=Commands)
@click.version_option(package_name="waitroom")
def main() -> None:
    """A fair, fast waiting room in front of any site."""
