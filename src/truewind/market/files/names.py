"""Names: what a file's name and folders say about venue, symbol, timeframe and kind.

A name is a hint. Contents decide the format, options given by the user come first, and a name that contradicts
the data refuses the file.
"""

import re
from itertools import pairwise

import msgspec

VENUES = (
    "binance",
    "binance_usdm",
    "binance_coinm",
    "binanceus",
    "bitfinex",
    "bitmex",
    "bitstamp",
    "bybit",
    "coinbase",
    "deribit",
    "gateio",
    "kraken",
    "kucoin",
    "okx",
    "oanda",
    "fxcm",
    "truefx",
)

# Longest first, so that BTCFDUSD is BTC in FDUSD and not BTCFD in USD.
QUOTES = (
    "FDUSD",
    *("USDT", "USDC", "BUSD", "TUSD", "USDP"),
    *("DAI", "BTC", "ETH", "BNB", "EUR", "USD", "GBP", "TRY", "BRL", "JPY", "AUD", "CAD", "CHF", "NZD"),
)

_SUFFIXES = re.compile(r"(\.(csv|txt|gz|zip|parquet|pq|feather|arrow|ipc|json))+$", re.IGNORECASE)
_TIMEFRAME = re.compile(r"[1-9]\d{0,2}[smhdw]")
_FREQTRADE = re.compile(
    r"(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z]{3,5})(_(?P<settle>[A-Z]{3,5}))?"
    r"-(?P<rest>trades|(?P<timeframe>\d{1,2}[smhdw])(-(?P<candle>futures|mark|index|funding_rate|premiumIndex))?)"
)
_BINANCE_ARCHIVE = re.compile(
    r"(?P<symbol>[A-Z0-9]{5,}(_PERP|_\d{6})?)-(?P<what>\d{1,2}[smhdwM]o?|trades|aggTrades|fundingRate)-\d{4}-\d{2}(-\d{2})?"
)
_FREQTRADE_KINDS = {
    None: "bars",
    "futures": "bars",
    "mark": "mark_bars",
    "index": "index_bars",
    "funding_rate": "funding",
    "premiumIndex": "premium_index",
}
_ARCHIVE_FOLDERS = {
    "markPriceKlines": "mark_bars",
    "indexPriceKlines": "index_bars",
    "premiumIndexKlines": "premium_index",
    "klines": "bars",
}


class Hints(msgspec.Struct, frozen=True):
    """What the names say; empty where they say nothing.

    style: "freqtrade" or "binance" if the whole name follows that tool's scheme. derivative: the name speaks of a
    contract ("BTC_USDT_USDT", "BTCUSD_PERP"); then the venue for its kind of margin, binance_usdm or binance_coinm.
    """

    venue: str = ""
    symbol: str = ""
    timeframe: str = ""
    kind: str = ""
    style: str = ""
    derivative: str = ""


def split_symbol(symbol: str) -> tuple[str, str] | None:
    """Base and quote currency of a symbol in venue form, or None if the quote is not known.

    >>> split_symbol("BTCUSDT")
    ('BTC', 'USDT')
    """
    spot = symbol.partition("_")[0]
    for quote in QUOTES:
        if spot.endswith(quote) and len(spot) > len(quote):
            return spot[: -len(quote)].rstrip("-"), quote
    return None


def venue_symbol(text: str) -> str:
    """A symbol as venues write it: "btc/usdt" and "BTC/USDT:USDT" become "BTCUSDT"; hyphens belong to some venues."""
    return text.strip().upper().partition(":")[0].replace("/", "")


def read_names(names: tuple[str, ...], folders: tuple[str, ...] = ()) -> Hints:
    """Hints from the names of a file, the most telling first, and of the folders around it, the nearest first."""
    stems = [_SUFFIXES.sub("", name) for name in names]
    archive = _archive_hints(folders)
    for stem in stems:
        hints = _freqtrade(stem) or _binance_archive(stem, archive)
        if hints:
            return hints
    return _tokens(stems)


def _freqtrade(name: str) -> Hints | None:
    # A prefix up to a double underscore is somebody's folder flattened into the name.
    found = _FREQTRADE.fullmatch(name.rpartition("__")[2])
    if not found:
        return None
    base, quote, settle = found["base"], found["quote"], found["settle"]
    derivative = "" if not settle else "binance_usdm" if settle == quote else "binance_coinm"
    return Hints(
        symbol=f"{base}{quote}_PERP" if derivative == "binance_coinm" else f"{base}{quote}",
        timeframe=found["timeframe"] or "",
        kind="trades" if found["rest"] == "trades" else _FREQTRADE_KINDS[found["candle"]],
        style="freqtrade",
        derivative=derivative,
    )


def _binance_archive(name: str, folders: Hints) -> Hints | None:
    found = _BINANCE_ARCHIVE.fullmatch(name)
    if not found:
        return None
    what, symbol = found["what"], found["symbol"]
    derivative = ""
    if "_" in symbol:
        pair = split_symbol(symbol)
        derivative = "binance_coinm" if pair and pair[1] == "USD" else "binance_usdm"
    kind = {"trades": "trades", "aggTrades": "trades", "fundingRate": "funding"}.get(what, "")
    return Hints(
        venue=folders.venue or derivative,
        symbol=symbol,
        timeframe=what if _TIMEFRAME.fullmatch(what) else "",
        kind=kind or folders.kind,
        style="binance",
        derivative=derivative or ("binance_usdm" if kind == "funding" else ""),
    )


def _archive_hints(folders: tuple[str, ...]) -> Hints:
    """The archive's own tree, data/{spot,futures/um,futures/cm}/monthly/klines/…, says market and kind."""
    kind = next((_ARCHIVE_FOLDERS[name] for name in folders if name in _ARCHIVE_FOLDERS), "")
    venue = ""
    for name, parent in pairwise(folders):
        if (name, parent) == ("um", "futures"):
            venue = "binance_usdm"
        elif (name, parent) == ("cm", "futures"):
            venue = "binance_coinm"
        elif (name, parent) == ("spot", "data"):
            venue = "binance"
    return Hints(venue=venue, kind=kind)


def _tokens(stems: list[str]) -> Hints:
    """Words of the file names that are a known venue, a timeframe or a symbol in a known quote currency."""
    tokens = [token for stem in stems for token in re.split(r"[_\-. ]+", stem) if token]
    venue = next((token.lower() for token in tokens if token.lower() in VENUES), "")
    timeframe = next((token for token in tokens if _TIMEFRAME.fullmatch(token)), "")
    symbol = next((token.upper() for token in tokens if _is_symbol(token)), "")
    return Hints(venue=venue, symbol=symbol, timeframe=timeframe)


def _is_symbol(token: str) -> bool:
    if not re.fullmatch(r"[A-Z0-9]{5,}|[a-z0-9]{5,}", token) or token.isdigit():
        return False
    pair = split_symbol(token.upper())
    return pair is not None and len(pair[0]) >= 2
