"""A command that speaks with a key management system: `command:/usr/local/bin/wrap-with-kms --key alias/flyball`.

It is run with one more argument, `wrap` or `unwrap`, gets the bytes in base64 on its input and prints the answer in base64. The
environment variable `FLYBALL_CONTEXT` holds name and version of the secret, for the system to bind its answer to.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import subprocess
from pathlib import Path

from flyball.errors import InvalidInput, TimedOut, WorkFailed
from flyball.governance.key_wrappers.base import KeyWrapper, Wrapper

_SECONDS = 30.0


class _CommandWrapper:
    def __init__(self, words: list[str]) -> None:
        self._words = words
        self.key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]

    def wrap(self, data_key: bytes, context: str) -> bytes:
        return self._run("wrap", data_key, context)

    def unwrap(self, wrapped: bytes, context: str, key: str) -> bytes:
        return self._run("unwrap", wrapped, context)

    def renew(self) -> None:
        raise InvalidInput(
            "The keys are made by the key management system.", hint="Let it make a new one, or change the setting."
        )

    def _run(self, what: str, data: bytes, context: str) -> bytes:
        try:
            done = subprocess.run(
                [*self._words, what],
                input=base64.b64encode(data),
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                env={**os.environ, "FLYBALL_CONTEXT": context},
            )
        except subprocess.TimeoutExpired as error:
            raise TimedOut(f"'{self._words[0]} {what}' did not answer within {_SECONDS:g} s.") from error
        except OSError as error:
            raise WorkFailed(
                f"'{self._words[0]}' cannot be run: {error.strerror}.", hint="See the setting secrets_key."
            ) from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-500:]
            raise WorkFailed(f"'{self._words[0]} {what}' ended with {done.returncode}: {said}")
        try:
            return base64.b64decode(done.stdout.strip(), validate=True)
        except ValueError as error:
            raise WorkFailed(f"'{self._words[0]} {what}' did not answer in base64.") from error


class Command:
    """Wrappers that run a command."""

    def open(self, place: str, folder: Path) -> Wrapper:
        """A wrapper that runs the command.

        Raises:
            InvalidInput: there is none.
        """
        words = shlex.split(place)
        if not words:
            raise InvalidInput("secrets_key names no command.", hint="Write it as command:/path/to/program --option.")
        return _CommandWrapper(words)


plugin: KeyWrapper = Command()
