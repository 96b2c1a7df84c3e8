"""Writes docs/stop-hunt.md and its three pictures: the stop hunt on recorded Bitcoin, level by level. Run it with the
recordings in TRUEWIND_SHARED (or ../shared).

Swings are looked for here once more, by their definition and without the features that the strategy reads, so that a
picture shows what the market did and not what the features say. Every level begins in the bar that confirms it.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

import truewind
from truewind import features
from truewind.backtest.reads import fields_of, named
from truewind.backtest.settings import load_config
from truewind.market.importing import import_files
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.strategies.crypto.stop_hunt import StopHunt, in_hours

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("TRUEWIND_SHARED") or HERE.parent.parent / "shared") / "market-data"
CONFIG = HERE.parent / "configs/strategies/stop-hunt.yaml"
FILTERS = ("sweeps", "in hours", "not wild", "far stop", "reward")


class Market(NamedTuple):
    """A set of recorded bars. files: below market-data. changes: of the shipped config."""

    title: str
    files: tuple[str, ...]
    changes: tuple[str, ...]


_WHOLE = ("risk.max_drawdown=0",)  # so that a bad beginning does not end the count
_SPOT = (*_WHOLE, "data.venue=binance", "account.leverage=1", "risk.max_position=0.95", "risk.max_exposure=1")
MARKETS = (
    Market(
        "perpetual, 5 minutes",
        ("market-swarm/BTC_USDT_USDT-5m-futures.feather", "market-swarm/BTC_USDT_USDT-8h-funding_rate.feather"),
        _WHOLE,
    ),
    Market("perpetual, 1 minute", ("market-swarm/BTC_USDT_USDT-1m-futures.feather",), (*_WHOLE, "data.timeframe=1m")),
    Market("spot, 5 minutes", ("genetrader/BTC_USDT-5m.feather",), (*_SPOT, "data.timeframe=5m")),
    Market("spot, 15 minutes", ("genetrader/BTC_USDT-15m.feather",), (*_SPOT, "data.timeframe=15m")),
    Market(
        "perpetual, 1 hour",
        ("gravestone/usdm_klines_1h.zip", "gravestone/usdm_funding.zip"),
        (*_WHOLE, "data.timeframe=1h", "data.start=2025-09-01", "data.end=2026-04-01"),
    ),
)


class Found(NamedTuple):
    """A market with all that was seen and done in it. rows: bars with features. passed: sweeps left after each
    filter; refused: rows of those that only the reward kept out.
    """

    market: Market
    result: truewind.Result
    rows: pl.DataFrame
    passed: list[int]
    refused: list[int]


def main() -> int:
    if not SHARED.is_dir():
        print(f"No recorded market data at {SHARED.name}: docs/stop-hunt.md stays as it is", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "data")
        found = []
        for market in MARKETS:
            print(f"{market.title} …", file=sys.stderr, flush=True)
            venue = load_config(CONFIG, market.changes).data.venue
            import_files(lake, [SHARED / name for name in market.files], venue=venue)
            found.append(hunted(lake, market, Path(folder) / "runs"))
        cases = list(pictures(found[0]))
        for number, (_, text) in enumerate(cases, 1):
            (HERE / f"stop-hunt-{number}.svg").write_text(text, encoding="utf-8")
        (HERE / "stop-hunt.md").write_text(page(found, [caption for caption, _ in cases]), encoding="utf-8")
    return 0


def hunted(lake: Lake, market: Market, runs: Path) -> Found:
    """The strategy run on a market, and its sweeps put to the filters one after the other."""
    settings = load_config(CONFIG, market.changes)
    result = truewind.run(CONFIG, overrides=market.changes, lake=lake, runs=runs, database="off")
    data, strategy = settings.data, StopHunt()
    start, end = data.span_us()
    key = SeriesKey("bars", data.venue, data.symbols[0], data.timeframe)
    bars = lake.read(key, start_us=start, end_us=end, columns=["ts", "open", "high", "low", "close", "volume"])
    arrays = {name: bars[name].to_physical().to_numpy() for name in bars.columns}
    reads = named(strategy.features())
    made = features.columns(list(reads.values()), arrays, timeframe=data.timeframe)
    rows = bars.with_columns(pl.Series(field, made[column]) for field, column in fields_of(reads).items())
    passed, refused = [0] * len(FILTERS), []
    for index, row in enumerate(rows.iter_rows()):
        bar = NAMED(rows, row)
        depth = filters_passed(bar, strategy)
        for place in range(depth):
            passed[place] += 1
        if depth == len(FILTERS) - 1:
            refused.append(index)
    return Found(market, result, rows, passed, refused)


class NAMED:
    """A row whose fields are read by name."""

    def __init__(self, table: pl.DataFrame, row: tuple[Any, ...]) -> None:
        self.__dict__ = dict(zip(table.columns, row, strict=True))


def filters_passed(bar: Any, strategy: StopHunt) -> int:
    """How many of FILTERS a bar passes, in their order."""
    params = strategy.values
    if abs(bar.sweep_event) != 1.0 or not bar.range > 0.0:
        return 0
    side, risk, near = risked(bar, params)
    tests = (
        in_hours(bar, params),
        bar.regime <= params.regime,
        risk >= params.least_stop * bar.close,
        (near - bar.close) * side >= params.reward * risk,
    )
    return 1 + next((i for i, passes in enumerate(tests) if not passes), len(tests))


def risked(bar: Any, params: Any) -> tuple[int, float, float]:
    """Of a bar that reclaims: the side to trade, the distance of the stop, and the nearest open swing opposite."""
    side = 1 if bar.sweep_event > 0.0 else -1
    stop = bar.sweep_extreme - side * params.buffer * bar.range
    return side, (bar.close - stop) * side, bar.open_high_1 if side > 0 else bar.open_low_1


# -- pictures ----------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 1000, 480, 34, 46, 8, 190
ORANGE, BLUE, GREEN, PURPLE, RED = "#e69f00", "#0072b2", "#009e73", "#cc79a7", "#d55e00"  # Okabe and Ito, 2008


class Level(NamedTuple):
    """A swing. bar: where it stood; known: the row that confirmed it; ends: the one that passed it, or the last."""

    price: float
    bar: int
    known: int
    ends: int


def swings(prices: np.ndarray, left: int, right: int) -> list[Level]:
    """Swing highs of `prices` by their definition; those of lows are the swing highs of the negative prices."""
    found = []
    for bar in range(left, len(prices) - right):
        price = prices[bar]
        if price > prices[bar - left : bar].max() and price >= prices[bar + 1 : bar + right + 1].max():
            beyond = np.flatnonzero(prices[bar + 1 :] > price)
            found.append(Level(price, bar, bar + right, bar + 1 + int(beyond[0]) if len(beyond) else len(prices) - 1))
    return found


def pictures(found: Found) -> Iterator[tuple[str, str]]:
    """(caption, drawing) of the best trade, of the worst, and of the first sweep that only the reward kept out."""
    rows = found.rows
    times, trades = rows["ts"].to_physical().to_numpy(), found.result.trades
    best, worst = int(trades["r_multiple"].arg_max()), int(trades["r_multiple"].arg_min())
    for title, trade in (("The best trade", best), ("The worst trade", worst)):
        told = trades.row(trade, named=True)
        # What fills inside a bar is stamped with its end, which is when the next one opens.
        entry, exit_ = (int(np.searchsorted(times, told[name].timestamp() * 1e6)) - 1 for name in ("opened", "closed"))
        yield (
            f"**{title}**, {told['r_multiple']:+.2f} R after costs. {story(found, entry - 1, (exit_, told))}",
            drawn(found, entry - 1, title, (entry, exit_, told)),
        )
    refused = found.refused[0]
    yield (
        f"**A sweep that was refused.** {story(found, refused, None)}",
        drawn(found, refused, "Refused: the reward is too small", None),
    )


def story(found: Found, at: int, trade: tuple[int, dict[str, Any]] | None) -> str:
    """What happened at a reclaim, from the tables."""
    bar = NAMED(found.rows, found.rows.row(at))
    side, risk, near = risked(bar, StopHunt().values)
    swept = swept_level(found, at)
    when, long = found.rows["ts"], side > 0
    text = (
        f"The swing {'low' if long else 'high'} of {when[swept.bar]:%d %B %H:%M} at {swept.price:,.1f}, known from the "
        f"bar of {when[swept.known]:%d %B %H:%M} on, is run to {bar.sweep_extreme:,.1f} and reclaimed by the bar of "
        f"{when[at]:%d %B %H:%M}, which closes at {bar.close:,.1f}. "
    )
    if trade is None:
        reward = abs(near - bar.close)
        return text + (
            f"The stop would be {risk:,.1f} away, the nearest open swing {'high' if long else 'low'}, at {near:,.1f}, "
            f"only {reward:,.1f}: {reward / risk:.1f} risks, where two are asked for."
        )
    row, told = trade
    how = "by its time" if told["exit_tag"] == 0 else "at its stop" if told["r_multiple"] < 0.0 else "at its targets"
    risked_money = abs(told["net_pnl"] / told["r_multiple"])
    return text + (
        f"{'Bought' if long else 'Sold'} at {told['entry']:,.1f} on the next bar with the stop {risk:,.1f} from the "
        f"reclaim's close; out at {told['exit']:,.1f} in the bar of {when[row]:%d %B %H:%M}, "
        f"{how}. {told['fees'] + told['slippage']:,.2f} of fees and spread on {risked_money:,.2f} "
        "USDT at risk."
    )


def swept_level(found: Found, at: int) -> Level:
    """The swing that was swept before row `at`: the one whose price the feature names, found by definition."""
    bar, params = NAMED(found.rows, found.rows.row(at)), StopHunt().values
    sign = -1.0 if bar.sweep_event > 0.0 else 1.0
    side = sign * found.rows["low" if sign < 0.0 else "high"].to_numpy()
    known = [level for level in swings(side, params.left, params.right) if level.known < at]
    level = next(each for each in reversed(known) if sign * each.price == bar.sweep_level)
    return level._replace(price=sign * level.price)


class Frame(NamedTuple):
    """Where rows and prices lie in a drawing of the rows `first` … `last`."""

    first: int
    last: int
    low: float
    high: float

    def x(self, row: float) -> float:
        return LEFT + (row - self.first + 0.5) * (WIDTH - LEFT - RIGHT) / (self.last - self.first + 1)

    def y(self, price: float) -> float:
        return TOP + (self.high - price) * (HEIGHT - TOP - BOTTOM) / (self.high - self.low)


def drawn(found: Found, at: int, title: str, trade: tuple[int, int, dict[str, Any]] | None) -> str:
    """The chart around the reclaim of row `at`."""
    rows, params = found.rows, StopHunt().values
    bar, swept = NAMED(rows, rows.row(at)), swept_level(found, at)
    side, risk, near = risked(bar, params)
    first = max(0, swept.bar - 12, at - 170)
    last = min(len(rows) - 1, (trade[1] if trade else at + 36) + 10)
    part = rows.slice(first, last - first + 1)
    stop = bar.close - side * risk
    inside = [float(part["low"].min()), float(part["high"].max()), stop, near]
    margin = 0.03 * (max(inside) - min(inside))
    frame = Frame(first, last, min(inside) - margin, max(inside) + margin)
    marks: list[tuple[float, str, str]] = []  # price, text, colour, for the margin
    opposite = "high" if side > 0 else "low"
    targets = [getattr(bar, f"open_{opposite}_{place}") for place in (1, 2, 3)]
    parts = [*candles(part, frame), *hours(part, frame)]
    parts.insert(0, band(frame, at, ORANGE))
    parts += level_line(frame, swept, at, ORANGE, "swept")
    marks.append((swept.price, f"swept {'low' if side > 0 else 'high'} {swept.price:,.1f}", ORANGE))
    for sign, name in ((1.0, "high"), (-1.0, "low")):
        for level in swings(sign * rows[name].to_numpy(), params.left, params.right):
            price = sign * level.price
            if level.known > at or level.ends <= at or not frame.low < price < frame.high:
                continue
            parts += level_line(frame, level._replace(price=price), min(level.ends, last), BLUE, name)
            aim = f", target {targets.index(price) + 1}" if trade and price in targets else ""
            marks.append((price, f"open {name} {price:,.1f}{aim}", BLUE))
    wick = next(r for r in range(at, -1, -1) if rows["low" if side > 0 else "high"][r] == bar.sweep_extreme)
    parts.append(
        f'<circle cx="{frame.x(wick):.1f}" cy="{frame.y(bar.sweep_extreme):.1f}" r="6" fill="none" stroke="{RED}" '
        'stroke-width="2"/>'
    )
    marks.append((bar.sweep_extreme, f"sweep to {bar.sweep_extreme:,.1f}", RED))
    end = trade[1] if trade else last
    begin = trade[0] if trade else at
    parts.append(dashed(frame, begin, end, stop, PURPLE))
    marks.append((stop, f"stop {stop:,.1f}" if trade else f"stop would be {stop:,.1f}", PURPLE))
    if trade:
        entry, exit_, told = trade
        parts += [arrow(frame, entry, told["entry"], side), cross(frame, exit_, told["exit"])]
        marks += [
            (told["entry"], f"entry {told['entry']:,.1f}", GREEN),
            (told["exit"], f"exit {told['exit']:,.1f}", "#000"),
        ]
    beyond = [f"{price:,.1f}" for price in targets if not frame.low < price < frame.high and price == price]
    note = f"; outside of the chart: open {opposite}s at {', '.join(beyond)}" if beyond else ""
    heading = f"{title}: BTCUSDT perpetual, 5 minutes, {rows['ts'][at]:%d %B %Y}{note}"
    return picture(heading, parts, labels(frame, marks), axis(part, frame))


def candles(part: pl.DataFrame, frame: Frame) -> Iterator[str]:
    """Hollow where the close is above the open, filled where it is below."""
    width = max(1.0, 0.64 * (frame.x(1) - frame.x(0)))
    for place, (opened, high, low, close) in enumerate(part.select("open", "high", "low", "close").iter_rows()):
        x, top, bottom = frame.x(frame.first + place), frame.y(max(opened, close)), frame.y(min(opened, close))
        wicks = f"M{x:.1f} {frame.y(high):.1f}V{top:.1f}M{x:.1f} {bottom:.1f}V{frame.y(low):.1f}"
        yield f'<path d="{wicks}" stroke="#555"/>'
        fill = "#fff" if close >= opened else "#555"
        yield (
            f'<rect x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{max(0.8, bottom - top):.1f}" '
            f'fill="{fill}" stroke="#555" stroke-width="0.8"/>'
        )


def hours(part: pl.DataFrame, frame: Frame) -> Iterator[str]:
    """A strip for each city's working hours."""
    for place, (field, name) in enumerate((("hours_europe", "London"), ("hours_us", "New York"))):
        y = HEIGHT - BOTTOM + 3 + 11 * place
        at_work = np.flatnonzero(part[field].to_numpy() == 1.0)
        for run in np.split(at_work, np.flatnonzero(np.diff(at_work) > 1) + 1) if len(at_work) else []:
            x, end = frame.x(frame.first + run[0] - 0.5), frame.x(frame.first + run[-1] + 0.5)
            yield f'<rect x="{x:.1f}" y="{y}" width="{end - x:.1f}" height="10" fill="#56b4e9" opacity="0.45"/>'
            yield words(x + 3, y + 8, 8.5, name)


