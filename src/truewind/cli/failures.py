"""The one place where errors become exit codes and messages.

0    done
1    unexpected: the traceback is in the system log, and shown under --debug
2    bad input, or the command was used wrongly
3    the strategy raised
4    disk or store
5    the ledger does not add up
6    what was checked has failed a check
7    a venue or a server elsewhere refused, or cannot be reached
130  interrupted
"""

import errno
import os
import sys
import traceback
from typing import Any

import typer

from truewind import log
from truewind.cli import INTERRUPTED
from truewind.errors import TruewindError

# typer carries its own copy of click from 0.29 on; the base of its errors is found through one that it exports.
_CommandLineError: Any = typer.BadParameter.__mro__[2]

UNEXPECTED, BAD_USE, STORAGE, FAILED_CHECK = 1, 2, 4, 6
_DISK_SAYS_NO = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Tell the user about `error` (JSON on stdout, or a line on stderr) and return the exit code."""
    if isinstance(error, BrokenPipeError):  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNEXPECTED
    code, facts = _explained(error)
    if debug and code not in (BAD_USE, INTERRUPTED):
        traceback.print_exception(error, file=sys.stderr)
    facts = log.redacted(facts)
    if as_json:
        from truewind.cli.output import print_json

        print_json({"error": facts})
    elif facts["message"]:  # empty where typer has printed the help instead
        remedy = f"\n  {facts['remedy']}" if facts["remedy"] else ""
        print(f"error: {facts['message']}{remedy}", file=sys.stderr)
    return code


def _explained(error: BaseException) -> tuple[int, dict[str, Any]]:
    if isinstance(error, TruewindError):
        # Bad input needs no traceback; a strategy that raised, a refusing disk and a wrong ledger do.
        trace = error if error.exit_code != BAD_USE else None
        log.get("system").info("command failed", error=error.as_dict(), exc_info=trace)
        return error.exit_code, error.as_dict()
    if isinstance(error, _CommandLineError):
        context = getattr(error, "ctx", None)
        remedy = f"Try: {context.command_path} --help" if context else None
        return BAD_USE, _fact_sheet("UsageError", error.format_message().replace("Value error, ", ""), remedy)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED, _fact_sheet("Interrupted", "Interrupted", None)
    if isinstance(error, OSError) and error.errno in _DISK_SAYS_NO:
        log.get("system").info("the disk refused", exc_info=error)
        return STORAGE, _fact_sheet("StorageError", str(error), "Check the folder's rights and the free space")
    log.get("system").info("unexpected error", exc_info=error)
    return UNEXPECTED, _fact_sheet(
        type(error).__name__,
        f"Unexpected {type(error).__name__}: {error}",
        f"This should not happen. {_where_logged()}Run it again with --debug to see the traceback",
    )


def _where_logged() -> str:
    file = log.path("system")
    return f"The traceback is in {file}. " if file else ""


def _fact_sheet(kind: str, message: str, remedy: str | None) -> dict[str, Any]:
    return {"type": kind, "message": message, "remedy": remedy, "facts": {}}
