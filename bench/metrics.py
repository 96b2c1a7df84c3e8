"""Metrics

All metrics of one series of a million one-minute returns in memory: growth, spread, ratios, drawdowns, tails. Ours are
30 figures in one call; empyrical's are its 13 of a single series, one call each; quantstats' 18, without those that
resample to months or years. Total return, volatility, Sharpe, Sortino, drawdown, omega and tail ratio must agree to a
billionth. The time is that of one set.
"""

from collections.abc import Iterator
from sys import executable

from harness import Answer, Row, ask, main, row, run, size_name


def rows(quick: bool) -> Iterator[Row]:
    n = 10_000 if quick else 1_000_000
    ours = run(executable, "ours_metrics.py", n, 9)
    peers = {
        "empyrical": ask("empyrical", "peers/empyrical_metrics.py", n, 3),
        "quantstats": ask("quantstats", "peers/quantstats_metrics.py", n, 1),
    }

    def same(answer: Answer) -> bool:
        own, other = ours["found"], answer["found"]
        return all(abs(other[name] - value) <= 1e-9 * abs(value) for name, value in own.items())

    yield row(f"all metrics of {size_name(n)} returns", "sets", ours, peers, same)


if __name__ == "__main__":
    main(rows, __doc__ or "")
