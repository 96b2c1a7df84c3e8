"""Risk gate

What the rules cost an order that opens: all they look at is gathered from the account, its positions and working
orders, and judged, in machine code. With default rules, with every rule switched on (correlation and covariance are
measured once a day and pair), and with none; for one symbol, and for ten that are all held and have an order working.
Below it the whole way of an order in the event lane, sent and withdrawn again from Python, with and without rules.
No other tool has the same rules to run beside.
"""

import sys
from collections.abc import Iterator

from harness import Row, main, row, run

REPEATS = 7


def rows(quick: bool) -> Iterator[Row]:
    n, repeats = (1_000, 1) if quick else (100_000, REPEATS)
    for symbols in (1, 10):
        for rules in ("default", "all", "none"):
            ours = run(sys.executable, "ours_risk_gate.py", "gate", rules, symbols, n, repeats)
            yield row(f"gate, {rules} rules, {symbols} symbol{'s' if symbols > 1 else ''}", "orders", ours, {})
    for rules in ("default", "none"):
        ours = run(sys.executable, "ours_risk_gate.py", "order", rules, 1, n // 10, repeats)
        yield row(f"order sent and withdrawn in the event lane, {rules} rules", "orders", ours, {})


if __name__ == "__main__":
    main(rows, __doc__)
