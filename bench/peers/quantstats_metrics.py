"""The metrics that quantstats has of one series of returns, without those that resample it to months or years.

usage: quantstats_metrics.py RETURNS REPEATS
"""

import sys
import time
from importlib.metadata import version

import pandas as pd
import quantstats.stats as q

import workload as w


def main(n, repeats):
    returns = pd.Series(w.returns(n), pd.date_range("2024-01-01", periods=n, freq="min"))
    year = w.MINUTES_A_YEAR

    def run():
        start = time.perf_counter()
        found = {
            "total": q.comp(returns),
            "best": q.best(returns),
            "worst": q.worst(returns),
            "win_rate": q.win_rate(returns),
            "volatility": q.volatility(returns, periods=year),
            "sharpe": q.sharpe(returns, periods=year),
            "sortino": q.sortino(returns, periods=year),
            "max_drawdown": -q.max_drawdown(returns),
            "ulcer": q.ulcer_index(returns),
            "skew": q.skew(returns),
            "kurtosis": q.kurtosis(returns),
            "kelly": q.kelly_criterion(returns),
            "gain_to_pain": q.gain_to_pain_ratio(returns),
            "omega": q.omega(returns, periods=year),
            "tail_ratio": q.tail_ratio(returns),
            "common_sense": q.common_sense_ratio(returns),
            "normal_value_at_risk": q.value_at_risk(returns),
            "normal_shortfall": q.cvar(returns),
        }
        return time.perf_counter() - start, found

    run()
    seconds, found, rss = w.measure(run, repeats)
    w.tell(1, version("quantstats"), seconds, rss_mb=rss, found={k: float(v) for k, v in found.items()})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