def level_line(frame: Frame, level: Level, until: int, colour: str, name: str) -> list[str]:
    """A line from the bar that confirmed the swing, and a mark at the swing itself where it lies in the chart."""
    y = frame.y(level.price)
    width = 2.0 if name == "swept" else 1.2
    x = frame.x(max(level.known, frame.first))
    parts = [f'<path d="M{x:.1f} {y:.1f}H{frame.x(until):.1f}" stroke="{colour}" stroke-width="{width}"/>']
    if level.known >= frame.first:
        parts.append(f'<path d="M{x:.1f} {y - 4:.1f}v8" stroke="{colour}" stroke-width="{width}"/>')
    if level.bar >= frame.first:
        parts.append(f'<circle cx="{frame.x(level.bar):.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>')
    return parts


def band(frame: Frame, row: int, colour: str) -> str:
    """The reclaim's bar from top to bottom."""
    x, end = frame.x(row - 0.5), frame.x(row + 0.5)
    height = HEIGHT - TOP - BOTTOM
    return f'<rect x="{x:.1f}" y="{TOP}" width="{end - x:.1f}" height="{height}" fill="{colour}" opacity="0.3"/>'


def dashed(frame: Frame, begin: int, end: int, price: float, colour: str) -> str:
    path = f"M{frame.x(begin):.1f} {frame.y(price):.1f}H{frame.x(end):.1f}"
    return f'<path d="{path}" stroke="{colour}" stroke-width="2" stroke-dasharray="5 3"/>'


