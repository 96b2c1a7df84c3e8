"""Noise markets: how often does the gate let luck pass, and how often does it let skill pass?

On each of 200 markets of pure noise, three years long, a thousand settings of a built-in strategy are tried through
the sweep, with taker fees and spread; the best one by its Sharpe ratio goes to the gate. Then the same on markets in
which an edge is planted, so strong that the best of the thousand settings truly has a Sharpe ratio of 2 after costs;
what is true is measured on other markets of the same making, a hundred of them, three hundred years.

usage: python bench/noise_markets.py [--markets 200] [--workers 2] [--json] [--out docs/gate.md]
"""

import argparse
import json
import logging
import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a process a core: threads of BLAS would only spin

import msgspec
import numpy as np
import polars as pl

from truewind import Lake
from truewind.analytics import luck
from truewind.analytics.gate import Evidence, Judgement, judge
from truewind.domain.instrument import Instrument, Kind
from truewind.numerics.significance import normal_cdf, normal_quantile
from truewind.numerics.splits import walk_forward
from truewind.research.sweeps import Sweep, sweep
from truewind.storage.schema import SeriesKey

YEARS, YEAR, WARM = 3, 365, 210  # days before the first trade warm the features up
HOURS = 24
T0_US = 1_609_459_200_000_000  # 2021-01-01T00:00:00Z
HOUR_US = 3_600_000_000
TRAIN, TEST = 365, 91  # days of the walk-forward
VOLATILITY = 0.6  # of a year
FAMILIES = ("momentum", "mean_reversion")
FIRST = 50_000  # markets below this number were looked at while rules and markets were made: figures come from others

INSTRUMENT = Instrument(
    symbol="NOISE", venue="bench", kind=Kind.PERPETUAL, base="NOISE", quote="USDT",
    tick_size=Decimal("0.01"), lot_size=Decimal("0.0001"),
)  # fmt: skip

GRIDS: dict[str, dict[str, list[Any]]] = {
    "momentum": {
        "strategy.params.look_back": list(range(6, 26)),
        "strategy.params.volatility": [20, 40, 60, 80, 100],
        "strategy.params.stop": [1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0],
    },
    "mean_reversion": {
        "strategy.params.length": [5, 10, 15, 20, 30],
        "strategy.params.deviations": [1.0, 1.5, 2.0, 2.5],
        "strategy.params.trend": [20, 50, 100, 150, 200],
        "strategy.params.stop": [1.0, 2.0, 3.0, 4.0, 5.0],
        "strategy.params.patience": [5, 20],
    },
}
TIMEFRAMES = {"momentum": "4h", "mean_reversion": "1d"}
LOOK_BACK = 12  # days, of the planted edge
STRENGTH = 0.125  # so strong that the best of the settings has a true Sharpe ratio of 2 after costs: see `true_sharpes`


class Market(NamedTuple):
    """One market: on which family's settings are tried, its number, and whether an edge (momentum) is planted."""

    family: str
    number: int
    planted: bool


class Found(NamedTuple):
    """What came of the best setting on one market."""

    market: Market
    sharpe: float
    judgement: Judgement
    evidence: Evidence


