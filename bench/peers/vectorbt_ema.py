"""EMA cross in vectorbt, its Rust engine. usage: vectorbt_ema.py BARS REPEATS [bracketed]

Indicators, signals, simulation and total return; on an index without a time zone, with one it is far slower.
"""

import sys
import time

import pandas as pd
import vectorbt as vbt

import workload as w


def main(n: int, repeats: int, bracketed: bool) -> None:
    table = w.bars(n)
    index = pd.to_datetime(table["ts"], unit="us")
    named = {name: pd.Series(table[name], index=index) for name in ("open", "high", "low", "close")}
    close = named["close"]
    how = (
        {"sl_stop": 0.02, "tp_stop": 0.03, **{name: named[name] for name in ("open", "high", "low")}}
        if bracketed
        else {}
    )

    def simulate(count: int):
        part = close.iloc[:count]
        given = {key: value.iloc[:count] if isinstance(value, pd.Series) else value for key, value in how.items()}
        fast = vbt.MA.run(part, w.FAST, ewm=True, short_name="fast").ma.to_numpy()
        slow = vbt.MA.run(part, w.SLOW, ewm=True, short_name="slow").ma.to_numpy()
        long = fast >= slow
        long[: w.SLOW - 1] = False
        short = ~long
        short[: w.SLOW - 1] = False
        made = vbt.Portfolio.from_signals(
            part,
            entries=long,
            short_entries=short,
            init_cash=w.CASH,
            fees=w.FEE,
            size=1.0,
            freq="1min",
            engine="rust",
            **given,
        )
        return made, made.total_return()

    def run():
        start = time.perf_counter()
        made, total = simulate(n)
        return time.perf_counter() - start, (made, total)

    simulate(2_000)
    seconds, (made, total), rss = w.measure(run, repeats)
    orders = made.orders.records
    changes, position = w.changes_of_target((orders["size"] * (1 - 2 * orders["side"])).tolist())
    w.tell(n, vbt.__version__, seconds, rss_mb=rss, orders=len(orders), changes=changes, position=position,
           equity=w.CASH * (1.0 + float(total)))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["bracketed"])
