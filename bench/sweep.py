"""Sweep

The EMA cross with many pairs of lengths over one-minute bars, on all cores: bars tried per second, all trials together.
Ours reads the lake, computes each average once, runs every trial with full costs, risk gate and ledger, and writes
table and picture; vectorbt, with its Rust engine, goes from a series in memory to the total returns. The mean final
equity of all trials must agree to a millionth. Ten thousand pairs would take vectorbt more memory than the machine has.

What bounds it: a trial takes 3 ns a bar and about 330 an order, of which the pairs of the first row have one in 29
bars, those of the second one in 108; its figures take another 1.2 ns a bar, and Python, one thread at a time, 0.1 to
0.2 ms. Of the processor time of a hundred pairs two thirds are trials; the rest is spent once: reading, twenty
averages, the table, the ledger of trials and the picture.
"""

import sys
from collections.abc import Iterator

from harness import Row, ask, main, row, run, size_name


def rows(quick: bool) -> Iterator[Row]:
    n = 3_000 if quick else 100_000
    given = (n, "5:15", "20:70:5", 3)
    ours = run(sys.executable, "ours_sweep.py", *given)
    peer = ask("vectorbt", "peers/vectorbt_sweep.py", *given)
    agreed = peer if isinstance(peer, dict) else ours

    def same(answer):
        return abs(answer["equity"] - agreed["equity"]) <= 1e-6 * agreed["equity"]

    yield row(f"100 pairs × {size_name(n)} bars", "bars", ours, {"vectorbt": peer}, same)
    most = "102:112" if quick else "102:202"
    ours = run(sys.executable, "ours_sweep.py", n, "2:12" if quick else "2:102", most, 1)
    yield row(f"{100 if quick else 10_000:,} pairs × {size_name(n)} bars", "bars", ours, {})


if __name__ == "__main__":
    main(rows, __doc__)