def arrow(frame: Frame, row: int, price: float, side: int) -> str:
    """An arrow head whose point is at the price."""
    x, y, away = frame.x(row), frame.y(price), 12 * side
    return f'<path d="M{x:.1f} {y:.1f}l-6 {away}h12z" fill="{GREEN}" stroke="#fff" stroke-width="0.8"/>'


def cross(frame: Frame, row: int, price: float) -> str:
    x, y = frame.x(row), frame.y(price)
    return f'<path d="M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10" stroke="#000" stroke-width="2.2"/>'


def labels(frame: Frame, marks: list[tuple[float, str, str]]) -> Iterator[str]:
    """The prices in the right margin, pushed apart where they would overlap, each with a line to its height."""
    placed = -1e9
    for price, text, colour in sorted(set(marks), reverse=True):
        placed = max(frame.y(price), placed + 13)
        x = WIDTH - RIGHT
        yield f'<path d="M{x} {frame.y(price):.1f}L{x + 12} {placed:.1f}" stroke="{colour}" stroke-width="2.4"/>'
        yield words(x + 16, placed + 4, 11.5, text)


def axis(part: pl.DataFrame, frame: Frame) -> Iterator[str]:
    """Times below, a line every two hours."""
    for place, at in enumerate(part["ts"]):
        if at.minute == 0 and at.hour % 2 == 0:
            x = frame.x(frame.first + place)
            yield f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#000" opacity="0.08"/>'
            said = f"{at:%d %b}" if at.hour == 0 else f"{at:%H:%M}"
            yield words(x - 14, HEIGHT - 8, 10, said)


