"""A document that has every kind of block, for the tests of what draws and writes them."""

import datetime as dt

import numpy as np
import polars as pl

from truewind.analytics.document import (
    Band,
    Bars,
    Block,
    Candles,
    Column,
    Document,
    HeatMap,
    Histogram,
    Lines,
    Scatter,
    Section,
    Series,
    Table,
    Text,
    Tile,
    Tiles,
)

LONG_WORD = "package.module:" + "AStrategyWhoseNameDoesNotEnd" * 12
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def document(*blocks: Block, name: str = "A run", **more: object) -> Document:
    """One section with these blocks."""
    told = {"verdict": ("Made 1.0 % in 30 days.",), "passed": False, "warnings": 1} | more
    section = Section(id="all", title="Everything", blocks=blocks)
    return Document(name=name, overline="Backtest", subtitle="synthetic · 1h", sections=(section,), **told)


def series(values: object, name: str = "This run", role: str = "own") -> Series:
    return Series(name=name, values=np.asarray(values, np.float64), role=role)


def candles(rows: int) -> pl.DataFrame:
    close = 100.0 + np.sin(np.arange(rows) / 5.0)
    ts = pl.datetime_range(START, START + dt.timedelta(hours=rows - 1), "1h", time_unit="us", eager=True)
    table = {"ts": ts, "open": close, "high": close + 1, "low": close - 1, "close": close + 0.5}
    return pl.DataFrame(table)


def trades(rows: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": ["BTCUSDT"] * rows,
            "side": [1 if row % 2 else -1 for row in range(rows)],
            "opened": [START + dt.timedelta(hours=2 * row) for row in range(rows)],
            "closed": [None if row == rows - 1 else START + dt.timedelta(hours=2 * row + 1) for row in range(rows)],
            "entry": [100.0] * rows,
            "exit": [101.0] * rows,
            "net_pnl": [float(row % 3 - 1) for row in range(rows)],
        },
        schema={
            "symbol": pl.String,
            "side": pl.Int64,
            "opened": pl.Datetime("us", "UTC"),
            "closed": pl.Datetime("us", "UTC"),
            "entry": pl.Float64,
            "exit": pl.Float64,
            "net_pnl": pl.Float64,
        },
    )


def every_block() -> Document:
    """One of each, with values that are not defined among them."""
    rng = np.random.default_rng(5)
    return document(*_texts_and_tables(), *_lines(rng), *_charts(rng))


def _texts_and_tables() -> tuple[Block, ...]:
    money = (Column(label="Step"), Column(label="Money", kind="money", tone="sign"), Column(label="bps", kind="bps"))
    kinds = ("fraction", "ratio", "money", "count", "days", "hours", "times", "text", "price", "quantity", "moment")
    row = (0.125, 1.5, 1234.5, 12, 3.25, 0.5, 2.0, "long", 43210.5, 0.001, START)
    return (
        Text(sentences=("A sentence about -1.5 %.", LONG_WORD)),
        Text(sentences=("No funding rates.", "Ticks were inferred."), tone="warning", bullets=True),
        Tiles(
            tiles=(
                Tile(label="Net return", value=-0.1234, kind="fraction", tone="sign", meaning="After all costs"),
                Tile(label="Sharpe", value=None, kind="ratio", meaning="not defined: needs two daily returns"),
                Tile(label="Calmar", value=float("nan"), kind="ratio"),
            )
        ),
        Tiles(tiles=tuple(Tile(label=k, value=v, kind=k) for k, v in zip(kinds, row, strict=True)), small=True),
        Table(
            name="costs",
            title="Costs",
            columns=money,
            rows=(("Before costs", 100.0, 12.0), ("Fees", -1.5, None), ("Net", 98.5, float("nan"))),
            bold=(0, 2),
        ),
        Table(
            name="kinds", columns=tuple(Column(label=f"of {k}", kind=k) for k in kinds), rows=(row, (None,) * len(row))
        ),
    )


def _lines(rng: np.random.Generator) -> tuple[Block, ...]:
    hours = np.arange(900, dtype=np.int64) * 3_600_000_000 + 1_704_067_200_000_000
    walk = 10_000 + np.cumsum(rng.normal(0, 20, 900))
    return (
        Lines(
            title="Equity and benchmark",
            series=(series(walk), series(walk[::-1], "Held", "held"), series([9_900] * 900, "Limit", "limit")),
            kind="money",
            ts_us=hours,
            choose_log=True,
            note="Hourly.",
        ),
        Lines(
            title="Underwater", series=(series(walk / walk.max() - 1, ""),), kind="fraction", ts_us=hours, under=True
        ),
        Lines(
            title="Fan",
            series=(series(walk[:50]),),
            bands=(Band(name="5–95 %", low=walk[:50] - 90, high=walk[:50] + 90),),
            kind="money",
            x=np.arange(50.0),
            x_label="Days",
        ),
    )


def _charts(rng: np.random.Generator) -> tuple[Block, ...]:
    counts, edges = np.histogram(rng.normal(0, 0.01, 500), 20)
    return (
        Bars(title="By year", labels=("2023", "2024"), values=np.array([0.1, np.nan]), kind="fraction"),
        Histogram(
            title="Daily returns",
            edges=edges,
            counts=counts.astype(np.float64),
            kind="fraction",
            curve_at=edges,
            curve=np.full(len(edges), 9.0),
            curve_name="Normal",
            marks=(("VaR 95 %", -0.016), ("ES 95 %", -0.02), ("beyond", 9.0)),
        ),
        Bars(
            title="By reason",
            labels=tuple(f"reason {LONG_WORD[:20]} {n}" for n in range(10)),
            values=rng.normal(0, 9, 10),
            low=np.full(10, -20.0),
            high=np.full(10, 20.0),
            kind="money",
        ),
        HeatMap(
            title="Monthly returns",
            rows=("2023", "2024"),
            columns=tuple("JFMAMJJASOND"),
            values=np.where(np.arange(24).reshape(2, 12) < 3, np.nan, 0.01),
            kind="fraction",
        ),
        HeatMap(
            title="Surface",
            rows=tuple(map(str, range(40))),
            columns=tuple(map(str, range(50))),
            values=rng.normal(0, 1, (40, 50)),
            kind="ratio",
            centre=None,
            row_label="entry",
            column_label="exit",
            marked=(3, 4),
        ),
        Scatter(
            title="MAE",
            x=rng.normal(0, 1, 200),
            y=rng.normal(0, 1, 200),
            x_label="worst",
            y_label="result",
            x_kind="money",
            y_kind="ratio",
            groups=(np.arange(200) % 2).astype(np.int64),
            names=("winners", "losers"),
            diagonal=True,
        ),
        Candles(title="Fills", candles={"BTCUSDT": candles(500)}, trades=trades(20)),
    )
