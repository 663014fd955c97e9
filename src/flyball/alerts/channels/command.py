"""A command of yours: it gets the alert as JSON on its standard input and runs where alerts are delivered.

Settings: `command`, a list of the program and its arguments (no shell stands between); `timeout` in seconds (optional).
An exit code other than 0 is a failure.
"""

from __future__ import annotations

import subprocess
from typing import Any

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.errors import InvalidInput, WorkFailed
from flyball.serialization import to_json

_SECONDS = 10.0


class Command:
    """Runs a program for each change of an alert."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Runs the program."""
        command = check_command(settings.get("command", []))
        body = to_json({"alert": alert})
        try:
            done = subprocess.run(
                command, input=body, capture_output=True, check=False, timeout=float(settings.get("timeout", _SECONDS))
            )
        except subprocess.TimeoutExpired as error:
            raise WorkFailed(f"'{command[0]}' did not end within {error.timeout:g} seconds.") from error
        except OSError as error:
            raise WorkFailed(f"'{command[0]}' cannot be run: {error.strerror}.") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-300:]
            raise WorkFailed(f"'{command[0]}' ended with exit code {done.returncode}: {said or 'it said nothing'}.")


def check_command(command: list[str]) -> list[str]:
    """Gives the command back if it may be one.

    Raises:
        InvalidInput: it is no list of texts, or empty.
    """
    if not isinstance(command, list | tuple) or not command or not all(isinstance(part, str) for part in command):
        raise InvalidInput("A command is a list of texts.", hint='Write it as ["program", "argument"].')
    if not command[0] or any("\0" in part for part in command):
        raise InvalidInput("The command names no program.", hint='Write it as ["program", "argument"].')
    return list(command)


plugin: Channel = Command()
