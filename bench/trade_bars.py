"""Bars from trades

Twenty million trades, 50 ms apart on average, as a table in memory, to one-second bars with open, high, low, close,
volume, worth, number of trades and what buyers took, as a table again. polars groups its own table by
`group_by_dynamic` (which knows that it is sorted), DuckDB its own in-memory table; both use all cores, as ours does.
Same work means as many bars, and sums of every column that agree to a part in 10⁹.
"""

import math
import sys
from collections.abc import Iterator

from harness import Row, ask, main, row, run, size_name

TRADES, REPEATS = 20_000_000, 7


def rows(quick: bool) -> Iterator[Row]:
    n, repeats = (2_000, 1) if quick else (TRADES, REPEATS)
    ours = run(sys.executable, "ours_trade_bars.py", n, repeats)
    peers = {name: ask(name, f"peers/{name}_trade_bars.py", n, repeats) for name in ("polars", "duckdb")}

    def same(answer) -> bool:
        pairs = zip(answer["sums"], ours["sums"], strict=True)
        return all(math.isclose(found, wanted, rel_tol=1e-9) for found, wanted in pairs)

    yield row(f"{size_name(n)} trades to 1 s bars", "trades", ours, peers, same)


if __name__ == "__main__":
    main(rows, __doc__)
