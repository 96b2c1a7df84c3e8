"""Bars from trades: what the venue would have printed, in any pieces and on any number of threads."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from truewind.errors import ConfigError, FeatureError, SchemaError, ValidationError
from truewind.features import TradeBars, bars_from_trades
from truewind.numerics import bars as kernels

START = 1_704_067_200_000_000  # 2024-01-01, a Monday
SECOND, MINUTE, DAY = 1_000_000, 60_000_000, 86_400_000_000
TIME = pl.Datetime("us", "UTC")
PRICES = ["open", "high", "low", "close"]
RULES: list[dict[str, Any]] = [
    {"every": "1s"},
    {"every": "1m"},
    {"every": "1d"},
    {"every": "1w"},
    {"ticks": 7},
    {"volume": 5.5},
    {"dollar": 400.0},
    {"tick_imbalance": 10},
    {"volume_imbalance": 10},
    {"dollar_imbalance": 10, "span": 5},
]


def trades(rows: list[tuple[int, float, float, int]]) -> pl.DataFrame:
    """Trades by hand: µs since START, price, quantity, side."""
    schema = {"ts": pl.Int64, "price": pl.Float64, "quantity": pl.Float64, "side": pl.Int8}
    return pl.DataFrame(rows, schema, orient="row").with_columns((pl.col("ts") + START).cast(TIME))


def market(rows: int, seed: int = 1, apart: float = 200_000.0) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    return trades(
        list(
            zip(
                np.cumsum(draw.exponential(apart, rows).astype(int)).tolist(),
                (100.0 * np.exp(np.cumsum(draw.normal(0.0, 1e-3, rows)))).tolist(),
                draw.exponential(1.0, rows).tolist(),
                (draw.integers(0, 2, rows) * 2 - 1).tolist(),
                strict=True,
            )
        )
    )


def slow_bars(table: pl.DataFrame, every: str) -> pl.DataFrame:
    """Time bars by polars: group_by_dynamic lies on the same grid, weeks from Monday."""
    return (
        table.group_by_dynamic("ts", every=every)
        .agg(
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.col("quantity").sum().alias("volume"),
            (pl.col("price") * pl.col("quantity")).sum().alias("quote_volume"),
            pl.len().cast(pl.Float64).alias("trades"),
            pl.col("quantity").filter(pl.col("side") > 0).sum().alias("taker_buy_volume"),
        )
        .select("ts", *PRICES, "volume", "quote_volume", "trades", "taker_buy_volume")
    )


def test_a_bar_by_hand() -> None:
    """Four trades in two minutes; the second minute is over only for who knows that nothing follows in it."""
    table = trades([(0, 10.0, 1.0, 1), (1, 12.0, 2.0, -1), (59_999_999, 9.0, 3.0, 1), (MINUTE, 11.0, 4.0, 1)])
    made = bars_from_trades(table, every="1m")
    assert made.drop("ts").rows() == [(10.0, 12.0, 9.0, 9.0, 6.0, 61.0, 3.0, 4.0)]
    assert made["ts"].to_physical().to_list() == [START]
    assert bars_from_trades(table, every="1m", until_us=START + 2 * MINUTE).height == 2
    assert bars_from_trades(table, every="1m", until_us=START + 2 * MINUTE - 1).height == 1
    assert bars_from_trades(table, every="1m", until_us=START + MINUTE - 1).height == 0


@pytest.mark.parametrize(
    ("rule", "ends"),
    [
        ({"ticks": 2}, [1, 3]),  # trades 0–1, 2–3; the fifth waits
        ({"volume": 3.0}, [1, 2, 4]),  # 1 + 2; 3; 1 + 4
        ({"dollar": 35.0}, [2, 4]),  # 10 + 24 + 27 = 61 ≥ 35; 11 + 44 = 55
    ],
)
def test_bars_by_amount_by_hand(rule: dict[str, float], ends: list[int]) -> None:
    """The trade that reaches the amount is the last one of its bar, and tells when the bar was known."""
    table = trades([(0, 10.0, 1.0, 1), (5, 12.0, 2.0, -1), (7, 9.0, 3.0, 1), (7, 11.0, 1.0, 1), (9, 11.0, 4.0, -1)])
    made = bars_from_trades(table, **rule)
    assert (made["ts_known"].to_physical() - START).to_list() == [[0, 5, 7, 7, 9][end] for end in ends]
    assert made["close"].to_list() == [[10.0, 12.0, 9.0, 11.0, 11.0][end] for end in ends]
    first = [0, *(end + 1 for end in ends[:-1])]
    assert (made["ts"].to_physical() - START).to_list() == [[0, 5, 7, 7, 9][start] for start in first]
    assert made["trades"].to_list() == [end - start + 1 for start, end in zip(first, ends, strict=True)]


def test_tick_imbalance_bars_by_hand() -> None:
    """E[T] = 4: the first four trades (+ + + −) are a bar with θ/T = 0.5. The next one ends at |θ| ≥ 4 · 0.5 = 2:
    after − + − − (θ = −2 at T = 4). With span 3 (weight 1/2): tilt 0.5 + (−0.5 − 0.5)/2 = 0, so any θ ≥ 0 ends the
    third bar: one trade, θ/T = 1, tilt 0.5, E[T] = 4 + (1 − 4)/2 = 2.5, and the fourth ends at |θ| ≥ 1.25: two."""
    sides = [1, 1, 1, -1, -1, 1, -1, -1, 1, 1, 1]
    table = trades([(i, 10.0, 1.0, side) for i, side in enumerate(sides)])
    made = bars_from_trades(table, tick_imbalance=4, span=3)
    assert made["trades"].to_list() == [4.0, 4.0, 1.0, 2.0]
    same = bars_from_trades(table, volume_imbalance=4, span=3)  # each trade is of one unit
    assert_frame_equal(made, same)


def test_imbalance_bars_are_short_when_one_side_takes() -> None:
    """In a balanced market bars are longer than while buyers take nine times in ten: that is what they are for."""
    draw = np.random.default_rng(3)
    sides = [*np.where(draw.random(20_000) < 0.5, 1, -1), *np.where(draw.random(20_000) < 0.9, 1, -1)]
    table = trades([(i, 10.0, 1.0, int(side)) for i, side in enumerate(sides)])
    made = bars_from_trades(table, tick_imbalance=100)
    assert made["trades"].max() < 40_000 / 4  # E[T] has not run away
    assert made.height > 40


@pytest.mark.parametrize("every", ["1s", "1m", "15m", "1h", "1d", "1w"])
def test_time_bars_equal_polars(every: str) -> None:
    """Days with holes, from before 1970 too: prices, times and counts to the bit, sums to their rounding."""
    for apart, shift in ((200_000.0, 0), (3e9, -60 * 365 * DAY)):
        table = market(5_000, apart=apart).with_columns((pl.col("ts").to_physical() + shift).cast(TIME))
        made, wanted = bars_from_trades(table, every=every), slow_bars(table, every).head(-1)
        exact = ["ts", *PRICES, "trades"]
        assert_frame_equal(made.select(exact), wanted.select(exact), check_exact=True)
        assert_frame_equal(made, wanted, rel_tol=1e-12)


def test_recorded_trades_make_the_recorded_bars(shared: Path) -> None:
    """freqtrade's XRP/ETH: 12,477 trades are 2,469 minutes with 676 gaps, as the venue printed them."""
    table = pl.read_parquet(shared / "freqtrade" / "XRP_ETH-trades.parquet").select(
        (pl.col("timestamp") * 1000).cast(TIME).alias("ts"),
        "price",
        pl.col("amount").alias("quantity"),
        pl.when(pl.col("side") == "buy").then(1).otherwise(-1).alias("side"),
    )
    for every, rows in (("1m", 2_469), ("5m", 706)):
        own = pl.read_ipc(shared / "freqtrade" / f"XRP_ETH-{every}.feather")
        made = bars_from_trades(table, every=every, until_us=2**62)
        assert made.height == own.height == rows
        assert made["ts"].to_list() == own["date"].cast(TIME).to_list()
        assert made.select(PRICES).rows() == own.select(PRICES).rows()
        np.testing.assert_allclose(made["volume"], own["volume"], rtol=1e-12, atol=1e-9)
    assert made["trades"].sum() == table.height == 12_477


