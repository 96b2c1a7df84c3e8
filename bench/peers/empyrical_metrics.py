"""Every metric that empyrical has of one series of returns. usage: empyrical_metrics.py RETURNS REPEATS"""

import sys
import time
from importlib.metadata import version

import empyrical as e
import pandas as pd

import workload as w


def main(n, repeats):
    returns = pd.Series(w.returns(n), pd.date_range("2024-01-01", periods=n, freq="min"))
    year = w.MINUTES_A_YEAR

    def run():
        start = time.perf_counter()
        found = {
            "total": e.cum_returns_final(returns),
            "annual": e.annual_return(returns, annualization=year),
            "volatility": e.annual_volatility(returns, annualization=year),
            "sharpe": e.sharpe_ratio(returns, annualization=year),
            "sortino": e.sortino_ratio(returns, annualization=year),
            "calmar": e.calmar_ratio(returns, annualization=year),
            "downside": e.downside_risk(returns, annualization=year),
            "max_drawdown": -e.max_drawdown(returns),
            "omega": e.omega_ratio(returns, annualization=1),
            "tail_ratio": e.tail_ratio(returns),
            "stability": e.stability_of_timeseries(returns),
            "value_at_risk": -e.value_at_risk(returns),
            "shortfall": -e.conditional_value_at_risk(returns),
        }
        return time.perf_counter() - start, found

    run()
    seconds, found, rss = w.measure(run, repeats)
    w.tell(1, version("empyrical-reloaded"), seconds, rss_mb=rss, found={k: float(v) for k, v in found.items()})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
