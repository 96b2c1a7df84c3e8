"""Quotes as a book of one level a side: what a run on the best prices goes over.

A quote says what is displayed at the best bid and ask. The level of the quote before is gone as soon as another price
is the best: what lies behind it is not known, and nothing fills there.
"""

import numpy as np
import polars as pl

from truewind.domain.book import BOOK_EVENT, BookKind
from truewind.domain.instrument import Instrument
from truewind.market.book.steps import in_lots, in_ticks


def quote_events(quotes: pl.DataFrame, trades: pl.DataFrame | None, instrument: Instrument) -> np.ndarray:
    """BOOK_EVENT rows of `quotes` and `trades` (kinds of the lake), by ts_event, at equal times trades first.

    A quantity of 0 means that there is nothing on that side. Raises ValidationError for prices off the ticks.
    """
    ts = quotes["ts"].to_physical().to_numpy()
    received = quotes["ts_recv"].to_physical().to_numpy() if "ts_recv" in quotes.columns else ts
    parts = []
    for side, name in ((1, "bid"), (-1, "ask")):
        ticks = in_ticks(instrument, quotes[name].to_numpy(), ts)
        lots, _ = in_lots(instrument, quotes[f"{name}_quantity"].to_numpy())
        before = np.concatenate([[0], ticks[:-1]])
        shown = np.concatenate([[0], lots[:-1]])
        left = np.flatnonzero((before != ticks) & (shown > 0))
        changed = np.flatnonzero((before != ticks) & (lots > 0) | (before == ticks) & (shown != lots))
        for rows, at, size, order in ((left, before, np.zeros_like(lots), 0), (changed, ticks, lots, 1)):
            part = np.zeros(len(rows), BOOK_EVENT)
            part["ts_event"], part["ts_recv"], part["kind"], part["side"] = (
                ts[rows],
                received[rows],
                BookKind.LEVEL,
                side,
            )
            part["ticks"], part["lots"] = at[rows], size[rows]
            parts.append((part, rows, np.full(len(rows), order)))
    events, message, orders = (np.concatenate(column) for column in zip(*parts, strict=True))
    events = events[by := np.lexsort((orders, message))]
    message = message[by]
    events["last"] = np.append(message[1:] != message[:-1], True)[: len(events)]
    if trades is None or trades.is_empty():
        return events
    more = np.zeros(trades.height, BOOK_EVENT)
    more["ts_event"] = trades["ts"].to_physical().to_numpy()
    told = "ts_recv" in trades.columns
    more["ts_recv"] = trades["ts_recv"].to_physical().to_numpy() if told else more["ts_event"]
    more["kind"], more["side"], more["last"] = BookKind.TRADE, trades["side"].to_numpy(), 1
    more["ticks"] = in_ticks(instrument, trades["price"].to_numpy(), more["ts_event"])
    more["lots"] = np.maximum(1, in_lots(instrument, trades["quantity"].to_numpy())[0])
    events = np.concatenate([more, events])
    return events[np.argsort(events["ts_event"], kind="stable")]
