"""Runs a command, imported when it is named, and turns errors into words and exit codes."""

from __future__ import annotations

import errno
import importlib
import os
import sys

import click

from flyball.cli.commands import COMMANDS
from flyball.errors import FlyballError, did_you_mean
from flyball.principals import acting_as, owner_here
from flyball.serialization import error_to_plain, to_json

EXIT_CODES = {
    "invalid_input": 2,
    "missing_extra": 2,
    "gate_refused": 3,
    "not_found": 4,
    "server_unreachable": 5,
}

# OpenMP's threads wait by spinning. Where others share the cores that made a training of one second take twenty-six; asleep
# they cost nothing measurable. Child processes inherit it.
_QUIET_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


class LazyGroup(click.Group):
    """The group of all commands; each is imported when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; a misspelt one is answered with near names."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"There is no command '{args[0]}'. {did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


def _work_in(_: click.Context, __: click.Parameter, name: str | None) -> None:
    if name is not None:
        # As a variable, so that processes which the command starts work in the project too.
        os.environ["FLYBALL_PROJECT"] = name


flyball = LazyGroup(
    "flyball",
    help="Takes a model round the whole loop, and keeps taking it round.",
    params=[
        click.Option(
            ["--project"], metavar="NAME", help="The project to work in.", expose_value=False, is_eager=True,
            callback=_work_in,
        )
    ],
)  # fmt: skip


def invoke(arguments: list[str]) -> int:
    """Runs the command; gives the exit code. A user's mistake never shows a traceback."""
    wants_json = "--json" in arguments
    for name, value in _QUIET_THREADS.items():
        os.environ.setdefault(name, value)
    try:
        with acting_as(owner_here()):
            result = flyball.main(args=arguments, prog_name="flyball", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("Interrupted.\n")
        return 130
    except FlyballError as error:
        if wants_json:
            sys.stdout.write(to_json({"error": error_to_plain(error)}).decode() + "\n")
        sys.stderr.write(f"Error: {error.message}\n" + _place(error) + (f"  {error.hint}\n" if error.hint else ""))
        return EXIT_CODES.get(error.code, 1)
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        sys.stderr.write(f"Error: {error.filename or 'A file'} cannot be used: {error.strerror}.\n")
        return 1


def _place(error: FlyballError) -> str:
    """The line of the project where a step failed: the two lines of its traceback that a person looks for."""
    lines = str(error.facts.get("traceback", "")).splitlines()
    places = [number for number, line in enumerate(lines) if line.startswith("  File ")]
    return "".join(f"{line}\n" for line in lines[places[-1] : places[-1] + 2]) if places else ""
