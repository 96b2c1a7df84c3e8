"""Opening a session: from a configuration and a network to streams that are connected."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from truewind.backtest.settings import load_config
from truewind.domain.clock import VenueClock, WallClock
from truewind.domain.instrument import Instrument
from truewind.errors import ConfigError, MissingFileError, ProtocolError, UnknownSeriesError
from truewind.live.paper import PATIENCE_US, Bring, PaperJob, listens_to_marks, session_settings
from truewind.market.history.download import Want, download
from truewind.market.history.sources import sources_of
from truewind.market.stream.binance import BinanceStreams
from truewind.market.stream.rest import Rest
from truewind.storage.lake import Lake
from truewind.storage.latches import LatchBook
from truewind.storage.schema import SeriesKey
from truewind.venues.binance.hosts import Hosts, hosts
from truewind.venues.binance.messages import MARKETS, stream_name

_TIME = {"spot": "/api/v3/time", "usdm": "/fapi/v1/time"}
_WATCHED_S = 0.4  # over which a venue's clock is compared with ours
_REPLAY = 1.5  # a clock that runs so much faster, or slower, is that of a replay


class _Time(msgspec.Struct):
    serverTime: int  # noqa: N815  # the venue's spelling


def open_session(
    config: str | Path,
    overrides: Sequence[str] = (),
    *,
    network: str = "mainnet",
    lake: str | Path | Lake = "data",
    length_us: int | None = None,
    patience_us: int = PATIENCE_US,
    state: str | Path = "state",
) -> PaperJob:
    """A session of the backtest that `config` describes, on the streams of its venue; waits for the first rows.

    state: folder of the latch files, where breakers that have tripped are kept. Raises CorruptError for a damaged one,
    ConfigError for a venue without streams and for what no stream brings, NetworkError.
    """
    settings = session_settings(load_config(config, overrides))
    data = settings.data
    if data.universe is not None:
        raise ConfigError("A session runs on symbols that are named", remedy="Name data.symbols, without data.universe")
    market = MARKETS.get(data.venue)
    if market is None:
        raise ConfigError(
            f"No live streams of venue '{data.venue}' are known", remedy=f"Choose one of {', '.join(MARKETS)}"
        )
    book = LatchBook(state, settings.account.name)
    book.read()  # a damaged one is refused before anything is asked of the venue
    where = hosts(network)
    clock = asyncio.run(venue_clock(where.spot_rest if market == "spot" else where.usdm_rest, market))
    source = lake if isinstance(lake, Lake) else Lake(lake)
    wanted = [f"kline_{data.timeframe}" if data.kind == "bars" else "aggTrade"]
    wanted += ["markPrice@1s"] if market == "usdm" and listens_to_marks(settings) else []
    names = [stream_name(symbol, what) for what in wanted for symbol in data.symbols]
    return PaperJob(
        settings,
        asyncio.run(known_instruments(source, data.venue, data.symbols, network)),
        source,
        binance_events(where, market, names, clock),
        clock,
        length_us=length_us,
        patience_us=patience_us,
        bring=bringing(source, data.venue, network),
        book=book,
    )


def bringing(lake: Lake, venue: str, network: str) -> Bring:
    """What gets history from the venue into the lake, as far as the lake has not asked for it before."""

    def bring(keys: Sequence[SeriesKey], start_us: int, end_us: int) -> list[str]:
        wants = [Want(key, ((start_us, end_us),)) for key in keys]
        report = download(lake, {venue: sources_of(venue, network, "rest")}, wants)
        return [f"{outcome.key}: {outcome.error}" for outcome in report.outcomes if outcome.error]

    return bring


def binance_events(where: Hosts, market: str, names: Sequence[str], clock: VenueClock) -> Callable[[], Any]:
    """What opens these streams."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[AsyncIterator[Any]]:
        async with BinanceStreams(where, market, names, clock=clock) as streams:
            yield aiter(streams)

    return opened


async def venue_clock(base: str, market: str) -> VenueClock:
    """The clock of the venue at `base`, by asking it twice: how far it is ahead, and how fast it runs."""
    async with Rest(base) as rest:
        first, began = await _told(rest, market)
        await asyncio.sleep(_WATCHED_S)
        second, ended = await _told(rest, market)
    speed = (second - first) / (ended - began)
    if not speed >= _REPLAY:
        return VenueClock(second, ended)
    return VenueClock(second, ended, float(round(speed)))


async def _told(rest: Rest, market: str) -> tuple[int, int]:
    """The venue's time and ours, both µs: half of what the question took is taken for its way there."""
    clock = WallClock()
    sent = clock.now_us()
    body = await rest.get(_TIME[market], {})
    try:
        told = msgspec.json.decode(body, type=_Time).serverTime
    except msgspec.DecodeError as error:
        raise ProtocolError(f"{rest.base} does not tell its time: {error}", remedy="Is it the venue?") from None
    return told * 1000, (sent + clock.now_us()) // 2


async def known_instruments(lake: Lake, venue: str, symbols: Sequence[str], network: str) -> list[Instrument]:
    """The instruments of the session: the lake's, and where it has none, or guessed them from prices, the venue's."""
    found: dict[str, Instrument] = {}
    for symbol in symbols:
        try:
            found[symbol] = lake.instrument(venue, symbol)
        except (UnknownSeriesError, MissingFileError):
            continue
    missing = [symbol for symbol in symbols if symbol not in found or found[symbol].inferred]
    if missing:
        (provider,) = sources_of(venue, network, "rest")
        async with provider:
            for instrument in await provider.instruments(missing):
                lake.put_instrument(instrument)
                found[instrument.symbol] = instrument
    return [found[symbol] for symbol in symbols]
