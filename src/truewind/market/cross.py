"""Cross-checks: series of the lake that tell of the same market, held against each other.

    longer_bars   bars of a longer timeframe are what the next shorter one that fits into it makes
    trade_bars    the shortest bars are what the trades make
    mark_index    the mark price stays near the index price, and near the last price
    venues        one pair's closes at two venues, such as spot and perpetual, stay near each other

What is compared is what both sides have whole: a bucket that lacks a bar, or the first and last of the trades, says
nothing. Prices of bars must be equal; sums may differ by what adding floats in another order does; prices of different
markets may differ by NEAR. A difference is told and nothing is changed: which side is right, the data do not say.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
import polars as pl

from truewind.domain.clock import iso
from truewind.domain.timeframe import DAY_US
from truewind.errors import DataError
from truewind.market.resample import resample
from truewind.market.validate import GRIDS
from truewind.numerics.performance import Floats, Ints
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

NEAR = 0.02  # beyond this, two markets of one thing are a dislocation, or one of them is wrong
_SUMS = 1e-9
_PRICES = ("open", "high", "low", "close")
_LEAST = 1e-8  # the last digit that venues print of a volume


class Comparison(msgspec.Struct, frozen=True):
    """Two series held against each other. compared, differing: rows; worst: the largest difference, in words."""

    check: str
    key: SeriesKey
    other: str
    compared: int
    differing: int
    first_us: int | None = None
    last_us: int | None = None
    worst: str = ""

    def __str__(self) -> str:
        if not self.compared:
            return f"{self.check}: nothing to compare with {self.other}{self._worst}"
        if not self.differing:
            return f"{self.check}: agrees with {self.other} on all {self.compared:,} rows compared{self._worst}"
        first, last = iso(self.first_us or 0), iso(self.last_us or 0)
        return (
            f"{self.check}: differs from {self.other} in {self.differing:,} of {self.compared:,} rows, "
            f"first {first}, last {last}{self._worst}"
        )

    @property
    def _worst(self) -> str:
        return f"; {self.worst}" if self.worst else ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; times as UTC text."""
        return {
            "check": self.check,
            "other": self.other,
            "compared": self.compared,
            "differing": self.differing,
            "first": None if self.first_us is None else iso(self.first_us),
            "last": None if self.last_us is None else iso(self.last_us),
            "worst": self.worst,
            "says": str(self),
        }


def cross_checks(lake: Lake, key: SeriesKey, keys: Iterable[SeriesKey] | None = None) -> list[Comparison]:
    """Every comparison of a stored series that the lake allows; none for derived layers. Raises CorruptError.

    keys: all that the lake holds, where the caller knows them already.
    """
    if key.layer != "raw":
        return []
    if keys is None:
        keys = [info.key for info in lake.series(symbol=key.symbol)]
    there = [one for one in keys if one.symbol == key.symbol and one.layer == "raw"]
    checks = (_longer_bars, _trade_bars, _mark_index, _venues)
    return [found for check in checks for found in check(lake, key, there) if found.compared]


