"""The command `flyball`."""

from __future__ import annotations

import sys

from flyball.cli.commands import help_text
from flyball.version import __version__


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and leaves with its exit code.

    0 ok, 1 failed work, 2 usage, 3 gate refused, 4 not found, 5 no server, 130 interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # These two need no library, and people time them.
    if arguments in ([], ["--help"], ["-h"], ["help"]):
        sys.stdout.write(help_text())
        sys.exit(0 if arguments else 2)
    if arguments == ["--version"]:
        sys.stdout.write(f"flyball {__version__}\n")
        sys.exit(0)
    from flyball.cli.group import invoke

    sys.exit(invoke(arguments))


if __name__ == "__main__":
    main()
