"""Candles on paper, with entries and exits."""

from typing import Any

import numpy as np
import polars as pl

from truewind.analytics import plots
from truewind.analytics.document import Candles
from truewind.analytics.pdf import fields, page
from truewind.analytics.pdf.flow import Flow, paragraph
from truewind.analytics.pdf.page import GAIN, INK, INNER, LEFT, LOSS, QUIET, SMALL, TITLE, Page

MAX_CANDLES = 240  # of a symbol: as many as can be told apart on this width
MAX_SYMBOLS = 6
MAX_TRADES = 120  # of a symbol: more would cover the prices, so that only the latest are shown
_FIELD = 120.0
HIGH = _FIELD + fields.BELOW + 30  # of one, with its title


def place(flow: Flow, block: Candles) -> None:
    """A field of candles for each symbol, with entries and exits."""
    drawn = [symbol for symbol, table in block.candles.items() if not table.is_empty()]
    for number, symbol in enumerate(drawn[:MAX_SYMBOLS]):
        trades = block.trades.filter(pl.col("symbol") == symbol) if len(block.trades) else block.trades
        title = f"{block.title}: {symbol}" if block.title else symbol
        if len(trades) > MAX_TRADES:
            title += f", the latest {MAX_TRADES} of {len(trades):,} trades"
        lines = page.wrapped(title, INNER, TITLE)
        high = len(lines) * TITLE.leading + _FIELD + fields.BELOW + 2
        top = flow.take(high, with_next=0.0 if number else 14.0)
        for line in lines:
            flow.page.text(LEFT, top + TITLE.size, line, TITLE)
            top += TITLE.leading
        _field(flow.page, block.candles[symbol], trades, top + 2)
        flow.y += 6
    told = []
    if drawn:
        told = ["▲ entry long, ▼ entry short, × exit (blue: it made money, orange: it lost)."]
    if len(drawn) > MAX_SYMBOLS:
        told.append(f"{len(drawn) - MAX_SYMBOLS} more symbols are not drawn here.")
    if not drawn:
        told.append("There are no candles to draw.")
    paragraph(flow, " ".join([*told, block.note]).strip(), SMALL)


def _field(sheet: Page, candles: pl.DataFrame, trades: pl.DataFrame, top: float) -> None:
    """Prices and trades; of very many trades the latest, and the prices of their time."""
    mine = trades
    if len(trades) > MAX_TRADES:
        mine = trades.sort("opened").tail(MAX_TRADES)
        before = candles["ts"].search_sorted(mine["opened"][0], side="right") - 1
        candles = candles[max(0, before) :]
    table = plots.thin_candles(candles, MAX_CANDLES)
    ts = table["ts"].dt.epoch("us").to_numpy()
    at = fields.days(ts)
    prices = {name: table[name].to_numpy().astype(np.float64) for name in ("open", "high", "low", "close")}
    axes = sheet.axes(LEFT, top, INNER, _FIELD)
    step = float(np.median(np.diff(at))) if len(at) > 1 else 1.0
    rose = prices["close"] >= prices["open"]
    bottom, height = np.minimum(prices["open"], prices["close"]), np.abs(prices["close"] - prices["open"])
    axes.vlines(at, prices["low"], prices["high"], color=QUIET, linewidth=0.45)
    for chosen, fill in ((rose, "white"), (~rose, QUIET)):  # hollow: it rose, as is the custom in print
        axes.bar(at[chosen], height[chosen], step * 0.7, bottom[chosen], color=fill, edgecolor=QUIET, linewidth=0.4)
    low, high = axes.get_ylim()
    size = 3.6 if len(mine) <= 150 else 2.2
    look: dict[str, Any]
    opened = fields.days(mine["opened"].dt.epoch("us").to_numpy())
    for side, marker in ((1, "^"), (-1, "v")):
        ours = (mine["side"] == side).to_numpy()
        look = {"color": INK, "marker": marker, "markersize": size, "markeredgewidth": 0}
        axes.plot(opened[ours], mine["entry"].to_numpy()[ours], linestyle="none", **look)
    for won, colour in ((True, GAIN), (False, LOSS)):
        ended = mine.filter(mine["closed"].is_not_null() & ((mine["net_pnl"] > 0) == won))
        closed = fields.days(ended["closed"].dt.epoch("us").to_numpy())
        look = {"color": colour, "marker": "x", "markersize": size, "markeredgewidth": 0.8}
        axes.plot(closed, ended["exit"].to_numpy(), linestyle="none", **look)
    axes.set_ylim(low, high)
    fields.left_axis(axes, "price", x=LEFT, wide=INNER, top=top, high=_FIELD)
    fields.time_axis(axes, np.array([ts[0], ts[-1]], np.int64))
