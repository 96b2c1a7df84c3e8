"""What is particular to an exchange that is reached through ccxt: page sizes, ends, reach, and what it cannot give.

Sources: bybit-exchange.github.io/docs/v5 (market); www.okx.com/docs-v5 ("Public Data", "Market Data", "Trading
Statistics"); docs.kraken.com/api (OHLC data, recent trades), each as ccxt 4.5.90 calls them.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from truewind.domain.timeframe import DAY_US, HOUR_US

Paging = Literal["window", "recent", "tokens", "ids", "since"]


class Rule(msgspec.Struct, frozen=True):
    """How one kind of series is asked for.

    paging: window: by start and end, `limit` rows at most; recent: the exchange has but one page, the newest rows;
    tokens: forward, each page names where the next one begins; ids: back by the trades' own numbers; since: forward
    from a time, as all of ccxt's exchanges claim to do. until: the end is told, inclusive. reach_us: how far back rows
    exist, 0: to the listing. step_us: the least distance of rows without a timeframe. holes, lacks: see `Offer`.
    """

    paging: Paging = "since"
    limit: int = 100
    until: bool = False
    reach_us: int = 0
    reach: str = "since listing"
    step_us: int = HOUR_US
    holes: Literal["", "down", "empty"] = ""
    lacks: str = ""


class Exchange(msgspec.Struct, frozen=True):
    """rules: by kind of series. refuses: kind → why. markets: what ccxt's `fetchMarkets` is asked for, all if empty."""

    rules: Mapping[str, Rule] = {}
    refuses: Mapping[str, str] = {}
    markets: tuple[str, ...] = ()


_BYBIT_BARS = Rule("window", 1000, until=True, holes="down")
_OKX_BARS = Rule("window", 300, until=True, holes="down")
_OKX_MARKS = Rule("window", 100, until=True, holes="down")
_BINANCE_BARS = Rule("window", 500, until=True, holes="down")
_OKX_REACH = "three months"
_BACK = 90 * DAY_US

EXCHANGES: Mapping[str, Exchange] = {
    "bybit": Exchange(
        rules={
            "bars": _BYBIT_BARS,
            "mark_bars": _BYBIT_BARS,
            "index_bars": _BYBIT_BARS,
            "premium_index": _BYBIT_BARS,
            "trades": Rule(
                "recent", 1000, reach="the last 1,000 (spot: 60)", lacks="older ones: public.bybit.com has files"
            ),
            # The end must be told with the start; funding is due at most hourly.
            "funding": Rule("window", 200, until=True),
            "open_interest": Rule("window", 200, until=True, step_us=HOUR_US // 12),
        },
        markets=("spot", "linear", "inverse"),
    ),
    "okx": Exchange(
        rules={
            "bars": _OKX_BARS,
            "mark_bars": _OKX_MARKS,
            "index_bars": _OKX_MARKS,
            "trades": Rule("ids", 100, reach_us=_BACK, reach=_OKX_REACH),
            "funding": Rule("window", 100, until=True, reach_us=_BACK, reach=_OKX_REACH),
            "open_interest": Rule("window", 100, until=True, step_us=HOUR_US // 12),
        },
        markets=("spot", "swap", "future"),
    ),
    "kraken": Exchange(
        rules={
            "bars": Rule(
                "recent",
                721,  # one more than are over
                reach="the last 720 bars, whatever is asked for",
                lacks="older ones: make them of trades (data bars), or import Kraken's OHLCVT files",
            ),
            "trades": Rule("tokens", 1000),
        },
    ),
    # Our own clients are faster; these are for a second opinion. Trades are aggregate ones, bars carry no turnover.
    "binance": Exchange(
        rules={"bars": Rule("window", 1000, until=True, holes="down"), "trades": Rule("since", 1000)}, markets=("spot",)
    ),
    "binanceusdm": Exchange(
        rules={
            **dict.fromkeys(("bars", "mark_bars", "index_bars", "premium_index"), _BINANCE_BARS),
            "trades": Rule("since", 1000),
            "funding": Rule("window", 500, until=True),
        },
        markets=("linear",),
    ),
}
GENERAL = Exchange()
_GENERAL_RULES: Mapping[str, Rule] = {
    "bars": Rule("since", 500, lacks="volume is in the exchange's own unit: base or contracts"),
    "open_interest": Rule("since", 100, step_us=HOUR_US),
}


def exchange(name: str) -> Exchange:
    """What is known of an exchange of ccxt."""
    return EXCHANGES.get(name, GENERAL)


def rule(name: str, kind: str) -> Rule:
    """How a kind of series is asked for at an exchange, by ccxt's common ways where nothing particular is known."""
    return exchange(name).rules.get(kind) or _GENERAL_RULES.get(kind) or Rule()