def pieces(table: pl.DataFrame, cuts: list[int]) -> Iterator[pl.DataFrame]:
    for start, end in pairwise([0, *sorted(min(cut, table.height) for cut in cuts), table.height]):
        yield table[start:end]


@given(st.sampled_from(RULES), st.integers(0, 300), st.lists(st.integers(0, 300), max_size=6), st.integers(0, 20))
def test_any_pieces_give_the_bits_of_the_whole(rule: dict[str, Any], rows: int, cuts: list[int], seed: int) -> None:
    """With the unfinished bar saved and loaded between the pieces."""
    table = market(rows, seed)
    parts = []
    builder = TradeBars(**rule)
    for piece in pieces(table, cuts):
        parts.append(builder.extend(piece))
        saved = builder.save()
        builder = TradeBars(**rule)
        builder.load(saved)
    whole = bars_from_trades(table, **rule)
    assert_frame_equal(pl.concat(parts), whole, check_exact=True)
    assert whole["trades"].sum() <= rows


@pytest.mark.parametrize("apart", [1_000.0, 400_000.0, 5e6])
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_any_number_of_threads_gives_the_bits_of_one(
    monkeypatch: pytest.MonkeyPatch, apart: float, threads: int
) -> None:
    """Bars with gaps and without, a bar begun before the first piece, more threads than bars."""
    monkeypatch.setattr(kernels, "_ROWS_A_THREAD", 10)
    table = market(2_000, apart=apart)
    columns = kernels.Trades(
        table["ts"].to_physical().to_numpy(), *(table[name].to_numpy() for name in ("price", "quantity", "side"))
    )
    found = []
    for count in (1, threads):
        state = kernels.no_bar()
        parts = [
            kernels.make_time_bars(
                kernels.Trades(*(column[cut] for column in columns)), SECOND, 0, state, until=until, threads=count
            )
            for cut, until in ((slice(0, 5), None), (slice(5, None), 2**62))
        ]
        assert all(part is not None for part in parts)
        found.append([np.concatenate([part[i] for part in parts if part], axis=-1) for i in range(3)] + [state])
    for one, many in zip(*found, strict=True):
        assert one.tobytes() == many.tobytes()


