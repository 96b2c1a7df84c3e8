"""A progress bar with the time left, on stderr, only where a person is watching."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_COMPILING = "compiling kernels (first use, cached afterwards)"


class Step(Protocol):
    """Called now and then by long work: what it is doing, how much is done, and of how much (0: unknown)."""

    def __call__(self, stage: str, done: int, total: int, /) -> None: ...


@contextmanager
def progress(*, compiles: bool = False) -> Iterator[Step]:
    """A `Step` to hand to long work; every new stage takes the place of the one before.

    compiles: the work runs the engine's kernels, whose first use on a machine takes a while and is announced.
    """
    if not sys.stderr.isatty():
        yield _Announcement() if compiles else lambda stage, done, total, /: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars, compiles and not _kernels_are_cached())


class _Announcement:
    """Where nobody watches: says once that kernels are compiled, when the work begins."""

    def __init__(self) -> None:
        self.said = False

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        if not self.said and not _kernels_are_cached():
            print(f"{_COMPILING} …", file=sys.stderr)
        self.said = True


class _Bars:
    def __init__(self, bars: "Progress", cold: bool) -> None:
        self.bars, self.cold = bars, cold
        self.stage = ""
        self.task: TaskID | None = None

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        if stage != self.stage:
            if self.task is not None:
                self.bars.remove_task(self.task)
            self.stage, self.task = stage, self.bars.add_task(stage, total=None)
        if self.task is None:
            return
        label = f"{stage}, {_COMPILING}" if self.cold and not done else stage
        self.bars.update(self.task, description=label, completed=done, total=total or None)


def _kernels_are_cached() -> bool:
    """Whether machine code of the matching kernels, as they are now, lies in the cache (or none is used)."""
    from truewind.execution.simulated import matching
    from truewind.numerics import jit

    if not jit.COMPILED:
        return True
    kernel: Any = matching.process
    folder = kernel.stats.cache_path
    return bool(folder) and any(Path(folder).glob("*.nbi"))