def words(x: float, y: float, size: float, text: str, colour: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}">{text}</text>'


def picture(heading: str, *groups: Any) -> str:
    body = "\n".join(line for group in groups for line in group)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'fill="none">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{words(LEFT, 20, 14, heading)}\n{body}\n</svg>\n'
    )


# -- the page ----------------------------------------------------------------------------------------------------------


INTRO = """# The stop hunt on recorded Bitcoin

*Written by `python docs/make_stop_hunt.py` from runs on recorded bars; do not edit by hand.*

[The strategy](../src/truewind/strategies/crypto/stop_hunt.py) waits for the stops beyond a confirmed swing to be run,
and for a close back inside. It then trades away from the sweep, with the stop beyond the wick and the open swings on
the other side as targets. All parameters are those of its source or round numbers; none was fitted to the data here.

**How to read the pictures.** A dot is a swing, a tick is the bar that confirmed it, and only from there on it has a
line: before, nobody could know it. Orange is the swing that was swept; blue are the swings that were open when it was
reclaimed, until a bar trades beyond them. The circle is the end of the sweep, the shaded bar the reclaim, at whose
close the decision falls. The arrow is the entry, the dashed line the stop, the cross the exit; below are the hours in
which London and New York work. The swings are drawn from their definition, not from the features that the strategy
reads, and the level that the feature says was swept is looked up among them.

"""

