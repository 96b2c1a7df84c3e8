"""Trade lane

Every trade of a tape is handed to a Python `on_trade` that does nothing, as a fresh object; the simulated venue stands
by with no order. Ours includes laying out the tape, NautilusTrader's is its loop alone over a million trades
(its speed does not change with their number; at five million it needs 2 GB).
"""

import sys
from collections.abc import Iterator

from harness import Row, ask, main, row, run, size_name

OURS, PEER, REPEATS = 5_000_000, 1_000_000, 5


def rows(quick: bool) -> Iterator[Row]:
    ours, peer, repeats = (2_000, 2_000, 1) if quick else (OURS, PEER, REPEATS)
    mine = run(sys.executable, "ours_trades.py", ours, repeats)
    theirs = ask("nautilus_trader", "peers/nautilus_trader_trades.py", peer, min(3, repeats))
    yield row(f"on_trade doing nothing, {size_name(ours)} trades", "trades", mine, {"nautilus_trader": theirs})


if __name__ == "__main__":
    main(rows, __doc__)
