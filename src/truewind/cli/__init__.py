"""The command line: `truewind`. One file a command group; what is heavy is imported inside the commands.

Every command takes `--json` and then prints exactly one JSON object to stdout; progress, warnings and errors for
people go to stderr. Exit codes stand in `failures.py`.
"""

import sys
from collections.abc import Sequence

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` without the program's name, default: the process's own."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    arguments.sort(key=lambda argument: argument != "--debug")  # may stand anywhere, belongs to the program
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        from truewind.cli.app import app

        code = app(arguments, prog_name="truewind", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer swallows the interrupt and returns this
            raise KeyboardInterrupt
    except (Exception, KeyboardInterrupt) as error:
        from truewind.cli.failures import report

        return report(error, as_json=as_json, debug=debug)
    return code if isinstance(code, int) else 0
