"""A progress bar with the time left, on stderr, only where a person is watching."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Step(Protocol):
    """Called now and then by long work: what it is doing, how much is done, and of how much (0: unknown)."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None: ...


def _silent(stage: str, done: int = 0, total: int = 0) -> None:
    pass


@contextmanager
def progress() -> Iterator[Step]:
    """A `Step` to hand to long work; every new stage starts a new bar, finished ones vanish."""
    if not sys.stderr.isatty():
        yield _silent
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
        tasks: dict[str, int] = {}

        def step(stage: str, done: int = 0, total: int = 0) -> None:
            if stage not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=False)  # type: ignore[arg-type]
                tasks[stage] = bars.add_task(stage, total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)  # type: ignore[arg-type]

        yield step