AFTER = """
## What came of it

One config ([stop-hunt.yaml](../configs/strategies/stop-hunt.yaml)), the same parameters on five sets of bars, half a
percent of equity at risk with the costs of the stop, the venue's fees, half a basis point of half spread, impact,
latency, funding where it was recorded. Spot cannot be sold short, so only swept lows are traded there. The risk
manager's drawdown limit of 20 % is switched off here, so that every trade counts; with it both runs on spot end early,
near their 20 %.

"""

FUNNEL = """
**What the filters leave.** Sweeps that were reclaimed, and how many of them are left after each filter: London's or New
York's hours, volatility not in its highest quarter, the stop at least 0.2 % away, the nearest open swing at least two
risks away. Fewer are traded: a sweep may come while another trade is open or in the hour after one (the risk rule
`cooldown`), and on spot half of them would have to be sold short.

"""


def page(found: list[Found], captions: list[str]) -> str:
    """docs/stop-hunt.md."""
    lines = [INTRO]
    for number, caption in enumerate(captions, 1):
        lines.append(f"![{caption.split('**')[1]}](stop-hunt-{number}.svg)\n\n{caption}\n\n")
    lines += [AFTER, *results(found), FUNNEL, *funnel(found), verdict(found)]
    return "".join(lines)


def results(found: list[Found]) -> Iterator[str]:
    yield "| bars | from – to | trades | won | average R before costs | average R | net | costs |\n"
    yield "|---|---|---|---|---|---|---|---|\n"
    for each in found:
        summary, ts = each.result.summary, each.rows["ts"]
        before, after = multiples(each)
        yield (
            f"| {each.market.title} | {ts[0]:%Y-%m-%d} – {ts[-1]:%Y-%m-%d} | {len(after)} "
            f"| {(after > 0).mean():.0%} | {mean(before)} | {mean(after)} | {signed(summary['net_return'] * 100)} % "
            f"| {(summary['fees'] + summary['slippage']) / 100:.1f} % |\n"
        )


