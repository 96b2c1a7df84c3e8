"""Attribution: where a run's result came from: its trades sorted into boxes by what was known of them.

    split(trades, labels) → a Box for each label: trades, net result, win rate, mean with its confidence interval

The net results of the boxes of a split, and what belongs to no trade, add up to the change of equity. A box of few
trades proves nothing: its interval says how wide the luck is, and `reading` says it in words.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from truewind.analytics.figures import duration
from truewind.analytics.report import Report
from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US
from truewind.numerics.floats import floats
from truewind.numerics.markov import two_states
from truewind.numerics.performance import Floats, Ints
from truewind.numerics.student import quantile

CONFIDENCE = 0.95
FEW = 10  # trades in a box of which nothing is concluded
SHARES, EVERY_DAY = 252, 365  # trading days a year by which shares, and markets without sessions, are known
UNKNOWN = "not known"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Where the day is by UTC hours; the hours in which London and New York both work belong to New York.
SESSIONS: tuple[tuple[str, float, float], ...] = (
    ("Asia, 00–07 UTC", 0, 7),
    ("Europe, 07–13 UTC", 7, 13),
    ("US, 13–21 UTC", 13, 21),
    ("late, 21–24 UTC", 21, 24),
)
_SHARES_DAY: tuple[tuple[str, float, float], ...] = (
    ("first hour", 9.5, 10.5),
    ("midday", 10.5, 15.0),
    ("last hour", 15.0, 16.0),
)
_HELD = (
    (MINUTE_US, "under 1 minute"),
    (5 * MINUTE_US, "1 to 5 minutes"),
    (HOUR_US, "5 minutes to 1 hour"),
    (4 * HOUR_US, "1 to 4 hours"),
    (DAY_US, "4 hours to 1 day"),
    (3 * DAY_US, "1 to 3 days"),
    (7 * DAY_US, "3 to 7 days"),
    (30 * DAY_US, "7 to 30 days"),
    (1 << 62, "30 days and longer"),
)
_TERCILES = ("calm", "normal", "wild")
_STOPS, _TARGETS = ("stop", "stop_limit"), ("limit", "take_profit", "take_profit_limit")


class Box(NamedTuple):
    """The trades of one label. net: after all costs, open trades at the last price. share: of the absolute gross
    results of all boxes. mean, low, high: net result of a trade and its confidence interval, NaN where not defined.
    """

    label: str
    trades: int
    net: float
    gross: float
    share: float
    win_rate: float
    average_r: float
    mean: float
    low: float
    high: float

    @property
    def reading(self) -> str:
        """What follows from it."""
        if self.trades < FEW:
            return "too few trades"
        if not self.low <= self.high:
            return "not defined"
        return "gains" if self.low > 0.0 else ("loses" if self.high < 0.0 else "may be luck")


class Split(NamedTuple):
    """Boxes of all trades by one property. id: a word; note: how it is defined. afterwards: the property is known only
    when the trade is over, so that a result that differs is no find: stops lose.
    """

    id: str
    title: str
    boxes: tuple[Box, ...]
    note: str = ""
    afterwards: bool = False


def split(trades: pl.DataFrame, labels: Sequence[str], order: Sequence[str] = ()) -> tuple[Box, ...]:
    """A box for each label that has trades, in `order`; those that it does not name by their net results, best first.

    labels: one a trade.
    """
    net, gross = (floats(trades[name]) for name in ("net_pnl", "gross_pnl"))
    risk = floats(trades["r_multiple"])
    known = np.array(labels, dtype=object)
    rows = {label: np.flatnonzero(known == label) for label in dict.fromkeys(labels)}
    total = math.fsum(abs(math.fsum(gross[own])) for own in rows.values())
    boxes = [_box(label, net[own], gross[own], risk[own], total) for label, own in rows.items()]
    place = {label: number for number, label in enumerate(order)}
    return tuple(sorted(boxes, key=lambda box: (place.get(box.label, len(place)), -box.net, box.label)))


def _box(label: str, net: Floats, gross: Floats, risk: Floats, total: float) -> Box:
    count, risk = len(net), risk[np.isfinite(risk)]
    summed, earned = math.fsum(net), math.fsum(gross)
    mean = summed / count
    deviation = float(np.std(net, ddof=1)) if count > 1 else math.nan
    width = quantile(CONFIDENCE, count - 1) * deviation / math.sqrt(count) if count > 1 else math.nan
    return Box(
        label=label,
        trades=count,
        net=summed,
        gross=earned,
        share=earned / total if total > 0.0 else math.nan,
        win_rate=float(np.mean(net > 0.0)) if np.isfinite(net).all() else math.nan,
        average_r=float(np.mean(risk)) if len(risk) else math.nan,
        mean=mean,
        low=mean - width,
        high=mean + width,
    )


def outside(report: Report) -> float:
    """The part of the result that belongs to no trade: what was paid and charged while nothing was held, and the
    exchange of currencies. NaN if the result is not defined.
    """
    first, last = report.summary["initial_equity"], report.summary["final_equity"]
    if first is None or last is None:
        return math.nan
    rest = last - first - math.fsum(floats(report.trades["net_pnl"]))
    # Net results are differences of sums in binary: what is left of rounding is no money.
    scale = max(abs(first), abs(last), math.fsum(np.abs(floats(report.trades["gross_pnl"]))))
    return rest if abs(rest) > 1e-9 * scale else 0.0


def splits(report: Report) -> list[Split]:
    """All splits that say something of this run, the most asked for first."""
    trades = report.trades
    if trades.is_empty():
        return []
    found = [
        Split("symbol", "Symbol", split(trades, trades["symbol"].to_list())),
        Split(
            "side",
            "Side",
            split(trades, ["long" if side > 0 else "short" for side in trades["side"]], ("long", "short")),
        ),
        Split("entry-reason", "Reason of the entry", split(trades, entry_reasons(report))),
        Split("exit-reason", "Reason of the exit", split(trades, exit_reasons(report)), _EXITS, afterwards=True),
        *_regimes(report),
        *_by_time(report),
        Split(
            "holding",
            "Holding time",
            split(trades, _holding(trades), [name for _, name in _HELD]),
            afterwards=True,
        ),
        *_by_feature(report),
    ]
    return [one for one in found if len(one.boxes) > 1 or one.id == "symbol"]


# -- reasons -----------------------------------------------------------------------------------------------------------

_EXITS = (
    "A moved stop was moved, or set anew, after the entry. Horizon: the time that the signal gave was over. Signal: "
    "the strategy closed. Opposite signal: it turned to the other side."
)


def entry_reasons(report: Report) -> list[str]:
    """Of each trade why it was entered, by the name that its strategy gives the number."""
    owners = _owners(report)
    orders = (
        report.trades["entry_order"].to_list() if "entry_order" in report.trades.columns else [0] * len(report.trades)
    )
    tags = report.trades["entry_tag"].to_list()
    return [_reason(report, owners.get(order, 0), tag) for order, tag in zip(orders, tags, strict=True)]


def _reason(report: Report, owner: int, tag: object) -> str:
    names: Mapping[str, str] = report.summary.get("reasons", {}).get(str(max(owner, 0)), {})
    return names.get(str(tag)) or (f"reason {tag}" if tag else "no reason given")


def _owners(report: Report) -> dict[int, int]:
    """By order the number of the strategy that sent it, where several share the account."""
    if report.orders is None or "strategy" not in report.orders.columns:
        return {}
    return dict(report.orders.select("order_id", "owner").iter_rows())


def exit_reasons(report: Report) -> list[str]:
    """Of each trade what ended it."""
    if report.orders is None or "exit_order" not in report.trades.columns:
        return [UNKNOWN] * len(report.trades)
    columns = ("order_id", "created", "type", "reduce_only", "parent", "reason", "tag", "amended", "quantity", "filled")
    orders = {row["order_id"]: row for row in report.orders.select(*columns).iter_rows(named=True)}
    said = _said_out(report)
    turns = {(row[0], row[1]) for row in report.trades.select("symbol", "entry_order").iter_rows()}
    horizons = _horizons(report)
    found = []
    for trade in report.trades.iter_rows(named=True):
        order = orders.get(trade["exit_order"])
        if trade["open"]:
            found.append("open at the end of data")
        elif trade["exit_kind"] in ("liquidation", "settlement"):
            found.append({"liquidation": "liquidation", "settlement": "delisting or expiry"}[trade["exit_kind"]])
        elif order is None:
            found.append(UNKNOWN)
        elif order["reason"] == "flattened":
            found.append("flattened by risk")
        elif order["type"] == "trailing_stop":
            found.append("trailing stop")
        elif order["type"] in _STOPS:
            found.append("moved stop" if order["amended"] or order["created"] > trade["opened"] else "stop")
        elif order["type"] in _TARGETS and (order["reduce_only"] or order["parent"]):
            found.append("target")
        elif (trade["symbol"], trade["exit_order"]) in turns:
            found.append("opposite signal")
        elif order["type"] in _TARGETS:
            found.append("limit order")
        elif (trade["symbol"], order["created"]) not in said and horizons.get(trade["entry_order"], False):
            found.append("horizon")
        else:
            name = _reason(report, 0, order["tag"]) if order["tag"] else ""
            found.append(f"signal: {name}" if name else "signal")
    return found


def _said_out(report: Report) -> set[tuple[str, object]]:
    """Symbols and moments at which a signal was to be out."""
    if report.verdicts is None:
        return set()
    return set(report.verdicts.filter((pl.col("side") == 0) & pl.col("signal")).select("symbol", "ts").iter_rows())


def _horizons(report: Report) -> dict[int, bool]:
    """By order whether the signal that it followed had a horizon."""
    if report.verdicts is None:
        return {}
    timed = report.verdicts.select("order_id", pl.col("horizon").dt.total_microseconds().fill_null(0) > 0)
    return dict(timed.iter_rows())


# -- times -------------------------------------------------------------------------------------------------------------


def _by_time(report: Report) -> list[Split]:
    """Splits by when a trade was opened: by hours only where bars are shorter than a day."""
    trades, year = report.trades, report.summary["days_per_year"]
    opened = trades["opened"]
    step = report.equity["ts"].diff().drop_nulls().dt.total_microseconds().median() if len(report.equity) > 1 else None
    found = []
    if isinstance(step, int | float) and step < DAY_US // 2:
        hours = [f"{hour:02d}" for hour in opened.dt.hour()]
        named, sessions, note = _sessions(opened, year)
        found += [
            Split("session", "Session", split(trades, named, sessions), note),
            Split("hour", "Hour of the entry, UTC", split(trades, hours, [f"{hour:02d}" for hour in range(24)])),
        ]
    days = [WEEKDAYS[day - 1] for day in opened.dt.weekday()]
    form = "%Y-%m" if trades["opened"].dt.strftime("%Y-%m").n_unique() <= 60 else "%Y"
    months = opened.dt.strftime(form).to_list()
    return [
        *found,
        Split("weekday", "Weekday of the entry", split(trades, days, WEEKDAYS)),
        Split(
            "month",
            f"{'Month' if form == '%Y-%m' else 'Year'} of the entry",
            split(trades, months, sorted(set(months))),
        ),
    ]


def _sessions(opened: pl.Series, year: int) -> tuple[list[str], list[str], str]:
    """The session of each moment, all sessions in order, and how they are defined."""
    if year == SHARES:
        local = opened.dt.convert_time_zone("America/New_York")
        hours = (local.dt.hour() + local.dt.minute() / 60.0).to_numpy()
        parts = _SHARES_DAY
        note = "By New York time: 9:30 to 10:30, to 15:00, to 16:00; all else is outside hours."
    else:
        hours = opened.dt.hour().to_numpy().astype(np.float64)
        parts = SESSIONS
        note = (
            "By the UTC hour of the entry, whatever the season; from 13:00 on, when New York comes in, it counts as US."
        )
    names = [name for name, _, _ in parts]
    return [next((n for n, a, b in parts if a <= hour < b), "outside hours") for hour in hours], names, note


def _holding(trades: pl.DataFrame) -> list[str]:
    spans = (trades["closed"] - trades["opened"]).dt.total_microseconds()
    return [
        "open at the end of data" if span is None else next(name for most, name in _HELD if span < most)
        for span in spans
    ]


# -- regimes -----------------------------------------------------------------------------------------------------------


def _regimes(report: Report) -> list[Split]:
    """Splits by the state of the traded symbol when the trade was opened, from candles that had closed by then."""
    trades = report.trades
    if not report.candles or len(report.equity) < 2:
        return []
    span = (report.equity["ts"][-1] - report.equity["ts"][0]).total_seconds() * 1e6
    length = int(min(50 * DAY_US, span / 8))
    wild, rising = np.full(len(trades), -1), np.full(len(trades), 0)
    opened = trades["opened"].dt.epoch("us").to_numpy()
    for symbol, candles in report.candles.items():
        own = np.flatnonzero((trades["symbol"] == symbol).to_numpy())
        if len(own) and len(candles) > 2:
            wild[own], rising[own] = _states(candles, opened[own], length)
    shown = duration(length / HOUR_US, "days").replace(".0 ", " ")
    before = "not known yet"
    volatility = [_TERCILES[state] if state >= 0 else before for state in wild]
    trend = [{1: "rising", -1: "falling"}.get(int(state), before) for state in rising]
    both = [f"{a}, {b}" if a != before and b != before else before for a, b in zip(trend, volatility, strict=True)]
    order = [f"{a}, {b}" for a in ("rising", "falling") for b in _TERCILES]
    return [
        Split(
            "regime-volatility",
            "Volatility of the symbol at the entry",
            split(trades, volatility, (*_TERCILES, before)),
            f"Deviation of its candles' log returns over the {shown} before the entry; calm, normal and wild are the "
            "thirds of the values that it took in this run, which nobody knew then: a description, not a rule.",
        ),
        Split(
            "regime-trend",
            "Trend of the symbol at the entry",
            split(trades, trend, ("rising", "falling", before)),
            f"Sign of its return over the {shown} before the entry; not known yet while the run is younger than that.",
        ),
        Split("regime", "Trend and volatility together", split(trades, both, (*order, before))),
        *_hidden(report, opened),
    ]


def _hidden(report: Report, opened: Ints) -> list[Split]:
    """The split by the hidden state of the traded symbol on the last whole UTC day before the entry."""
    labels = np.full(len(opened), UNKNOWN, object)
    for symbol, candles in report.candles.items():
        own = np.flatnonzero((report.trades["symbol"] == symbol).to_numpy())
        days, last = np.unique(candles["ts"].dt.epoch("us").to_numpy()[::-1] // DAY_US, return_index=True)
        close = floats(candles["close"])[::-1][last]
        if not len(own) or len(days) < 3 or not (close > 0.0).all():
            continue
        states = two_states(np.diff(np.log(close)))
        if states is None:
            continue
        place = np.searchsorted(days, opened[own] // DAY_US) - 2  # of the returns, which begin on the second day
        named = np.where(states.wild > 0.5, "wild days", "calm days")
        labels[own] = np.where(place >= 0, named[np.maximum(place, 0)], UNKNOWN)
    if (labels == UNKNOWN).all():
        return []
    note = (
        "Two states of a hidden Markov model of each symbol's daily returns, on the last whole day before the entry. "
        "The model was fitted on all days of the run, those after the entry too: a description, not a rule."
    )
    title = "Hidden state of the symbol's market"
    return [Split("regime-hidden", title, split(report.trades, labels.tolist(), ("calm days", "wild days")), note)]


def _states(candles: pl.DataFrame, moments: Ints, length: int) -> tuple[Ints, Ints]:
    """Tercile of volatility (−1: not known) and sign of the trend (0: not known) at moments; of one symbol.

    A candle is known when the next one opens; the last one never.
    """
    known = candles["ts"].dt.epoch("us").to_numpy()[1:]
    close = floats(candles["close"])[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(np.where(close > 0.0, close, np.nan))
    returns = np.diff(log, prepend=np.nan)
    good = np.isfinite(returns)
    count, total, squares = (
        np.concatenate([[0.0], np.cumsum(np.where(good, part, 0.0))])
        for part in (np.ones(len(log)), returns, returns**2)
    )
    first = np.searchsorted(known, known - length, side="left")
    rows = np.arange(len(known))
    number = count[rows + 1] - count[first]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (total[rows + 1] - total[first]) / number
        variance = (squares[rows + 1] - squares[first]) / number - mean**2
    enough = (known - known[0] >= length) & (number >= 5)
    deviation = np.where(enough, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    moved = np.where(enough, log - log[np.maximum(np.searchsorted(known, known - length, side="right") - 1, 0)], np.nan)
    at = np.searchsorted(known, moments, side="right") - 1
    there = at >= 0
    value, trend = (np.where(there, column[np.maximum(at, 0)], np.nan) for column in (deviation, moved))
    edges = np.nanquantile(deviation, (1 / 3, 2 / 3)) if np.isfinite(deviation).any() else np.array([np.nan, np.nan])
    tercile = np.where(np.isfinite(value), np.searchsorted(edges, np.nan_to_num(value), side="left"), -1)
    return tercile.astype(np.int64), np.sign(np.nan_to_num(trend)).astype(np.int64)


# -- features ----------------------------------------------------------------------------------------------------------


def _by_feature(report: Report) -> list[Split]:
    """A split for each feature that was read, by its value when the entry was decided on, in fifths of the entries."""
    if report.entries is None or "entry_order" not in report.trades.columns:
        return []
    values = report.trades.select(order_id="entry_order").join(
        report.entries.unique("order_id"), on="order_id", how="left", maintain_order="left"
    )
    found = []
    for name in report.entries.columns:
        if name in ("order_id", "symbol", "decided"):
            continue
        labels, order = buckets(floats(values[name]))
        boxes = split(report.trades, labels, order)
        found.append(Split(f"feature-{name}", f"Feature {name} at the entry", boxes))
    return found


def buckets(values: Floats) -> tuple[list[str], list[str]]:
    """The label of each value, and all labels in order: by value where there are five at most, else by fifths."""
    known = values[np.isfinite(values)]
    distinct = np.unique(known)
    if len(distinct) <= 5:
        names = {value: f"{value:.6g}" for value in distinct.tolist()}
        return [names.get(value, UNKNOWN) for value in values.tolist()], [*names.values(), UNKNOWN]
    edges = np.unique(np.quantile(known, (0.2, 0.4, 0.6, 0.8)))
    ends = [f"{edge:.4g}" for edge in edges]
    order = [
        f"up to {ends[0]}",
        *(f"{a} to {b}" for a, b in pairwise(ends)),
        f"above {ends[-1]}",
    ]
    place = np.searchsorted(edges, np.nan_to_num(values), side="left")
    return [order[p] if np.isfinite(v) else UNKNOWN for p, v in zip(place, values, strict=True)], [*order, UNKNOWN]


# -- costs -------------------------------------------------------------------------------------------------------------


class Costs(NamedTuple):
    """From the result before costs to the net result. before: gross result with slippage taken out; carry: dividends,
    borrow fees and swaps. before − slippage − fees + funding + carry = net.
    """

    label: str
    before: float
    slippage: float
    fees: float
    funding: float
    carry: float
    net: float


def costs_by_symbol(report: Report) -> list[Costs]:
    """What each symbol's trades made before costs, and what the costs took, largest result first."""
    sums = report.trades.group_by("symbol", maintain_order=True).agg(
        pl.col("gross_pnl", "slippage", "fees", "funding", "carry", "net_pnl").sum()
    )
    found = [
        Costs(row["symbol"], row["gross_pnl"] + row["slippage"],
              *(row[name] for name in ("slippage", "fees", "funding", "carry", "net_pnl")))
        for row in sums.iter_rows(named=True)
    ]  # fmt: skip
    return sorted(found, key=lambda costs: -costs.net)


def costs_by_strategy(report: Report) -> list[Costs]:
    """The same of each of several strategies on one account, by the account's own books; none where there is one."""
    found = [
        Costs(told["name"], told["net"] + told["slippage"] + told["fees"] - told["funding"] - told["carry"],
              *(told[name] for name in ("slippage", "fees", "funding", "carry", "net")))
        for told in report.summary.get("strategies", ())
    ]  # fmt: skip
    return sorted(found, key=lambda costs: -costs.net)
