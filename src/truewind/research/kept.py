"""What a sweep keeps: its finished trials, on disk."""

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from truewind.engine.trials import Figures
from truewind.errors import StorageError
from truewind.research.recording import Recorder
from truewind.research.space import Space
from truewind.storage.blobs import open_blobs

Found = tuple[Figures, np.ndarray] | None  # the figures and daily returns of a trial, if it has some
_CHUNK = 4096  # trials in a file
_SAVE_EVERY = 10.0  # seconds after which what is finished is saved, if the file is not full
_FIGURES = {name: pl.Int64 if kind is int else pl.Float64 for name, kind in Figures.__annotations__.items()}


class Kept:
    """Finished trials on disk: Parquet files of a chunk each, and the rows that wait to become one."""

    def __init__(self, folder: Path, space: Space) -> None:
        self._blobs, self._space, self._keys = open_blobs(folder), space, space.keys
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"Cannot make {folder}: {error.strerror}", remedy="Choose another folder") from error
        self._files = sorted(folder.glob("trials-*.parquet"))
        self._done: set[str] = set()
        self._tried = 0  # of those: that have figures
        for file in self._files:
            told = pl.read_parquet(file, columns=["trial", "error"])
            self._done |= set(told["trial"].to_list())
            self._tried += told["error"].null_count()
        self._rows: list[dict[str, Any]] = []
        self._returns: list[np.ndarray | None] = []
        self._saved = time.monotonic()
        self._recorder: Recorder | None = None

    def record_by(self, recorder: Recorder) -> None:
        """Let trials be recorded as they are saved, and now those that were saved and are not."""
        self._recorder = recorder
        if not recorder.knows(self._tried):
            for file in self._files:
                recorder.add(pl.read_parquet(file))

    def __contains__(self, values: Sequence[Any]) -> bool:
        return self._name(values) in self._done

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, *_: object) -> None:
        self._save()

    def add(self, values: Sequence[Any], found: Found, error: str) -> None:
        figures, returns = found or (None, None)
        row = {"trial": self._name(values), "error": error or None}
        self._rows.append(row | (figures._asdict() if figures is not None else dict.fromkeys(_FIGURES)))
        self._returns.append(returns)
        if len(self._rows) >= _CHUNK or time.monotonic() - self._saved > _SAVE_EVERY:
            self._save()

    def table(self, space: Space) -> pl.DataFrame:
        """The trials of `space`, in its order."""
        names = [self._name(values) for values in space]
        columns = list(zip(*space, strict=True))
        wanted = pl.DataFrame(
            {"trial": names, **dict(zip(self._keys, columns, strict=True))}, strict=False, nan_to_null=False
        )
        shown = ["trial", "error", *_FIGURES]
        found = pl.concat([pl.read_parquet(file, columns=shown) for file in self._files])
        return wanted.join(found, on="trial", how="left", maintain_order="left").drop("trial")

    def returns(self, days: int) -> np.ndarray:
        """float32 (trials, days): the daily returns of each trial of the space, in its order."""
        names = [self._name(values) for values in self._space]
        made = np.full((len(names), days), np.nan, np.float32)
        for file in self._files if days else ():
            kept = pl.read_parquet(file, columns=["trial", "returns"]).drop_nulls("returns")
            known = {trial: row for row, trial in enumerate(kept["trial"])}
            mine = [row for row, name in enumerate(names) if name in known]
            made[mine] = kept["returns"].to_numpy().reshape(-1, days)[[known[names[row]] for row in mine]]
        return made

    def _save(self) -> None:
        if self._rows:
            table = pl.DataFrame(self._rows, schema={"trial": pl.String, "error": pl.String, **_FIGURES})
            table = table.with_columns(_together(self._returns))
            name = f"trials-{len(self._files):05}.parquet"
            file = self._folder / name
            buffer = io.BytesIO()
            table.write_parquet(buffer, compression="snappy")
            self._blobs.write(name, buffer.getvalue())
            self._files.append(file)
            self._rows, self._returns = [], []
            if self._recorder is not None:
                self._recorder.add(table)
        self._saved = time.monotonic()

    def _name(self, values: Sequence[Any]) -> str:
        """A trial's settings as text, keys sorted: the same trial in whatever sweep of this identity."""
        return orjson.dumps(dict(zip(self._keys, values, strict=True)), option=orjson.OPT_SORT_KEYS).decode()


def _together(returns: Sequence[np.ndarray | None]) -> pl.Series:
    """The daily returns of some trials as a column of arrays, null where a trial has none."""
    days = max((len(each) for each in returns if each is not None), default=0)
    missing = np.full(days, np.nan, np.float32)
    values = np.array([missing if each is None else each for each in returns])
    made = pl.Series("returns", values.reshape(len(returns), days), dtype=pl.Array(pl.Float32, days))
    return pl.select(pl.when(pl.Series([each is not None for each in returns])).then(made).alias("returns")).to_series()
