"""The synthetic market: the embedded default, so that demo and tests run with no download.

It is no forecast of anything: it shows a strategy the statistics of a real market (fat tails, clustered volatility,
busy and quiet hours, symbols that move together) without an edge to be found, but for the slow drift that
`SyntheticConfig.drift` sets. A strategy that earns much here is lucky or wrong.

    config.py    what can be set, and the listed symbols
    process.py   minute by minute: regimes, volatility, returns, activity
    flow.py      inside a minute: twelve quotes and what was bought and sold at each → bar, or single trades
    market.py    SyntheticMarket: tables, and writing them to the lake
"""

from truewind.market.synthetic.config import SyntheticConfig
from truewind.market.synthetic.market import SyntheticMarket

__all__ = ["SyntheticConfig", "SyntheticMarket"]