def test_a_bar_of_the_past_cannot_come_again() -> None:
    """Once a bar was over a trade of its time is refused, and the builder stays as it was."""
    builder = TradeBars(every="1m")
    builder.extend(trades([(0, 10.0, 1.0, 1)]))
    assert builder.extend(trades([]), until_us=START + MINUTE - 1).height == 0
    assert builder.extend(trades([]), until_us=START + MINUTE).height == 1
    assert builder.extend(trades([]), until_us=START + MINUTE).height == 0
    before = builder.save()
    with pytest.raises(ValidationError, match="time goes back in row 0 at 2024-01-01 00:00:30"):
        builder.extend(trades([(30 * SECOND, 10.0, 1.0, 1)]))
    assert builder.save() == before
    assert TradeBars(ticks=2).extend(trades([(0, 10.0, 1.0, 1)]), until_us=2**62).height == 0


@pytest.mark.parametrize("rule", RULES)
def test_nothing_and_one_trade_make_no_bar(rule: dict[str, Any]) -> None:
    if rule != {"dollar": 400.0}:
        assert bars_from_trades(market(1).with_columns(quantity=pl.lit(1.0)), **rule).height == 0
    empty = bars_from_trades(trades([]), **rule)
    assert empty.height == 0
    assert empty.schema["ts"] == TIME


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("rule", [{"every": "1s"}, {"every": "1h"}, {"ticks": 3}, {"volume_imbalance": 2}])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((1 * SECOND, 10.0, 1.0, 1), r"time goes back in row 2 at 2024-01-01 00:00:01"),
        ((-2 * DAY, 10.0, 1.0, 1), r"time goes back in row 2 at 2023-12-30"),
        ((5 * SECOND, 0.0, 1.0, 1), r"price is not above zero in row 2"),
        ((5 * SECOND, -3.0, 1.0, 1), r"price is not above zero in row 2"),
        ((5 * SECOND, NAN, 1.0, 1), r"price is not above zero in row 2"),
        ((5 * SECOND, INF, 1.0, 1), r"price is not above zero in row 2"),
        ((5 * SECOND, 10.0, -1.0, 1), r"quantity is below zero in row 2"),
        ((5 * SECOND, 10.0, NAN, 1), r"quantity is below zero in row 2"),
        ((5 * SECOND, 10.0, INF, 1), r"quantity is below zero in row 2"),
    ],
)
def test_a_trade_that_cannot_be_is_named(rule: dict[str, Any], row: tuple[int, float, float, int], said: str) -> None:
    table = trades([(2 * SECOND, 10.0, 1.0, 1), (3 * SECOND, 10.0, 1.0, -1), row, (9 * SECOND, 9.0, 1.0, 1)])
    with pytest.raises(ValidationError, match=said):
        bars_from_trades(table, **rule)


