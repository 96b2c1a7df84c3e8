"""Progress: shown where a person watches, silent elsewhere, and honest about compilation."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def on_terminal(*command: str, cwd: Path) -> tuple[int, str, str]:
    """Exit code, stdout (a pipe) and stderr (a terminal of 100 columns) of a command."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # Linux says EIO when the last writer has gone
            break
        if not chunk:
            break
        shown += chunk
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    return process.returncode, out.decode(), shown.decode()


def test_a_terminal_shows_a_bar_and_stdout_stays_clean(lake: Path, home: Path) -> None:
    """With stderr on a terminal the stage and the count appear there; stdout is still one JSON object."""
    code, out, shown = on_terminal(sys.executable, "-m", "truewind.cli", "data", "check", "--json", cwd=home)
    assert code == 0, shown
    assert len(json.loads(out)["series"]) == 4
    assert "checking series" in shown
    assert "/4" in shown


def test_without_a_terminal_nothing_is_shown(shell: Any, lake: Path) -> None:
    """Piped, the same command says nothing on stderr."""
    assert shell("data", "check", "--json").err == ""


PROGRAM = "from truewind.cli.progress import progress\nwith progress(compiles=True) as step: step('running', 0, 9)"


@pytest.mark.skipif(os.environ.get("TRUEWIND_KERNELS") == "python", reason="nothing is compiled")
def test_the_first_compilation_is_announced(home: Path) -> None:
    """With an empty kernel cache a line on stderr says why it takes longer."""
    cold = os.environ | {"TRUEWIND_CACHE": str(home / "cache")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=cold, capture_output=True, text=True, check=True)
    assert done.stderr == "compiling kernels (first use, cached afterwards) …\n"
    assert done.stdout == ""


def test_work_without_kernels_announces_nothing(home: Path) -> None:
    """The same where every kernel runs as Python: there is nothing to compile."""
    python = os.environ | {"TRUEWIND_KERNELS": "python", "TRUEWIND_CACHE": str(home / "cache")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=python, capture_output=True, text=True, check=True)
    assert done.stderr == ""
