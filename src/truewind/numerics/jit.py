"""`@kernel`: the one way to compile a function, with a disk cache that never runs stale code.

numba stamps a cached function with its own file only: edit a callee in another file and the caller's cached
machine code silently stays old. Here the cache folder is named by a hash of every kernel source in this package,
of the sources that a user's kernel can reach, the versions and the CPU, so any edit starts a new folder.

Set `TRUEWIND_KERNELS=python` to run every kernel as plain Python: slower by 100×, but a debugger and a
coverage tool can step through it. The two agree bit for bit; a test holds them to it.
"""

import gc
import hashlib
import linecache
import os
import shutil
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast, overload

F = TypeVar("F", bound=Callable[..., Any])

COMPILED = os.environ.get("TRUEWIND_KERNELS", "compiled") != "python"
_PACKAGE = Path(__file__).resolve().parent.parent
_LIBRARIES = tuple(
    {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_STALE_AFTER_DAYS = 30
_caching = threading.RLock()  # numba has one cache folder for all threads


def cache_root() -> Path:
    """Where compiled kernels are kept: `TRUEWIND_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("TRUEWIND_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "kernels"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "truewind" / "kernels"


@overload
def kernel(function: F) -> F: ...


@overload
def kernel(*, inline: bool = False, raises: bool = False, kept: bool = True) -> Callable[[F], F]: ...


def kernel(
    function: F | None = None, *, inline: bool = False, raises: bool = False, kept: bool = True
) -> F | Callable[[F], F]:
    """Compile `function` without fastmath, GIL or hidden state; cached on disk, shared by all processes.

    The result is called like the function; its readable Python twin is `.py_func`. inline=True is for the small steps
    that a loop calls on every row: they dissolve in it, where the compiler left to itself may give up at some size.
    raises=True lets a division by zero raise, as in Python; without it, it yields inf or NaN, as in arrays.
    kept=False is for what is called with types of a module that other processes may not have: no cache of its own.
    """
    if function is None:
        return lambda function: _compiled(function, inline, raises, kept)
    return _compiled(function, inline, raises, kept)


def _compiled(function: F, inline: bool, raises: bool, kept: bool) -> F:
    if not COMPILED:
        function.py_func = function  # type: ignore[attr-defined]  # as a dispatcher has it
        return function
    import numba

    with _caching_in(_folder_for(function)) as cached:
        options: Any = {"error_model": "python" if raises else "numpy", "forceinline": inline}
        # Nobody calls a kernel through a C pointer (`compile_entry` makes its own): an eighth of the compiler's time.
        options["no_cfunc_wrapper"] = True
        dispatcher = numba.njit(cache=cached and kept, nogil=True, **options)(function)
    _forget_literals(dispatcher)
    _compile_uncollected()
    return cast("F", dispatcher)


@cache
def _compile_uncollected() -> None:
    """Let no garbage be looked for while a kernel is compiled: a tenth of the time, among millions of new objects."""
    from numba.core import event

    events: Any = event

    class Outermost(event.Listener):
        """Compiling a kernel compiles those it calls; one thread at a time, for numba holds a lock."""

        def __init__(self) -> None:
            self.depth = 0
            self.was_on = True

        def on_start(self, event: Any) -> None:
            if self.depth == 0:
                self.was_on = gc.isenabled()
                gc.disable()
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            if self.depth == 0 and self.was_on:
                gc.enable()

    events.register("numba:compile", Outermost())


def _forget_literals(dispatcher: Any) -> None:
    """Compile a kernel once for all integers: numba would make a copy of it for every constant that a caller passes."""
    from numba.core import types

    unliteral: Any = types.unliteral

    template = dispatcher.get_call_template
    dispatcher.get_call_template = lambda arguments, named: template(
        tuple(map(unliteral, arguments)), {key: unliteral(value) for key, value in named.items()}
    )


def generated(name: str, source: str, functions: dict[str, Any]) -> ModuleType:
    """A module made of `source`, in which `functions` (kernels) are known by the names given.

    It is kept as a real file in the cache folder of those kernels, so that a debugger can step through it and its
    own compiled code is cached like theirs; where no file can be written it lives in memory only.
    """
    # Two strategies of one file are called by the same source with the same types: only their names tell them apart.
    called = [f"{known}={item.py_func.__module__}:{item.py_func.__qualname__}" for known, item in functions.items()]
    module_name = f"{name}_{_hash(source, *called)}"
    folder = _common_folder(functions) if COMPILED else None
    path = (folder or Path("<memory>")) / "generated" / f"{module_name}.py"
    if folder is not None:
        _write_once(path, source)
    else:
        linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
    module = ModuleType(module_name)
    module.__file__ = str(path)
    vars(module).update(functions)
    sys.modules[module_name] = module  # where numba looks for the globals of code that it loads from the disk
    exec(compile(source, str(path), "exec"), vars(module))
    return module


class KernelError(TypeError):
    """The compiler refuses a function: its message says which line and why."""


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the compiler raises into a KernelError."""
    if not COMPILED:
        yield
        return
    from numba.core.errors import NumbaError

    try:
        yield
    except NumbaError as error:
        raise KernelError(str(error)) from None


def compile_entry(function: Callable[..., None], signature: Any) -> Any:
    """`function` as a C function of this numba signature, called by its `.address`. Raises KernelError."""
    import numba

    with _caching_in(_folder_for(function)) as cached, refusals():
        return numba.cfunc(signature, cache=cached, error_model="numpy")(function)


_by_name: dict[str, Any] = {}  # what the linker knows by name must stay


def by_name(function: F, integers: int) -> F:
    """A kernel of so many int64 that returns one, for other kernels to call by its name.

    What calls a kernel is otherwise compiled together with all that this calls in turn, each caller anew. The name is
    made known to the linker in every process, so code from the disk finds it as well. Raises KernelError.
    """
    if not COMPILED:
        return function
    from llvmlite import binding
    from numba import types

    python: Any = function.py_func  # type: ignore[attr-defined]
    signature = types.int64(*(integers * [types.int64]))
    name = f"{python.__module__}.{python.__qualname__}"
    if name not in _by_name:
        _by_name[name] = compile_entry(python, signature)
        binding.add_symbol(name, _by_name[name].address)
    return cast("F", types.ExternalFunction(name, signature))


@cache
def sources_digest(folder: Path) -> str:
    """Hash of all kernel sources below `folder`: files that mention a kernel, and the constants they use."""
    digest = hashlib.blake2b(digest_size=10)
    for path in sorted(folder.rglob("*.py")):
        text = path.read_bytes()
        if b"@kernel" in text or path.parent.name in ("domain", "numerics"):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(text)
    return digest.hexdigest()


@contextmanager
def _caching_in(folder: Path | None) -> Iterator[bool]:
    """Let numba keep its cache in `folder` meanwhile; yields whether it may cache at all.

    Without a writable folder it must not: numba would fall back to `__pycache__`, which runs stale code.
    """
    import numba

    config: Any = numba.config
    with _caching:
        previous = config.CACHE_DIR
        config.CACHE_DIR = str(folder) if folder is not None else ""
        try:
            yield folder is not None
        finally:
            config.CACHE_DIR = previous


def _folder_for(function: Callable[..., Any]) -> Path | None:
    """Cache folder for `function`; None where nothing can be kept (source unknown, disk not writable)."""
    source = Path(function.__code__.co_filename)
    if source.parent.name == "generated" and source.is_relative_to(cache_root()):
        return source.parent.parent
    source = source.resolve()
    if not source.is_file():
        return None
    if source.is_relative_to(_PACKAGE):
        return _folder_named(_platform_digest())
    return _folder_named(_platform_digest(), _reachable_digest(source, function.__globals__))


def _common_folder(functions: dict[str, Any]) -> Path | None:
    """The one folder in which code made of these kernels may be cached; None if a change of theirs could go unseen."""
    folders = set()
    for item in functions.values():
        function = item.py_func
        if "<locals>" in function.__qualname__:  # two of them may share a name and differ in what they enclose
            return None
        folders.add(_folder_for(function))
    return folders.pop() if len(folders) == 1 else None


@cache
def _platform_digest() -> str:
    import llvmlite.binding as llvm
    import numba
    import numpy as np

    features = ",".join(sorted(name for name, on in llvm.get_host_cpu_features().items() if on))
    parts = (
        sources_digest(_PACKAGE),
        sys.version,
        numba.__version__,
        np.__version__,
        llvm.get_host_cpu_name(),
        features,
    )
    return _hash(*parts)


def _reachable_digest(source: Path, names: dict[str, Any]) -> str:
    """Hash of what a user's kernel in `source` can call or read: its package (or the files beside it),
    the modules that its module's names come from, and so on from those, and plain constants by value.

    Libraries are not followed, unless a kernel of ours was taken from one.
    """
    files = set(_package_sources(source))
    constants: list[str] = []
    waiting = [names]
    seen: set[int] = set()
    while waiting:
        namespace = waiting.pop()
        if id(namespace) in seen:
            continue
        seen.add(id(namespace))
        for name, value in list(namespace.items()):
            if name.startswith("__"):
                continue
            constant = _frozen(value)
            if constant is not None:
                constants.append(f"{name}={constant}")
                continue
            is_kernel = hasattr(value, "py_func")
            module = (
                value if isinstance(value, ModuleType) else sys.modules.get(getattr(value, "__module__", None) or "")
            )
            path = _file_of(module)
            if module is None or path is None or path.is_relative_to(_PACKAGE):
                continue
            if is_kernel or not any(path.is_relative_to(library) for library in _LIBRARIES):
                files.add(path)
                waiting.append(vars(module))
    return _hash(*sorted(constants), *(text for path in sorted(files) for text in (str(path), path.read_bytes())))


def _frozen(value: Any) -> str | None:
    """What numba builds into the code when a kernel reads this global; None if it is no plain constant."""
    if isinstance(value, bool | int | float | complex | str):
        return repr(value)
    if isinstance(value, tuple):
        items = [_frozen(item) for item in value]
        return None if None in items else repr(items)
    if hasattr(value, "dtype") and hasattr(value, "tobytes"):
        return _hash(str(value.dtype), str(value.shape), value.tobytes())
    return None


def _package_sources(source: Path) -> Iterator[Path]:
    """All of the package that `source` belongs to; if it belongs to none, the files beside it."""
    top = source.parent
    if not (top / "__init__.py").is_file():
        yield from top.glob("*.py")
        return
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    yield from top.rglob("*.py")


def _file_of(module: ModuleType | None) -> Path | None:
    name = getattr(module, "__file__", None)
    return Path(name).resolve() if name and name.endswith(".py") and Path(name).is_file() else None


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.blake2b(digest_size=10)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@cache
def _folder_named(*digests: str) -> Path | None:
    """The cache folder of these digests, made and marked as used; None if the disk does not let us write there."""
    folder = cache_root() / (digests[0] if len(digests) == 1 else _hash(*digests))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    _drop_stale(folder)
    return folder


def _drop_stale(current: Path) -> None:
    """Remove cache folders that no run has used for a month, so that edits do not pile up on disk."""
    try:
        limit = time.time() - _STALE_AFTER_DAYS * 86_400
        for folder in current.parent.iterdir():
            if folder != current and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # another process is tidying too


def _write_once(path: Path, text: str) -> None:
    """Write `path` unless it is there. Its time is fixed, because numba takes a newer file for an edited one."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    part.write_text(text, encoding="utf-8")
    os.utime(part, (0, 0))
    os.replace(part, path)