def test_what_is_missing_is_named() -> None:
    table = market(5)
    with pytest.raises(SchemaError, match="no 'side'"):
        bars_from_trades(table.drop("side"), ticks=2)
    with pytest.raises(SchemaError, match="price is String, not numbers"):
        bars_from_trades(table.with_columns(price=pl.lit("dear")), ticks=2)
    with pytest.raises(SchemaError, match="side is Float64, not whole numbers"):
        bars_from_trades(table.with_columns(side=pl.lit(1.0)), ticks=2)
    holed = table.with_columns(quantity=pl.when(pl.int_range(5) != 3).then("quantity"))
    with pytest.raises(ValidationError, match="quantity is missing in row 3"):
        bars_from_trades(holed, ticks=2)


@pytest.mark.parametrize("what", [{"ts": [1, 2], "price": [1.0]}, 3, pl.LazyFrame({"ts": [1]})])
def test_what_is_no_table_is_refused(what: Any) -> None:
    with pytest.raises(SchemaError, match="no table"):
        bars_from_trades(what, ticks=2)


@pytest.mark.parametrize(
    "rule", [{}, {"every": "1s", "ticks": 2}, {"ticks": 0}, {"volume": -1.0}, {"dollar": NAN}, {"ticks": 2, "span": 0}]
)
def test_a_rule_that_is_none_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(FeatureError):
        TradeBars(**rule)
    with pytest.raises(ConfigError, match="Unknown timeframe"):
        TradeBars(every="1 minute")


def test_a_state_of_other_bars_or_a_damaged_one_is_refused() -> None:
    saved = TradeBars(ticks=5).save()
    with pytest.raises(FeatureError, match="ends by ticks = 5, not by volume = 5"):
        TradeBars(volume=5).load(saved)
    with pytest.raises(FeatureError, match="damaged"):
        TradeBars(ticks=5).load(saved[:-3])


def test_mappings_and_other_types_of_time_and_number_are_trades() -> None:
    table = market(200)
    wanted = bars_from_trades(table, every="1s")
    ts = table["ts"].to_physical()
    given = {"ts": ts.to_numpy(), "price": table["price"].to_numpy(), "quantity": table["quantity"].to_numpy()}
    assert_frame_equal(bars_from_trades(given | {"side": table["side"].cast(pl.Int64).to_numpy()}, every="1s"), wanted)
    assert_frame_equal(bars_from_trades(table.with_columns(ts.cast(pl.Datetime("us"))), every="1s"), wanted)
    nanoseconds = table.with_columns(pl.col("ts").dt.cast_time_unit("ns"))
    assert_frame_equal(bars_from_trades(nanoseconds, every="1s"), wanted)
