"""hftbacktest on the order-book work. usage: hftbacktest_book.py {feed|maker} LEVELS REPEATS

Depth as a vector over the range of prices, its fastest; the watch covers the loop alone, not building the backtest.
"""

import sys
import time
from importlib.metadata import version

import hftbacktest as h
import numpy as np
from numba import njit

import book_workload as b
import workload as w

EVERY_NS, UNIT, MOST, AWAY = b.EVERY_US * 1000, b.UNIT * b.LOT, b.MOST * b.LOT, b.AWAY
TICK, BUY, GTX, LIMIT = b.TICK, h.BUY, h.GTX, h.LIMIT


@njit
def feed(hbt):
    while hbt.elapse(EVERY_NS) == 0:
        pass
    return 0


@njit
def maker(hbt):
    sent = 0
    while hbt.elapse(EVERY_NS) == 0:
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        middle = (depth.best_bid_tick + depth.best_ask_tick) // 2
        bid, ask = middle - AWAY, middle + AWAY
        has_bid = has_ask = False
        values = hbt.orders(0).values()
        while values.has_next():
            order = values.get()
            if order.price_tick == (bid if order.side == BUY else ask):
                has_bid, has_ask = has_bid or order.side == BUY, has_ask or order.side != BUY
            elif order.cancellable:
                hbt.cancel(0, order.order_id, False)
        held = hbt.position(0)
        if not has_bid and held < MOST - 1e-9:
            sent += 1
            hbt.submit_buy_order(0, sent, bid * TICK, UNIT, GTX, LIMIT, False)
        if not has_ask and held > -MOST + 1e-9:
            sent += 1
            hbt.submit_sell_order(0, sent, ask * TICK, UNIT, GTX, LIMIT, False)
    return sent


def table(levels):
    columns = b.market(levels)
    events = np.zeros(len(columns["ts_us"]), h.event_dtype)
    kind = np.where(columns["is_trade"], h.TRADE_EVENT, h.DEPTH_EVENT).astype(np.uint64)
    side = np.where(columns["side"] > 0, h.BUY_EVENT, h.SELL_EVENT).astype(np.uint64)
    events["ev"] = kind | side | np.uint64(h.EXCH_EVENT) | np.uint64(h.LOCAL_EVENT)
    events["exch_ts"] = columns["ts_us"] * 1000
    events["local_ts"] = events["exch_ts"] + b.FEED_US * 1000
    events["px"] = np.round(columns["ticks"] * b.TICK, 1)
    events["qty"] = np.round(columns["lots"] * b.LOT, 3)
    return events


def backtest(events):
    asset = h.BacktestAsset().data(events).linear_asset(1.0).tick_size(b.TICK).lot_size(b.LOT)
    asset.constant_order_latency(b.LATENCY_US * 1000, b.LATENCY_US * 1000).risk_adverse_queue_model()
    asset.no_partial_fill_exchange().trading_value_fee_model(b.MAKER, b.TAKER).last_trades_capacity(0)
    return h.ROIVectorMarketDepthBacktest([asset.roi_lb(20_000.0).roi_ub(40_000.0)])


def main(work, levels, repeats):
    loop = {"feed": feed, "maker": maker}[work]
    events = table(levels)
    first = backtest(events[:1000])
    loop(first)
    first.close()

    def run():
        hbt = backtest(events)
        start = time.perf_counter()
        sent = loop(hbt)
        seconds = time.perf_counter() - start
        values = hbt.state_values(0)
        found = {"orders": int(sent), "changes": int(values.num_trades), "position": round(values.position / b.LOT)}
        hbt.close()
        return seconds, found

    seconds, found, rss = w.measure(run, repeats)
    w.tell(len(events), version("hftbacktest"), seconds, rss_mb=rss, **found)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