def _longer_bars(lake: Lake, key: SeriesKey, there: list[SeriesKey]) -> Iterator[Comparison]:
    same = [one for one in there if (one.kind, one.venue) == (key.kind, key.venue) and one != key]
    parts = [one for one in same if key.kind in GRIDS and key.step_us > one.step_us and key.step_us % one.step_us == 0]
    if not parts:
        return
    shorter = max(parts, key=lambda one: one.step_us)
    names = ["ts", *_PRICES, *(["volume"] if key.kind == "bars" else [])]
    try:
        bars = lake.read(shorter, columns=names)
        made = resample(bars, shorter.timeframe, key.timeframe, counts=True)
        stored = lake.read(key, columns=names)
    except DataError:  # off the grid, or without rows: told by other checks
        return
    whole = made.filter(pl.col("bars") == key.step_us // shorter.step_us)
    yield _equal("longer_bars", key, str(shorter), stored.join(whole, on="ts", how="inner", suffix="_made"))


def _trade_bars(lake: Lake, key: SeriesKey, there: list[SeriesKey]) -> Iterator[Comparison]:
    trades = SeriesKey("trades", key.venue, key.symbol)
    bars = [one for one in there if (one.kind, one.venue) == ("bars", key.venue)]
    if key.kind != "bars" or trades not in there or key != min(bars, key=lambda one: one.step_us):
        return
    parts = lake.parts(trades)
    step = key.step_us
    # Buckets in which the trades begin and end are seen in part.
    start = -(-(parts[0].start_us + 1) // step) * step
    end = parts[-1].end_us // step * step
    paired = []
    for day in range(start, end, max(DAY_US // step, 1) * step):
        until = min(day + max(DAY_US // step, 1) * step, end)
        made = _bars_of(lake, trades, day, until, step)
        try:
            stored = lake.read(key, start_us=day, end_us=until, columns=["ts", *_PRICES, "volume"])
        except DataError:
            continue
        # A minute without trades is left out by some and printed with nothing in it by others.
        traded = stored.filter(pl.col("volume") > 0)
        paired.append(traded.join(made, on="ts", how="full", suffix="_made", coalesce=True))
    if paired:
        yield _equal("trade_bars", key, str(trades), pl.concat(paired).sort("ts"))


def _bars_of(lake: Lake, trades: SeriesKey, start_us: int, end_us: int, step_us: int) -> pl.DataFrame:
    """Bars of the trades of [start_us, end_us); none for a bucket without any."""
    price, ts = pl.col("price"), pl.col("ts")
    try:
        rows = lake.read(trades, start_us=start_us, end_us=end_us, columns=["ts", "price", "quantity"])
    except DataError:
        rows = pl.DataFrame(schema={"ts": pl.Datetime("us", "UTC"), "price": pl.Float64, "quantity": pl.Float64})
    bucket = ((ts.to_physical() - start_us) // step_us * step_us + start_us).cast(pl.Datetime("us"))
    return rows.group_by(bucket.dt.replace_time_zone("UTC").alias("ts"), maintain_order=True).agg(
        price.first().alias("open"),
        price.max().alias("high"),
        price.min().alias("low"),
        price.last().alias("close"),
        pl.col("quantity").sum().alias("volume"),
    )


def _mark_index(lake: Lake, key: SeriesKey, there: list[SeriesKey]) -> Iterator[Comparison]:
    if key.kind != "mark_bars":
        return
    for kind in ("index_bars", "bars"):
        same = [one for one in there if (one.kind, one.venue) == (kind, key.venue) and key.step_us % one.step_us == 0]
        if same:  # an open is the price of one moment, however long the bar
            yield _near(lake, "mark_index", key, max(same, key=lambda one: one.step_us), "open")


def _venues(lake: Lake, key: SeriesKey, there: list[SeriesKey]) -> Iterator[Comparison]:
    for other in there:
        if key.kind == other.kind == "bars" and key.timeframe == other.timeframe and key.venue < other.venue:
            yield _near(lake, "venues", key, other, "close")


def _near(lake: Lake, check: str, key: SeriesKey, other: SeriesKey, price: str) -> Comparison:
    """A price of two series at the times that both have, told where they are further apart than NEAR."""
    left, right = (lake.read(one, columns=["ts", price]) for one in (key, other))
    both = left.join(right, on="ts", how="inner", suffix="_made")
    if both.is_empty():
        return Comparison(check, key, str(other), 0, 0)
    apart = np.abs(both[price].to_numpy() / both[f"{price}_made"].to_numpy() - 1.0)
    times, worst = both["ts"].to_physical().to_numpy(), int(apart.argmax())
    said = f"at most {apart[worst]:.3%} apart, at {iso(int(times[worst]))}"
    return _told(check, key, str(other), times, apart > NEAR, said)


def _equal(check: str, key: SeriesKey, other: str, both: pl.DataFrame) -> Comparison:
    """Bars beside those that were made (columns with _made): prices must be equal, volumes nearly."""
    times = both["ts"].to_physical().to_numpy()
    wrong = np.zeros(len(times), bool)
    said: list[tuple[float, str]] = []
    for name in ("volume", *_PRICES):
        if f"{name}_made" not in both.columns:
            continue
        stored, made = (both[column].fill_null(float("nan")).to_numpy() for column in (name, f"{name}_made"))
        differs = ~_same(stored, made, _SUMS if name == "volume" else 0.0)
        wrong |= differs
        at = np.flatnonzero(differs)
        if len(at):
            row = int(at[0])
            left, right = (f"{value:.10g}" if value == value else "none" for value in (stored[row], made[row]))
            said.append((times[row], f"{name} {left} stored, {right} made, at {iso(int(times[row]))}"))
    return _told(check, key, other, times, wrong, min(said)[1] if said else "")


def _same(left: Floats, right: Floats, share: float) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    if not share:
        return np.asarray(left == right)
    return np.asarray(np.abs(left - right) <= share * np.maximum(np.abs(left), np.abs(right)) + _LEAST / 2)


def _told(
    check: str, key: SeriesKey, other: str, times: Ints, wrong: "np.ndarray[Any, np.dtype[np.bool_]]", worst: str
) -> Comparison:
    at = times[wrong]
    first, last = (int(at[0]), int(at[-1])) if len(at) else (None, None)
    return Comparison(check, key, other, len(times), len(at), first, last, worst)
