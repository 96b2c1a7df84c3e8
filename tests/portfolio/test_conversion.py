"""Instruments in another currency than the account's; every expected figure is worked out by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import MINUTE, flat, free, perpetual, play, spot
from truewind.analytics.trades import round_trips
from truewind.backtest import tables
from truewind.backtest.rates import AssetSettings, RateSettings, collateral_of, rates_of_exchange
from truewind.backtest.settings import load_config
from truewind.domain.clock import parse_ts_us
from truewind.domain.due import DueKind, due_rows
from truewind.domain.fill import FillKind
from truewind.domain.terms import COLLATERAL, RATE
from truewind.errors import ConfigError
from truewind.portfolio.collateral import Collateral
from truewind.portfolio.ledger import postings
from truewind.portfolio.margin import MarginSettings
from truewind.risk.gate import RiskSettings
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

CAPPED = RiskSettings.unlimited().model_copy(update={"max_exposure": 1.0})  # no more than can be paid for


DAX = spot("DAX", base="DAX", quote="EUR", tick="0.01", lot="1")
UNIT = 100


def rates(*known: tuple[float, float]) -> dict[str, np.ndarray]:
    """Dollars for a euro from these minutes on."""
    rows = np.zeros(len(known), RATE)
    rows["ts"], rows["rate"] = [int(minute * MINUTE) for minute, _ in known], [rate for _, rate in known]
    return {"DAX": rows}


def run(bars, acts, *known, **how):
    settings = {"cash": 100_000.0, "currency": "USD", "instruments": [DAX], "leverage": 1.0, "margin": MarginSettings()}
    return play({"DAX": bars}, acts, rates=rates(*known), **settings | how)


def test_a_share_in_euros_gains_by_its_price_and_by_the_euro() -> None:
    """10 at 100 € and 1.10: 1,100 $. At 110 € and still 1.10: 1,210 $. At 1.20: 1,320 $. Sold then: +220 $."""
    engine = run(
        [flat(100), flat(100), flat(110), flat(110), flat(110), flat(110)],
        {0: lambda s: s.buy(10), 4: lambda s: s.close()}, (0, 1.10), (3, 1.20),
    )  # fmt: skip
    assert engine.equity.tolist() == [100_000, 100_000, 100_110, 100_220, 100_220, 100_220]
    assert engine.fills["notional"].tolist() == [1_100 * UNIT, 1_320 * UNIT]
    assert engine.fills["realised"].tolist() == [0, 220 * UNIT]


def test_a_rate_counts_from_the_first_row_that_opens_after_it_is_known() -> None:
    """Known half a minute into row 2, it values row 3: nothing inside row 2 could have gone by it."""
    engine = run([flat(100)] * 5, {0: lambda s: s.buy(10)}, (0, 1.0), (2.5, 2.0))
    assert engine.equity.tolist() == [100_000, 100_000, 100_000, 101_000, 101_000]


def test_fees_and_dividends_are_paid_in_the_accounts_money() -> None:
    """0.1 % of 1,000 € at 1.10 are 1.10 $; a dividend of 2 € a share at 1.20 is 24 $."""
    engine = run(
        [flat(100)] * 5, {0: lambda s: s.buy(10)}, (0, 1.10), (3, 1.20), costs=free(taker_fee=0.001),
        dues={"DAX": due_rows(DueKind.DIVIDEND, 3 * MINUTE, 200, 1)},
    )  # fmt: skip
    assert engine.state.account[0]["fees"] == 110
    assert engine.state.account[0]["carry"] == 24 * UNIT
    assert engine.equity[-1] == 100_000 - 1.10 + 24 + 1_200 - 1_100


def test_a_strategy_sees_prices_as_they_are_paid() -> None:
    """Bought at 100 € and, at another rate, at 110 €: the average entry is 105 €, whatever the euro is worth."""
    seen = []
    run(
        [flat(100), flat(100), flat(110), flat(110), flat(110)],
        {0: lambda s: s.buy(10), 2: lambda s: s.buy(10), 4: lambda s: seen.append(s.desk.position("DAX").entry)},
        (0, 1.10), (3, 1.20), (4, 1.30),
    )  # fmt: skip
    assert seen == [pytest.approx(105.0, rel=1e-12)]


def test_a_position_that_is_turned_round_was_entered_at_the_rate_of_the_day() -> None:
    """Long 10 at 1.10, at 1.20 sold 30: the 20 that are short know nothing of 1.10."""
    about = perpetual("DAX", base="DAX", quote="EUR", tick="0.01", lot="1")
    engine = run(
        [flat(100)] * 5, {0: lambda s: s.buy(10), 3: lambda s: s.sell(30)}, (0, 1.10), (3, 1.20), instruments=[about]
    )
    assert engine.state.positions[0][["lots", "entry_rate"]].tolist() == (-20, pytest.approx(1.20))


def test_sizes_and_limits_go_by_the_accounts_money() -> None:
    """With 100,000 $ at 1.25 no more than 800 shares at 100 € can be paid for, and no more are sent."""
    for lots, sent in ((799, 799), (800, 800), (801, 800)):
        engine = run([flat(100)] * 3, {0: lambda s, n=lots: s.buy(n)}, (0, 1.25), gate_leverage=1.0, limits=CAPPED)
        assert engine.fills["lots"].tolist() == [sent]


@given(st.lists(st.tuples(st.integers(50, 200), st.floats(0.5, 2.0)), min_size=4, max_size=12), st.integers(1, 50))
def test_what_is_booked_is_what_it_was_worth(path: list[tuple[int, float]], lots: int) -> None:
    """Bought on row 1 and held: equity is cash + lots × (price × rate now − price × rate then), row by row."""
    engine = run(
        [flat(price) for price, _ in path], {0: lambda s: s.buy(lots)},
        *[(row, rate) for row, (_, rate) in enumerate(path)], cash=1e6,
    )  # fmt: skip
    price, rate = path[1]
    bought = round(lots * price * rate, 2)
    for row in range(1, len(path)):
        now = lots * path[row][0] * path[row][1]
        assert engine.equity[row] == pytest.approx(1e6 + now - bought, abs=0.011)


def test_trades_and_tables_are_in_the_accounts_money() -> None:
    """10 bought at 110 $ and sold at 132 $: a trade of +220 $; benchmark and gross go by the same rates."""
    engine = run(
        [flat(100), flat(100), flat(110), flat(110), flat(110)], {0: lambda s: s.buy(10), 3: lambda s: s.close()},
        (0, 1.10), (3, 1.20),
    )  # fmt: skip
    units = tables.Units(engine.instruments, engine.state.instruments, engine.state.scale)
    fills = tables.fills_table(engine.fills, units)
    assert fills["price"].to_list() == [100.0, 110.0]
    trades = round_trips(tables.in_account_money(fills, engine), tables.orders_table(engine.events, units), {})
    assert trades.select("entry", "exit", "net_pnl").row(0) == pytest.approx((110.0, 132.0, 220.0))
    assert tables.equity_table(engine, engine.fills, units)["gross"].to_list() == pytest.approx(
        [0, 1100, 1210, 1320, 0]
    )
    held = tables.benchmark_table(engine, 110.0)["equity"].to_list()
    assert held == pytest.approx([110, 110, 121, 132, 132])


def bars(lake: Lake, venue: str, symbol: str, closes: list[float], timeframe: str = "1h") -> None:
    step = SeriesKey("bars", venue, symbol, timeframe).step_us
    ts = pl.Series(parse_ts_us("2024-01-01") + np.arange(len(closes)) * step).cast(pl.Datetime("us", "UTC"))
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    lake.write(SeriesKey("bars", venue, symbol, timeframe), pl.DataFrame({"ts": ts} | prices | {"volume": closes}))


def test_rates_come_from_the_pair_whichever_way_it_is_quoted(tmp_path) -> None:
    """A bar's close is known an hour after it opened. USDEUR of 0.5 makes a euro two dollars."""
    lake, noon = Lake(tmp_path / "lake"), parse_ts_us("2024-01-01T03:00")
    bars(lake, "fx", "USDEUR", [0.5, 0.4, 0.25, 0.2])
    found = rates_of_exchange(lake, [DAX], "USD", {}, noon, noon + 3_600_000_000)
    assert found.rows["DAX"]["rate"].tolist() == [4.0, 5.0]
    assert found.rows["DAX"]["ts"].tolist() == [noon, noon + 3_600_000_000]
    bars(lake, "bank", "EURUSD", [1.5] * 4)
    chosen = {"EUR": RateSettings(venue="bank", symbol="EURUSD", timeframe="1h")}
    assert set(rates_of_exchange(lake, [DAX], "USD", chosen, noon, noon).rows["DAX"]["rate"]) == {1.5}
    with pytest.raises(ConfigError, match="no bars of EURGBP or GBPEUR"):
        rates_of_exchange(lake, [DAX], "GBP", {}, noon, noon)
    with pytest.raises(ConfigError, match="says nothing"):
        rates_of_exchange(lake, [DAX], "USD", {}, parse_ts_us("2030-01-01"), parse_ts_us("2030-01-02"))


