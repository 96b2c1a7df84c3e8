"""The program: exit codes, errors for machines and for people, and nothing on stdout that does not belong there."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from truewind import __version__, cli, errors
from truewind.cli import failures
from truewind.errors import TruewindError


def test_version(run: Any) -> None:
    """`--version` prints it and leaves."""
    assert run("--version") == (0, f"truewind {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["nonsense"], ["data", "lst"], ["backtest"], ["backtest", "a", "--sett", "b=1"]])
def test_wrong_use_exits_2(run: Any, arguments: list[str]) -> None:
    """Unknown commands and options and missing arguments: code 2, a line on stderr, under --json an object."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "--help" in err
    done = run(*arguments, "--json")
    assert done.code == 2
    assert done.json["error"]["type"] == "UsageError"
    assert done.err == ""


def test_no_command_shows_the_help(run: Any) -> None:
    """`truewind` alone explains itself, and is no success."""
    code, out, err = run()
    assert code == 2
    assert "demo" in out + err
    assert "error" not in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError, 2),
        (errors.MissingFileError, 2),
        (errors.FeatureError, 2),
        (errors.InstrumentError, 2),
        (errors.StrategyError, 3),
        (errors.CorruptError, 4),
        (errors.LockedError, 4),
        (errors.LedgerError, 5),
    ],
)
def test_every_error_has_its_exit_code(
    error: type[TruewindError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code follows the kind of error; JSON carries type, message, remedy and facts."""
    raised = error("it broke", remedy="Mend it", row=3)
    assert failures.report(raised, as_json=True, debug=False) == code
    shown = json.loads(capsys.readouterr().out)
    assert shown == {
        "error": {"type": error.__name__, "message": "it broke", "remedy": "Mend it", "facts": {"row": "3"}}
    }
    assert failures.report(raised, as_json=False, debug=False) == code
    assert capsys.readouterr().err == "error: it broke\n  Mend it\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_refusing_disk_is_a_storage_error(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever part of the program meets a full or locked disk, the code is 4."""
    error = OSError(number, os.strerror(number), "runs/x")
    assert failures.report(error, as_json=True, debug=False) == 4
    assert os.strerror(number) in json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_secret_in_an_error_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Error messages pass the same mask as logs."""
    failures.report(RuntimeError("GET /x?signature=Zq9Zq9"), as_json=True, debug=False)
    failures.report(errors.DataError("bad", api_key="Zq9Zq9"), as_json=True, debug=False)
    shown = capsys.readouterr()
    assert "RuntimeError" in shown.out
    assert "Zq9Zq9" not in shown.out + shown.err


def test_the_unexpected_is_logged_and_short(run: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug exits 1 with one line and a hint; the traceback is in the system log, and on stderr under --debug."""
    from truewind.storage.lake import Lake

    def broken(self: Lake) -> None:
        raise ZeroDivisionError("oh")

    (home / "data").mkdir()
    monkeypatch.setattr(Lake, "series", broken)
    code, out, err = run("data", "list")
    assert (code, out) == (1, "")
    assert "Unexpected ZeroDivisionError: oh" in err
    assert "Traceback" not in err
    assert str(home / "logs" / "system.jsonl") in err
    logged = json.loads((home / "logs" / "system.jsonl").read_text().splitlines()[-1])
    assert "in broken" in logged["exception"]
    assert "in broken" in run("data", "list", "--debug").err
    done = run("--debug", "data", "list", "--json")
    assert done.json["error"]["type"] == "ZeroDivisionError"
    assert "in broken" in done.err


def test_ctrl_c_exits_130(run: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt is no error of the program: code 130, no traceback."""
    from truewind.storage.lake import Lake

    def interrupted(self: Lake) -> None:
        raise KeyboardInterrupt

    (home / "data").mkdir()
    monkeypatch.setattr(Lake, "series", interrupted)
    code, _, err = run("data", "list")
    assert code == 130
    assert "Traceback" not in err
    assert run("data", "list", "--json").json["error"]["type"] == "Interrupted"


def test_a_real_interrupt_ends_a_real_process(lake: Path, config: Path) -> None:
    """SIGINT in the middle of a command ends it with code 130."""
    slow = "import sys, time, truewind.cli as c, truewind.storage.lake as l\n"
    slow += "def wait(self):\n print('ready', flush=True); time.sleep(60)\n"
    slow += "l.Lake.series = wait\nsys.exit(c.main(['data', 'list']))"
    process = subprocess.Popen(
        [sys.executable, "-c", slow], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    process.stdout.close()


def test_a_reader_that_leaves_is_no_error(lake: Path) -> None:
    """`truewind features list | head -1` prints no traceback."""
    command = f"{sys.executable} -m truewind.cli features list | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_help_is_quick() -> None:
    """`truewind --help` and `import truewind` stay within 0.5 s and 0.1 s of the processor's time, best of five."""

    def best(*arguments: str) -> float:
        times = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(times)

    bare = best("-c", "pass")
    assert best("-c", "import truewind") - bare < 0.1
    assert best("-m", "truewind.cli", "--help") < 0.5


def test_main_takes_the_arguments_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument list `main` reads the command line."""
    monkeypatch.setattr(sys, "argv", ["truewind", "--version"])
    assert cli.main() == 0
