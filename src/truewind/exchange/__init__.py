"""The local exchange: a server that speaks Binance's spot and USD-M protocols, to prove network code on.

server.py    LocalExchange: three sites (spot, USD-M, archive) on neighbouring ports; begin here
gate.py      one request: limits, faults, parameters, authority, handler, reply
market.py    what is traded: history, trades, book and marks of each symbol, and who listens
streams.py   the market's WebSocket streams
archive.py   the site of daily and monthly files
faults.py    what goes wrong, by seed
"""

from truewind.exchange.config import ExchangeConfig
from truewind.exchange.server import LocalExchange, running

__all__ = ["ExchangeConfig", "LocalExchange", "running"]