def test_a_run_begins_with_a_known_rate_or_not_at_all() -> None:
    """A rate that comes later says nothing of the first row; and an inverse contract has no other account's profit."""
    with pytest.raises(ConfigError, match="No rate of EUR is known when DAX"):
        run([flat(100)] * 3, {}, (1, 1.1))
    coin = perpetual("BTCUSD", base="BTC", quote="USD", settle="BTC")
    with pytest.raises(ConfigError, match="is settled in BTC"):
        play({"BTCUSD": [flat(100)] * 3}, {}, instruments=[coin], currency="USD", rates=rates((0, 1.0)))


def coins(amount: float, haircut: float, *known: tuple[float, float]) -> Collateral:
    """So many coins beside the dollars, and what one is worth from these minutes on."""
    assets = np.zeros(2, COLLATERAL)
    assets["unit"], assets["index"] = (100.0, 1e8), 1.0
    assets["balance"][1] = round(amount * 1e8)
    assets["bid_buffer"][1] = assets["exchange_bid_buffer"][1] = haircut
    (rows,) = rates(*known).values()
    rows["symbol"] = -2
    return Collateral(assets, rows)


def test_coins_are_margin_at_their_rate_less_the_haircut() -> None:
    """2 coins at 1,000 $ less 5 % are 1,900 $, and 1,710 at 900 $. With 1,000 $ cash and no leverage 29 can be held
    at 100 $, and of 30 one is not sent."""
    about, beside = perpetual("DAX", base="DAX", quote="USD", tick="0.01", lot="1"), coins(2, 0.05, (0, 1000), (3, 900))
    settings = {"instruments": [about], "currency": "USD", "cash": 1_000.0, "leverage": 1.0, "gate_leverage": 1.0}
    settings["limits"] = CAPPED
    engine = play({"DAX": [flat(100)] * 5}, {0: lambda s: s.buy(30)}, collateral=beside, **settings)
    assert engine.fills["lots"].tolist() == [29]
    assert engine.equity.tolist() == [2_900, 2_900, 2_900, 2_710, 2_710]
    assert play({"DAX": [flat(100)] * 5}, {0: lambda s: s.buy(30)}, **settings).fills["lots"].tolist() == [10]