def prices(market: Market, strength: float) -> np.ndarray:
    """Hourly log prices. Noise: fat tails (Student's t, 4 degrees), volatility that clusters for weeks, and no drift of
    the price itself, so that nothing that only looks back can earn anything.

    Planted momentum: each day a drift of `strength` daily volatilities to the side to which the price has moved over
    the last 12 days. So there is one true rule, and of the settings tried some are near it and most are not.
    """
    hours = (WARM + YEARS * YEAR) * HOURS
    draws = np.random.default_rng([FAMILIES.index(market.family), market.number, int(market.planted)])
    days = hours // HOURS
    level = np.empty(days)
    level[0] = draws.normal(0, 0.35)
    shocks = draws.normal(0, 0.35 * math.sqrt(1 - 0.97**2), days)
    for day in range(1, days):
        level[day] = 0.97 * level[day - 1] + shocks[day]
    hourly = VOLATILITY / math.sqrt(YEAR * HOURS) * np.exp(np.repeat(level, HOURS) - 0.35**2)
    moves = hourly * draws.standard_t(4, hours) / math.sqrt(2.0) - 0.5 * hourly**2
    if not market.planted:
        return np.cumsum(moves)
    closes = np.zeros(days + 1)
    for day in range(days):
        today = slice(day * HOURS, (day + 1) * HOURS)
        if day >= LOOK_BACK:
            side = 1.0 if closes[day] > closes[day - LOOK_BACK] else -1.0
            moves[today] += strength * side * hourly[today] / math.sqrt(HOURS)
        closes[day + 1] = closes[day] + moves[today].sum()
    return np.cumsum(moves)


def bars(market: Market, strength: float, timeframe: str) -> pl.DataFrame:
    """Bars of `timeframe` out of hourly prices, which are its ticks."""
    steps = {"1d": 24, "4h": 4}[timeframe]
    path = 1000.0 * np.exp(np.concatenate(([0.0], prices(market, strength))))
    path = np.maximum(np.round(path, 2), 0.01)
    within = np.lib.stride_tricks.sliding_window_view(path, steps + 1)[::steps]
    count = len(within)
    return pl.DataFrame(
        {
            "ts": T0_US + np.arange(count, dtype=np.int64) * steps * HOUR_US,
            "open": within[:, 0],
            "high": within.max(axis=1),
            "low": within.min(axis=1),
            "close": within[:, -1],
            "volume": np.full(count, 1e6),
        }
    ).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))


def tried(market: Market, folder: Path, strength: float, grid: Mapping[str, list[Any]]) -> Sweep:
    """The sweep of a family's settings over one market."""
    timeframe = TIMEFRAMES[market.family]
    lake = Lake(folder / "lake")
    lake.write(SeriesKey("bars", INSTRUMENT.venue, INSTRUMENT.symbol, timeframe), bars(market, strength, timeframe))
    lake.put_instrument(INSTRUMENT)
    config = {
        "name": "noise",
        "data": {
            "venue": INSTRUMENT.venue, "symbols": [INSTRUMENT.symbol], "timeframe": timeframe,
            "start": pl.Series([T0_US + WARM * 24 * HOUR_US]).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d")[0],
        },
        "strategy": {"path": market.family, "params": {"short": True}},
        "account": {"cash": 1_000_000, "currency": "USDT", "leverage": 5},
        "sizing": {"method": "risk", "value": 0.01},
        "costs": {"maker_fee": 0.0005, "taker_fee": 0.0005, "half_spread_bps": 1.0},
        "risk": {"max_position": 1.0, "max_exposure": 1.0, "max_gross": 3.0, "max_drawdown": 0.9,
                 "risk_per_trade": None},
    }  # fmt: skip
    return sweep(config, grid, lake=lake, out=folder / "sweeps", workers=1)


def chosen(market: Market, found: Sweep) -> Found | None:
    """The best setting before the gate; None where no setting ever traded."""
    table, returns = found.table, found.returns
    known = table["sharpe"].fill_nan(None)
    best = known.arg_max()
    if best is None:
        return None
    row = table.row(best, named=True)
    costs = (row["fees"] + row["slippage"]) / (row["final_equity"] / (1.0 + row["net_return"]))
    told = msgspec.structs.replace(
        luck.among(found.days, returns, best, YEAR),
        trades=row["trades"],
        drawdown=row["max_drawdown"],
        stressed_return=row["net_return"] - costs,  # to the first order: positions are sized by equity
        stability=stability(table["net_return"].to_numpy(), best, list(GRIDS[market.family].values())),
        leaks=0,  # `truewind strategy check` clears all built-in strategies
        **walked(returns.astype(np.float64)),
    )
    return Found(market, row["sharpe"], judge(told), told)


