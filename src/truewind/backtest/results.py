"""Results: what an engine leaves after a run, as tables and figures in the folder of the run."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from truewind.analytics.excursions import with_excursions
from truewind.analytics.summary import summarise
from truewind.analytics.trades import round_trips
from truewind.analytics.withheld import by_rule, outcomes
from truewind.backtest import tables
from truewind.backtest.assembly import features_of
from truewind.backtest.decided import entries_table, reason_names, with_prices
from truewind.backtest.folder import write_json, write_table
from truewind.backtest.reads import fields_of
from truewind.backtest.settings import BacktestSettings
from truewind.backtest.shadow import market, minds
from truewind.domain.calendar import calendar
from truewind.engine.engine import Engine
from truewind.engine.merge import CLOSE, SYMBOL, TS
from truewind.engine.portfolio import PortfolioEngine


def write_results(run_dir: Path, engine: Engine, settings: BacktestSettings) -> tuple[dict[str, Any], list[str]]:
    """Write the tables and the summary; the summary, and what the reader must know of refused orders."""
    units = tables.Units(engine.instruments, engine.state.instruments, engine.state.scale)
    fill_rows = engine.fills
    fills, orders = tables.fills_table(fill_rows, units), tables.orders_table(engine.events, units)
    equity = tables.equity_table(engine, fill_rows, units)
    timeline = engine.timeline
    last = {
        symbol: float(timeline.marks[CLOSE][timeline.times[SYMBOL] == index][-1])
        * float(tables.rates_at(engine, index, timeline.times[TS][-1:])[0])
        for index, symbol in enumerate(timeline.symbols)
    }
    multipliers = {i.name: float(i.multiplier) for i in engine.instruments if i.multiplier != 1}
    inverse = {i.name for i in engine.instruments if i.inverse}
    steps = {i.name: float(i.order_step) for i in engine.instruments if i.order_step}
    paid = tables.in_account_money(fills, engine).with_columns(bar=fill_rows["row"].astype(np.int64))
    trades = round_trips(
        paid.filter(pl.col("kind") != "exchange"),
        orders,
        last,
        multipliers,
        inverse,
        steps,
    )
    trades = with_excursions(trades, tables.bars_of(engine), multipliers, inverse, tables.split_times(fills))
    orders = with_prices(orders, engine, units)
    start = float(engine.state.account[0]["start"]) / engine.state.scale
    benchmark = tables.benchmark_table(engine, start)
    year = max(calendar(instrument.calendar).days_per_year for instrument in engine.instruments)
    summary = summarise(
        equity,
        trades,
        fills,
        orders,
        initial=start,
        days_per_year=year,
        benchmark=benchmark,
        leverage=settings.account.leverage if any(i.can_short for i in engine.instruments) else None,
    )
    written = {
        "equity": equity, "trades": trades, "fills": fills, "orders": orders, "benchmark": benchmark,
        "candles": tables.candles_table(timeline),
        "entries": entries_table(trades, engine, list(fields_of(features_of(engine.strategy)))),
    }  # fmt: skip
    verdicts = tables.verdicts_table(engine.verdicts, units)
    cost = settings.costs.taker_fee + settings.costs.half_spread_bps / 10_000
    written["withheld"] = outcomes(verdicts, partial(market, engine), cost=cost, minds=minds(engine))
    summary["risk"] = by_rule(verdicts, written["withheld"])
    summary["latches"] = tables.latch_facts(engine)
    team = (
        [member.strategy for member in engine.team.members]
        if isinstance(engine, PortfolioEngine)
        else [engine.strategy]
    )
    summary["reasons"] = reason_names({"orders": orders, "fills": fills}, team)
    written["verdicts"] = verdicts
    if isinstance(engine, PortfolioEngine):
        names = [member.name for member in engine.team.members]
        written |= {"fills": tables.with_strategy(fills, names), "orders": tables.with_strategy(orders, names)}
        written |= {"strategies": pl.DataFrame(engine.results()), "gains": tables.gains_table(engine)}
        summary["strategies"] = [result._asdict() for result in engine.results()]
    for name, table in written.items():
        write_table(run_dir / f"{name}.parquet", table)
    write_json(run_dir / "summary.json", summary)
    return summary, [*tables.latch_notes(engine), *tables.refusals(orders, engine.instruments)]
