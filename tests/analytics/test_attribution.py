"""Attribution: every trade in one box, boxes that add up, and nothing concluded from three trades."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from profiles import examples
from truewind.analytics import attribution
from truewind.analytics.document import Table
from truewind.analytics.report import Report
from truewind.analytics.sections.attribution import section
from truewind.analytics.trades import COLUMNS

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)  # a Monday
TIME = pl.Datetime("us", "UTC")


def trade(net, hour=0, held=1.0, **given):
    opened = START + dt.timedelta(hours=hour)
    closed = None if held is None else opened + dt.timedelta(hours=held)
    plain = {
        "symbol": "A", "side": 1, "opened": opened, "closed": closed, "quantity": 1.0, "entry": 100.0, "exit": 101.0,
        "gross_pnl": net + 1.0, "fees": 1.0, "funding": 0.0, "carry": 0.0, "slippage": 0.5, "net_pnl": net,
        "return": net / 100.0, "r_multiple": None, "fills": 2, "entry_tag": 0, "exit_tag": 0, "entry_order": 1,
        "exit_order": 2, "exit_kind": "trade", "open": closed is None,
    }  # fmt: skip
    return plain | given


def report(trades, *, rest=0.0, year=365, step=dt.timedelta(hours=1), **more):
    table = pl.DataFrame(trades, schema=COLUMNS)
    total = math.fsum(row["net_pnl"] for row in trades) + rest
    summary = {"initial_equity": 1000.0, "final_equity": 1000.0 + total, "days_per_year": year}
    rows = pl.datetime_range(START, START + 400 * step, step, eager=True, time_zone="UTC", time_unit="us")
    return Report(
        name="", equity=pl.DataFrame({"ts": rows, "equity": np.full(len(rows), 1000.0)}), trades=table,
        fills=more.pop("fills", pl.DataFrame(schema={"order_id": pl.Int64})), candles=more.pop("candles", {}),
        benchmark=None, summary=summary | more.pop("summary", {}), config_yaml="", info={}, assumptions=[],
        warnings=[], **more,
    )  # fmt: skip


def boxes(report, name):
    (found,) = (one for one in attribution.splits(report) if one.id == name)
    return {box.label: box for box in found.boxes}


def test_a_box_by_hand():
    """Results 3, −1 and 4 with 1 of fees each: mean 2, deviation √7, and t of two degrees 4.3027."""
    (box,) = attribution.split(pl.DataFrame([trade(3.0), trade(-1.0), trade(4.0)], schema=COLUMNS), ["x"] * 3)
    assert (box.trades, box.net, box.gross, box.share, box.win_rate) == (3, 6.0, 9.0, 1.0, pytest.approx(2 / 3))
    width = 4.302652729911275 * math.sqrt(7.0) / math.sqrt(3.0)
    assert (box.mean, box.low, box.high) == pytest.approx((2.0, 2.0 - width, 2.0 + width))
    assert math.isnan(box.average_r)
    assert box.reading == "too few trades"


def test_the_interval_is_that_of_scipy():
    net = np.random.default_rng(3).normal(0.4, 1.0, 40)
    (box,) = attribution.split(pl.DataFrame([trade(float(x)) for x in net], schema=COLUMNS), ["x"] * 40)
    low, high = stats.t.interval(0.95, 39, np.mean(net), stats.sem(net))
    assert (box.low, box.high) == pytest.approx((low, high))


def test_a_clear_gain_is_told_from_luck():
    def reading(net):
        return attribution.split(pl.DataFrame([trade(x) for x in net], schema=COLUMNS), ["x"] * len(net))[0].reading

    assert reading([1.0, 2.0] * 10) == "gains"
    assert reading([-1.0, -2.0] * 10) == "loses"
    assert reading([-1.0, 1.0] * 10) == "may be luck"
    assert reading([5.0] * 9) == "too few trades"
    assert reading([math.nan] * 12) == "not defined"


def test_one_trade_has_no_interval():
    (box,) = attribution.split(pl.DataFrame([trade(3.0)], schema=COLUMNS), ["x"])
    assert math.isnan(box.low)
    assert math.isnan(box.high)


money = st.floats(-1e6, 1e6)


@examples(40)
@given(
    rows=st.lists(
        st.tuples(
            money, st.integers(0, 5000), st.none() | st.floats(0.0, 3000.0), st.sampled_from("ABC"), st.integers(0, 3)
        ),
        min_size=1,
        max_size=60,
    ),
    rest=st.just(0.0) | money,
)
def test_every_table_adds_up_to_the_result(rows, rest):
    trades = [trade(net, hour, held, symbol=symbol, entry_tag=tag) for net, hour, held, symbol, tag in rows]
    made = report(trades, rest=rest)
    result = made.summary["final_equity"] - made.summary["initial_equity"]
    scale = 1000.0 + math.fsum(abs(net) for net, *_ in rows) + abs(rest)
    tables = [
        block for block in section(made).blocks if isinstance(block, Table) and block.name.startswith("attribution-")
    ]
    assert tables
    for table in tables:
        *parts, total = table.rows
        assert total[:2] == ("all", len(rows))
        assert math.fsum(row[2] for row in parts) == pytest.approx(total[2], abs=1e-9 * scale)
        assert total[2] == pytest.approx(result, abs=2e-9 * scale)


def test_what_belongs_to_no_trade_has_a_row():
    table = next(block for block in section(report([trade(3.0)], rest=-0.7)).blocks if isinstance(block, Table))
    assert table.rows[1][:3] == ("belongs to no trade", 0, pytest.approx(-0.7))


def test_times_of_the_entry():
    made = report([trade(1.0, 2), trade(2.0, 8), trade(4.0, 14), trade(8.0, 22), trade(16.0, 24 + 2)])
    assert {label: box.net for label, box in boxes(made, "session").items()} == {
        "Asia, 00–07 UTC": 17.0, "Europe, 07–13 UTC": 2.0, "US, 13–21 UTC": 4.0, "late, 21–24 UTC": 8.0,
    }  # fmt: skip
    assert {label: box.trades for label, box in boxes(made, "hour").items()} == {"02": 2, "08": 1, "14": 1, "22": 1}
    assert {label: box.trades for label, box in boxes(made, "weekday").items()} == {"Monday": 4, "Tuesday": 1}


def test_shares_are_sorted_by_the_hours_of_new_york():
    """15 January 2024 was a Monday in winter: 9:45 there is 14:45 UTC; in July 13:45 UTC."""
    winter, summer = 14 * 24 + 14.75, 182 * 24 + 13.75
    made = report([trade(1.0, winter), trade(2.0, summer), trade(4.0, winter + 3), trade(8.0, winter + 6)], year=252)
    assert {label: box.net for label, box in boxes(made, "session").items()} == {
        "first hour": 3.0, "midday": 4.0, "last hour": 8.0,
    }  # fmt: skip


def test_hours_say_nothing_of_daily_bars():
    made = report([trade(1.0), trade(2.0, 48)], step=dt.timedelta(days=1))
    assert not {"hour", "session"} & {one.id for one in attribution.splits(made)}


def orders(*rows):
    plain = {"created": START, "type": "market", "reduce_only": True, "parent": 0, "reason": "none", "tag": 0,
             "amended": False, "quantity": 1.0, "filled": 1.0}  # fmt: skip
    return pl.DataFrame([plain | row for row in rows], schema_overrides={"created": TIME})


@pytest.mark.parametrize(
    ("order", "given", "reason"),
    [
        ({"type": "stop"}, {}, "stop"),
        ({"type": "stop", "amended": True}, {}, "moved stop"),
        ({"type": "stop", "created": START + dt.timedelta(hours=3)}, {}, "moved stop"),
        ({"type": "trailing_stop"}, {}, "trailing stop"),
        ({"type": "limit", "parent": 1}, {}, "target"),
        ({"reason": "flattened"}, {}, "flattened by risk"),
        ({}, {"exit_kind": "liquidation"}, "liquidation"),
        ({}, {"exit_kind": "settlement"}, "delisting or expiry"),
        ({}, {"held": None}, "open at the end of data"),
        ({}, {}, "signal"),
        ({"tag": 3}, {}, "signal: trend turned"),
        ({}, {"exit_order": 9}, "not known"),
    ],
)
def test_reasons_of_exits(order, given, reason):
    trades = [trade(1.0, **given)]
    made = report(trades, orders=orders({"order_id": 2} | order), summary={"reasons": {"0": {"3": "trend turned"}}})
    assert attribution.exit_reasons(made) == [reason]


def test_an_order_that_ends_one_trade_and_begins_the_next_turned():
    trades = [trade(1.0, exit_order=2), trade(1.0, 1, None, entry_order=2)]
    made = report(trades, orders=orders({"order_id": 2, "reduce_only": False}))
    assert attribution.exit_reasons(made) == ["opposite signal", "open at the end of data"]


def test_a_horizon_is_told_from_a_signal_to_be_out():
    verdicts = pl.DataFrame(
        {
            "ts": [START, START + dt.timedelta(hours=5)], "symbol": ["A", "A"], "order_id": [1, 0], "side": [1, 0],
            "signal": [True, True], "horizon": [dt.timedelta(hours=9), None],
        },
        schema_overrides={"ts": TIME},
    )  # fmt: skip
    sent = [{"order_id": 2, "created": START + dt.timedelta(hours=hour)} for hour in (9, 5)]
    found = [attribution.exit_reasons(report([trade(1.0)], orders=orders(one), verdicts=verdicts)) for one in sent]
    assert found == [["horizon"], ["signal"]]


def test_entries_by_the_names_of_their_strategies():
    sent = orders({"order_id": 1, "owner": 0, "strategy": "a"}, {"order_id": 5, "owner": 1, "strategy": "b"})
    trades = [trade(1.0, entry_tag=1), trade(1.0, entry_tag=1, entry_order=5), trade(1.0, entry_tag=8), trade(1.0)]
    made = report(trades, orders=sent, summary={"reasons": {"0": {"1": "rose"}, "1": {"1": "fell"}}})
    assert attribution.entry_reasons(made) == ["rose", "fell", "reason 8", "no reason given"]


def test_regimes_use_closed_candles_only():
    """Hourly candles that rise by turns of 0.5 % and 1.5 % from hour 200 on: the trend is that of what was before."""
    rows = 400
    steps = np.where(np.arange(rows) < 200, -0.01, 0.01) + np.where(np.arange(rows) % 2, 0.005, -0.005)
    close = 100.0 * np.exp(np.cumsum(steps))
    hours = pl.datetime_range(
        START, START + dt.timedelta(hours=rows - 1), "1h", eager=True, time_zone="UTC", time_unit="us"
    )
    candles = {"A": pl.DataFrame({"ts": hours, "close": close})}
    trades = [trade(1.0, 10), trade(2.0, 190), trade(4.0, 390)]
    made = report(trades, candles=candles)  # 400 hours: the regime is that of 50 of them
    assert {label[:9]: box.net for label, box in boxes(made, "regime-trend").items()} == {
        "rising": 4.0, "falling": 2.0, "not known": 1.0,
    }  # fmt: skip
    changed = close.copy()
    changed[191:] *= 5.0
    other = report(trades, candles={"A": pl.DataFrame({"ts": hours, "close": changed})})
    assert boxes(other, "regime-trend")["falling"].net == 2.0


def test_features_are_sorted_into_fifths_of_the_entries():
    values = np.random.default_rng(1).permutation(100).astype(float)
    trades = [trade(value, entry_order=number) for number, value in enumerate(values.tolist())]
    entries = pl.DataFrame(
        {"order_id": np.arange(100), "symbol": ["A"] * 100, "decided": [START] * 100, "rank": values}
    )
    found = boxes(report(trades, entries=entries), "feature-rank")
    assert [box.trades for box in found.values()] == [20] * 5
    assert next(iter(found.values())).net == sum(range(20))


def test_few_values_are_boxes_of_their_own():
    labels, order = attribution.buckets(np.array([1.0, 0.0, math.nan, 1.0]))
    assert (labels, order) == (["1", "0", "not known", "1"], ["0", "1", "not known"])


def test_costs_lead_from_the_gross_to_the_net_result():
    made = report([trade(3.0), trade(-1.0, symbol="B", funding=-0.2, gross_pnl=0.2)])
    for costs in attribution.costs_by_symbol(made):
        assert costs.before - costs.slippage - costs.fees + costs.funding + costs.carry == pytest.approx(costs.net)


def test_an_empty_run_has_no_section():
    assert section(report([])) is None


def test_hidden_states_are_those_of_the_day_before():
    """A hundred calm days and a hundred wild ones, drawn: whoever enters among the wild ones is told so."""
    draw = np.random.default_rng(11)
    returns = np.concatenate([draw.normal(0.0, 0.002, 100), draw.normal(0.0, 0.05, 100)])
    days = pl.datetime_range(START, START + dt.timedelta(days=199), "1d", eager=True, time_zone="UTC", time_unit="us")
    candles = {"A": pl.DataFrame({"ts": days, "close": 100.0 * np.exp(np.cumsum(returns))})}
    made = report([trade(1.0, 24 * 50), trade(2.0, 24 * 150), trade(4.0, 24 * 170), trade(8.0, 0)], candles=candles)
    found = boxes(made, "regime-hidden")
    assert {label: box.net for label, box in found.items()} == {"calm days": 1.0, "wild days": 6.0, "not known": 8.0}