def funnel(found: list[Found]) -> Iterator[str]:
    yield f"| bars | {' | '.join(FILTERS)} | traded |\n|---|{'---|' * (len(FILTERS) + 1)}\n"
    for each in found:
        counts = " | ".join(f"{count:,}" for count in each.passed)
        yield f"| {each.market.title} | {counts} | {each.result.summary['trades']} |\n"


def multiples(found: Found) -> tuple[np.ndarray, np.ndarray]:
    """R of each closed trade before fees, spread and funding, and after."""
    trades = found.result.trades.filter(~pl.col("open"))
    risk = pl.col("net_pnl") / pl.col("r_multiple")
    made = trades.select(before=(pl.col("gross_pnl") + pl.col("slippage")) / risk, after="r_multiple")
    return made["before"].to_numpy(), made["after"].to_numpy()


def mean(values: np.ndarray) -> str:
    """Mean and standard error."""
    return f"{signed(values.mean())} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def verdict(found: list[Found]) -> str:
    both = [multiples(each) for each in found]
    before, after = (np.concatenate(each) for each in zip(*both, strict=True))
    tags = np.concatenate([each.result.trades.filter(~pl.col("open"))["entry_tag"].to_numpy() for each in found])
    equal = after[tags >= 3]
    return (
        f"\n**All together** {len(after)} trades, some of them of the same days on bars of other lengths: "
        f"{mean(before)} R a trade before costs and {mean(after)} after them; the {len(equal)} whose sweep took more "
        f"than one swing made {mean(equal)}. "
    ) + JUDGEMENT


JUDGEMENT = """Plus and minus are one standard error.

**Judgement.** Nothing here says that the stop hunt earns money on Bitcoin, and on spot in 2024 it clearly lost. What
the pictures show is a pattern that is easy to see afterwards: the circle at the end of a sweep looks the same before a
reversal (the first picture) and before the next leg of a fall (the second). A stop beyond the wick is itself where
stops gather: in the first picture it lies four dollars below the next open low. Three of four trades end at their
stop, and the winners, most of which end by their time and not at a target, do not pay for them even without costs.
Costs do the rest: a stop beyond the wick of a five-minute bar is a few tenths of a percent away, and fees and spread
of a round trip take a third of that on the perpetual and two thirds on spot. The refused sweep of the third picture is
as ambiguous as they come: both open highs were taken by the very next bar, and an hour later the stop would have been.

The shape of the trade is sound in one respect only: losses are cut at about one risk, and a few trades make five to
ten. Whether that tail is worth its price cannot be told from eight months.
"""


if __name__ == "__main__":
    sys.exit(main())
