"""Compiled lane

The EMA cross of the event lane, given as `decide`, in machine code, beside vectorbt with its Rust engine: from bars in
memory to indicators, orders, fills and the equity of every bar. A reference in plain Python checks both. Ours passes
each order through filters, risk gate and double-entry ledger and keeps the record of its life; vectorbt knows neither
margin nor funding nor orders that rest. With brackets (stop 2 %, target 3 %, both where the entry put them) the two do
not do the same work: vectorbt enters again on the bar after a stop, ours when the signal has changed.

What bounds it are the orders, one in 27 bars: a bar takes 2 ns, an order from its signal to the ledger about 330, with
all in the cache and no record kept. Of these a fifth each are gate and filters, matching, and margin; the ledger is a
twentieth. The rest of a run of a million bars is memory: averages, equity and records of 46 MB.
"""

import sys
from collections.abc import Iterator

import workload
from harness import Row, ask, main, row, run, size_name

REPEATS = 5


def rows(quick: bool) -> Iterator[Row]:
    n = 2_000 if quick else 1_000_000
    reference = workload.reference(workload.bars(n))
    for name, kind, same in (("EMA cross", [], reference.met_by), ("with brackets", ["bracketed"], None)):
        ours = run(sys.executable, "ours_compiled.py", n, REPEATS, *kind)
        peers = {"vectorbt": ask("vectorbt", "peers/vectorbt_ema.py", n, 1 if quick else 3, *kind)}
        yield row(f"compiled lane, {name} {size_name(n)}", "bars", ours, peers, same)


if __name__ == "__main__":
    main(rows, __doc__)