def test_a_debt_is_paid_by_selling_coins() -> None:
    """1,000 $ lost and 500 more: at 1,000 $ less 5 % that is 0.52631579 of a coin; 1.47368421 stay: 1,400 $."""
    about, beside = perpetual("DAX", base="DAX", quote="USD", tick="0.01", lot="1"), coins(2, 0.05, (0, 1000))
    engine = play(
        {"DAX": [flat(100), flat(100), flat(25), flat(25), flat(25)]},
        {0: lambda s: s.buy(20), 2: lambda s: s.close()},
        instruments=[about], currency="USD", cash=1_000.0, leverage=20.0, collateral=beside,
    )  # fmt: skip
    assert engine.fills["kind"].tolist() == [FillKind.TRADE, FillKind.TRADE, FillKind.EXCHANGE]
    assert engine.fills["realised"].tolist() == [0, -1_500 * UNIT, 500 * UNIT]
    assert engine.state.assets["balance"].tolist()[1] == 200_000_000 - 52_631_579
    assert engine.equity[-1] == pytest.approx(1_400.0, abs=0.011)
    books = postings(engine.fills, engine.state.instruments)
    assert books.group_by("fill").agg(pl.col("amount").sum())["amount"].to_list() == [0, 0, 0]
    assert books.filter(pl.col("account") == "collateral")["amount"].to_list() == [-500 * UNIT]


def test_collateral_comes_from_the_config_and_the_lake(tmp_path) -> None:
    """Half a coin at 3,000 less a fifth: 1,200. Without a rate, or on isolated margin, it is refused."""
    lake, start = Lake(tmp_path / "lake"), parse_ts_us("2024-01-01T02:00")
    bars(lake, "binance", "ETHUSD", [3000.0] * 5)
    held = {"ETH": AssetSettings(amount=0.5, haircut=0.2)}
    found, keys = collateral_of(lake, held, "binance", "USD", {}, start, start)
    assert found.assets["balance"].tolist() == [0, 50_000_000]
    assert [str(key) for key in keys] == ["binance ETHUSD bars 1h"]
    found = found._replace(rates=coins(1, 0, (0, 3000)).rates)
    about = perpetual("DAX", base="DAX", quote="USD")
    engine = play(
        {"DAX": [flat(100)] * 2}, {}, instruments=[about], currency="USD", cash=1_000.0, collateral=found
    )  # fmt: skip
    assert engine.equity.tolist() == [2_200.0, 2_200.0]
    with pytest.raises(ConfigError, match="No rate of ETH is known"):
        collateral_of(lake, held, "binance", "USD", {}, parse_ts_us("2024-01-01"), start)
    config = {
        "name": "x", "data": {"venue": "v", "symbols": "A", "timeframe": "1h"}, "strategy": {"path": "a:B"},
        "account": {"collateral": {"ETH": {"amount": 1}}}, "margin": {"mode": "isolated"},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="cross positions"):
        load_config(config)