def walked(returns: np.ndarray) -> dict[str, Any]:
    """A walk-forward over the trials' daily returns: the best by Sharpe ratio of a year, held for a quarter."""
    learnt, kept = [], []
    for window in walk_forward(0, returns.shape[1], train=TRAIN, test=TEST):
        seen = returns[:, window.train_start : window.train_end]
        unseen = returns[:, window.test_start : window.test_end]
        spread = seen.std(axis=1)
        best = int(np.argmax(np.divide(seen.mean(axis=1), spread, out=np.full(len(seen), -np.inf), where=spread > 0)))
        learnt.append(seen[best].mean())
        kept.append(unseen[best].mean())
    efficiency = float(np.mean(kept) / np.mean(learnt)) if np.mean(learnt) > 0 else math.nan
    return {"efficiency": efficiency, "profitable": float(np.mean(np.array(kept) > 0)), "windows": len(kept)}


def stability(net: np.ndarray, best: int, axes: list[list[Any]]) -> float:
    """The share of settings one step beside the best, along each axis, that made money."""
    field = net.reshape([len(axis) for axis in axes])
    at = np.unravel_index(best, field.shape)
    beside = [
        field[(*at[:k], at[k] + step, *at[k + 1 :])]
        for k in range(field.ndim)
        for step in (-1, 1)
        if 0 <= at[k] + step < field.shape[k]
    ]
    return float(np.mean(np.array(beside) > 0))


def judged(market: Market) -> Found | None:
    with tempfile.TemporaryDirectory(prefix="truewind-bench-") as folder:
        return chosen(market, tried(market, Path(folder), STRENGTH, GRIDS[market.family]))


def moments(market: Market) -> tuple[np.ndarray, np.ndarray, int]:
    """Sums and sums of squares of each setting's daily returns, and how many there are."""
    with tempfile.TemporaryDirectory(prefix="truewind-bench-") as folder:
        found = tried(market, Path(folder), STRENGTH, GRIDS[market.family])
        returns = found.returns.astype(np.float64)
    return returns.sum(axis=1), (returns**2).sum(axis=1), returns.shape[1]


def true_sharpes(parts: list[tuple[np.ndarray, np.ndarray, int]]) -> np.ndarray:
    """Annual Sharpe ratio of each setting over many markets, one after the other; NaN if it never traded."""
    days = sum(count for _, _, count in parts)
    mean = sum(total for total, _, _ in parts) / days
    spread = np.sqrt(sum(squares for _, squares, _ in parts) / days - mean**2)
    return np.divide(mean, spread, out=np.full(len(mean), np.nan), where=spread > 0) * math.sqrt(YEAR)


def interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share: Clopper and Pearson's, exact, found by bisection."""

    def tail(share: float, least: int) -> float:
        return sum(math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(least, count + 1))

    def where(least: int, chance: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if tail(middle, least) < chance else (low, middle)
        return low

    return (where(hits, 0.025) if hits else 0.0), (where(hits + 1, 0.975) if hits < count else 1.0)


# What would be a pass by other measures, of the same best settings.
MEASURES = {
    "the gate, all rules": lambda found: found.judgement.passed is True,
    "its rule of luck alone": lambda found: max(found.evidence.superior, found.evidence.luck) <= 0.05,
    "Hansen's test alone": lambda found: found.evidence.superior <= 0.05,
    "family-wise by the ledger's sketches": lambda found: found.evidence.luck <= 0.05,
    "deflated Sharpe ratio ≥ 95 %": lambda found: found.evidence.deflated >= 0.95,
    "PBO ≤ 50 %": lambda found: found.evidence.overfit <= 0.5,
    "Sharpe ratio > 1": lambda found: found.sharpe > 1.0,
}


def report(found: list[Found], truth: np.ndarray) -> dict[str, Any]:
    best, middle, near = float(np.nanmax(truth)), float(np.nanmedian(truth)), int((truth > 1.8).sum())
    told: dict[str, Any] = {
        "true_sharpe": {"best": best, "median": middle, "above 1.8": near},
        "passed": [],
        "failed_by": {},
    }
    for name, holds in MEASURES.items():
        for planted in (False, True):
            for family in (None, *FAMILIES) if not planted else (None,):
                mine = [f for f in found if f.market.planted is planted and family in (None, f.market.family)]
                hits = sum(holds(f) for f in mine)
                if mine:
                    told["passed"].append(
                        {"measure": name, "planted": planted, "family": family or "all", "hits": hits,
                         "markets": len(mine), "interval": interval(hits, len(mine))}
                    )  # fmt: skip
    for planted in (False, True):
        rules = [rule.name for f in found if f.market.planted is planted for rule in f.judgement.of("failed")]
        told["failed_by"]["planted" if planted else "noise"] = {name: rules.count(name) for name in sorted(set(rules))}
    return told


def neyman_pearson(trials: int, sharpe: float, years: float, level: float = 0.05) -> float:
    """The power of the best test there is, where one of so many *independent* strategies has that true Sharpe ratio and
    all others none: the greatest of their z-values is held against its family-wise bound.
    """
    bound = -normal_quantile(-math.expm1(math.log1p(-level) / trials))
    return 1.0 - normal_cdf(bound - sharpe * math.sqrt(years))


BEGIN, END = "<!-- noise markets -->", "<!-- end -->"


def page(told: Mapping[str, Any]) -> list[str]:
    """What came out, as docs/gate.md has it."""
    truth = told["true_sharpe"]
    lines = [
        f"Where an edge is planted the best of the settings truly has a Sharpe ratio of **{truth['best']:.2f}** "
        f"after costs ({truth['above 1.8']} of them have more than 1.8, half of them less than {truth['median']:.2f}).",
        "",
        "| the best passes by | noise, `momentum` | noise, `mean_reversion` | noise, all | planted edge |",
        "|---|---|---|---|---|",
    ]
    for name in MEASURES:
        cells = []
        for planted, family in ((False, "momentum"), (False, "mean_reversion"), (False, "all"), (True, "all")):
            found = [
                each
                for each in told["passed"]
                if (each["measure"], each["planted"], each["family"]) == (name, planted, family)
            ]
            cells.append(_share(found[0]) if found else "–")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _share(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    share = found["hits"] / found["markets"]
    return f"{share:.1%} ({low:.0%} – {high:.0%}) of {found['markets']}".replace("%", " %")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--markets", type=int, default=200, help="of noise, and as many with an edge")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--out", type=Path, help="a page whose figures are replaced: docs/gate.md")
    asked = parser.parse_args()
    logging.disable()
    os.environ["TRUEWIND_DATABASE"] = "off"  # these trials are nobody's
    start = time.perf_counter()
    half = asked.markets // 2
    noise = [Market(family, number, False) for number in range(FIRST, FIRST + half) for family in FAMILIES]
    planted = [Market("momentum", number, True) for number in range(FIRST, FIRST + 2 * half)]
    others = [Market("momentum", 1_000_000 + number, True) for number in range(half)]
    with ProcessPoolExecutor(asked.workers) as pool:
        found = [each for each in pool.map(judged, noise + planted) if each is not None]
        truth = true_sharpes(list(pool.map(moments, others)))
    told = report(found, truth) | {"seconds": round(time.perf_counter() - start, 1)}
    if asked.json:
        print(json.dumps(told))
    print(*page(told), sep="\n", file=sys.stderr if asked.json else sys.stdout)
    print(f"failed by {told['failed_by']}\n{told['seconds']:.0f} s", file=sys.stderr)
    if asked.out is not None:
        before, _, rest = asked.out.read_text().partition(BEGIN)
        asked.out.write_text("\n".join([before + BEGIN, "", *page(told), "", END]) + rest.partition(END)[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
