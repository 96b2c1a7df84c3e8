"""`truewind doctor`: is everything that truewind needs in order on this machine?"""

import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from truewind.cli.options import Json

if TYPE_CHECKING:
    from truewind.cli.settings import AppSettings

LEAST_FREE_GB = 1.0


class Finding(NamedTuple):
    """One thing looked at. ok: False needs attention, None is only told."""

    name: str
    ok: bool | None
    value: str


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind doctor --json")(doctor)


def doctor(json: Json = False) -> None:
    """Say whether everything is in order on this machine.

    Looks at Python, libraries, compiled kernels, lake and disk. Exit code 6 if something needs attention.
    """
    from truewind.cli.failures import FAILED_CHECK
    from truewind.cli.output import print_json, print_table

    findings = list(_examine())
    healthy = all(finding.ok is not False for finding in findings)
    if json:
        print_json({"ok": healthy, "checks": [finding._asdict() for finding in findings]})
    else:
        signs = {True: "ok", False: "!!", None: ""}
        print_table(["", "check", "found"], [(signs[found.ok], found.name, found.value) for found in findings])
    if not healthy:
        raise typer.Exit(FAILED_CHECK)


def _examine() -> Iterator[Finding]:
    from truewind.cli import settings

    config = settings.load()
    yield _python()
    yield Finding("system", None, f"{platform.platform()}, {os.cpu_count()} CPUs")
    yield from _libraries()
    yield _attempt("kernel cache", _kernel_cache)
    yield _attempt("kernels", _kernels)
    yield _attempt("lake", lambda: _lake(config))
    yield _attempt("trials", lambda: _trials(config))
    for name, folder in (("runs", config.runs), ("logs", config.logs)):
        yield _writable(name, folder)
    yield _disk(config)
    for name, remedy in settings.unknown_in_environment().items():
        yield Finding("environment", False, f"{name} is not read. {remedy}")


def _attempt(name: str, look: Callable[[], Finding]) -> Finding:
    """A look that fails is a finding: the doctor reports on a broken house instead of falling over in it."""
    try:
        return look()
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {error}")


def _python() -> Finding:
    version = platform.python_version()
    return Finding("Python", sys.version_info >= (3, 11), f"{version} at {sys.executable}")


def _libraries() -> Iterator[Finding]:
    """The libraries of the core must be there; those of an extra are only told."""
    by_extra: dict[str, list[str]] = {}
    for requirement in metadata.requires("truewind") or []:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        of_extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", requirement)
        by_extra.setdefault(of_extra[1] if of_extra else "", []).append(name)
    yield Finding("truewind", None, metadata.version("truewind"))
    for extra, names in by_extra.items():
        versions = {name: _version(name) for name in names}
        missing = [name for name, version in versions.items() if version is None]
        found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        if not extra:
            yield Finding("libraries", not missing, f"missing: {', '.join(missing)}" if missing else found)
        else:
            how = f"not complete: pip install 'truewind[{extra}]' adds {', '.join(missing)}"
            yield Finding(f"extra {extra}", None, how if missing else found)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _kernel_cache() -> Finding:
    from truewind.numerics.jit import cache_root

    folder = cache_root()
    folder.mkdir(parents=True, exist_ok=True)
    files = [file for file in folder.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    return Finding("kernel cache", os.access(folder, os.W_OK), f"{folder}, {len(files)} files, {size:.0f} MB")


def _kernels() -> Finding:
    """Compile (or load) one kernel and compare it with its Python face on a product beyond 64 bits."""
    from truewind.numerics import jit
    from truewind.numerics.exact import mul_div

    if not jit.COMPILED:
        return Finding("kernels", None, "run as plain Python (TRUEWIND_KERNELS=python): slow")
    started = time.perf_counter()
    compiled: Any = mul_div
    numbers = (10**15, 10**6, 7 * 10**5)
    agree = compiled(*numbers) == compiled.py_func(*numbers)
    took = time.perf_counter() - started
    cached = bool(compiled.stats.cache_hits)
    how = f"{'loaded from the cache' if cached else 'compiled'} in {took:.1f} s"
    return Finding("kernels", agree, how if agree else "machine code and Python disagree: remove the kernel cache")


def _lake(config: "AppSettings") -> Finding:
    from truewind.storage.lake import Lake

    if "://" not in config.lake and not Path(config.lake).exists():
        return Finding("lake", None, f"{config.lake} does not exist yet: truewind demo or truewind data import")
    series = Lake(config.lake).series()
    rows = sum(one.rows for one in series)
    return Finding("lake", True, f"{config.lake}: {len(series)} series, {rows:,} rows")


def _trials(config: "AppSettings") -> Finding:
    """Whether the ledger of trials can be opened, and what it holds."""
    from truewind.errors import MissingFileError
    from truewind.storage.trials import open_ledger

    try:
        ledger = open_ledger(config.database, must_exist=True)
    except MissingFileError as error:
        return Finding("trials", None, f"{error.facts['path']} does not exist yet: a backtest makes it")
    if ledger is None:
        return Finding("trials", None, "nothing is recorded: TRUEWIND_DATABASE is off")
    return Finding("trials", True, f"{ledger.database.place}: {ledger.count():,} trials")


def _writable(name: str, folder: Path) -> Finding:
    """Whether `folder`, or the nearest folder above it that exists, can be written."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    ok = place.is_dir() and os.access(place, os.W_OK)
    return Finding(name, ok, str(folder) if ok else f"{folder}: {place} cannot be written")


def _disk(config: "AppSettings") -> Finding:
    place = config.runs.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    return Finding("disk", free >= LEAST_FREE_GB, f"{free:,.1f} GB free at {place}")
