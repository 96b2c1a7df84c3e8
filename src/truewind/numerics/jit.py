"""`@kernel`: the one way to compile a function, with a disk cache that never runs stale code.

numba stamps a cached function with its own file only: edit a callee in another file and the caller's cached
machine code silently stays old. Here the cache folder is named by a hash of every kernel source in the
package (and of the sources beside a user's kernel), the versions and the CPU, so any edit starts a new folder.

Set `TRUEWIND_KERNELS=python` to run every kernel as plain Python: slower by 100×, but a debugger and a
coverage tool can step through it. The two agree bit for bit; a test holds them to it.
"""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

COMPILED = os.environ.get("TRUEWIND_KERNELS", "compiled") != "python"
_PACKAGE = Path(__file__).resolve().parent.parent
_STALE_AFTER_DAYS = 30
_folders: dict[Path, str] = {}


def cache_root() -> Path:
    """Where compiled kernels are kept: `TRUEWIND_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("TRUEWIND_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "kernels"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "truewind" / "kernels"


def kernel(function: F) -> F:
    """Compile `function` without fastmath, GIL or hidden state; cached on disk, shared by all processes.

    The result is called like the function; its readable Python twin is `.py_func`.
    """
    if not COMPILED:
        function.py_func = function  # type: ignore[attr-defined]
        return function
    import numba

    config: Any = numba.config
    previous = config.CACHE_DIR
    config.CACHE_DIR = _folder_for(Path(function.__code__.co_filename).resolve())
    try:
        # error_model="numpy": a division by zero yields inf or NaN as in arrays, and no branch to raise.
        return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    finally:
        config.CACHE_DIR = previous


def sources_digest(folder: Path) -> str:
    """Hash of all kernel sources below `folder`: files that mention a kernel, and the constants they use."""
    digest = hashlib.blake2b(digest_size=10)
    for path in sorted(folder.rglob("*.py")):
        text = path.read_bytes()
        if b"@kernel" in text or path.parent.name == "domain":
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(text)
    return digest.hexdigest()


def _folder_for(source: Path) -> str:
    inside = source.is_relative_to(_PACKAGE)
    home = _PACKAGE if inside else source.parent
    if home not in _folders:
        import llvmlite.binding as llvm
        import numba
        import numpy as np

        digest = hashlib.blake2b(digest_size=10)
        digest.update(sources_digest(_PACKAGE).encode())
        if not inside and source.is_file():
            for path in sorted(home.glob("*.py")):
                digest.update(path.read_bytes())
        features = ",".join(sorted(k for k, on in llvm.get_host_cpu_features().items() if on))
        for part in (sys.version, numba.__version__, np.__version__, llvm.get_host_cpu_name(), features):
            digest.update(part.encode())
        folder = cache_root() / digest.hexdigest()
        _folders[home] = str(folder)
        _drop_stale(folder)
    return _folders[home]


def _drop_stale(current: Path) -> None:
    """Remove cache folders that no run has used for a month, so that edits do not pile up on disk."""
    try:
        current.mkdir(parents=True, exist_ok=True)
        os.utime(current)
        limit = time.time() - _STALE_AFTER_DAYS * 86_400
        for folder in current.parent.iterdir():
            if folder != current and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # a read-only home: numba falls back to compiling in memory
