"""Event lane

An EMA 10/30 cross, always in the market with one unit, over synthetic one-minute bars. Ours calls a plain Python
`on_bar` on every bar with a fresh bar of all fields, and that callback keeps both averages in Python. Inside our
watch: laying out the timeline, risk gate, fees, fills, per-bar equity, ledger, and a journal written and synced to
disk. Outside every watch: making and loading the data, imports and first-use compilation. Memory is the peak of the
whole process with its input data.

With declared fields the strategy says that it reads the close only, and its bars have nothing else; its averages are
still Python's. What bounds it is Python: of a bar's 300 ns its `on_bar` takes four tenths, the bar as an object a
tenth; the rest is the loop around them and one order in 27 bars, from Python through gate and venue to the journal.

Skipping bars is a row of its own, too: there the averages are a compiled feature, computed inside our watch, and Python
is called only where they cross. The peers' figures are those of the first row.

Same work means: the same number of signed target changes, the same final position and, to a millionth, the same final
money as a plain Python reference that shares no code with any engine. backtesting.py and NautilusTrader close and
open (two orders a flip), backtrader and truewind send one reversing order. Peers run in the way that is fastest for
them: backtesting.py gets its averages precomputed, NautilusTrader uses its own compiled ones, without logging,
journal or closing statistics. At sizes where a peer is not shown it would take minutes.

Not beside us here: vectorbt, which calls no code on a bar (it stands beside the compiled lane), and freqtrade,
whose backtest of a spot market cannot be short and so does other work.
"""

import sys
from collections.abc import Iterator

import workload
from harness import Row, ask, main, row, run, size_name

# What each peer runs at each size, and how often: a million bars take NautilusTrader more than a minute.
PEERS: dict[int, dict[str, int]] = {
    100_000: {"backtesting": 3, "nautilus_trader": 3, "backtrader": 3},
    1_000_000: {"backtesting": 3, "nautilus_trader": 1},
    5_000_000: {"backtesting": 1},
}
QUICK: dict[int, dict[str, int]] = {2_000: {"backtesting": 1, "nautilus_trader": 1, "backtrader": 1}}
REPEATS = 5


def rows(quick: bool) -> Iterator[Row]:
    for n, repeats in (QUICK if quick else PEERS).items():
        reference = workload.reference(workload.bars(n))
        ours = run(sys.executable, "ours_ema.py", n, REPEATS)
        peers = {peer: ask(peer, f"peers/{peer}_ema.py", n, times) for peer, times in repeats.items()}
        yield row(f"event lane {size_name(n)}", "bars", ours, peers, reference.met_by)
        declared = run(sys.executable, "ours_ema.py", n, REPEATS, "declared")
        yield row(f"event lane with declared fields {size_name(n)}", "bars", declared, peers, reference.met_by)
        sleeping = run(sys.executable, "ours_ema.py", n, REPEATS, "sleeping")
        yield row(f"skipping bars by a compiled condition {size_name(n)}", "bars", sleeping, peers, reference.met_by)


if __name__ == "__main__":
    main(rows, __doc__)
