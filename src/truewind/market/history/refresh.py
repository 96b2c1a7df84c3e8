"""What a venue says of itself today, kept with its date: who is listed under which rules, and with a key the tiers."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from truewind.domain.instrument import Instrument
from truewind.domain.timeframe import DAY_US
from truewind.errors import ConfigError, FormatError, InstrumentError, ProtocolError, UnknownSeriesError, suggest
from truewind.market.history.listing import Progress, archive_days, no_progress
from truewind.market.history.queue import Queue
from truewind.market.http import Http, Reply
from truewind.market.terms import keep_tiers, read_brackets
from truewind.market.universe import Event, observe, observe_days
from truewind.storage.lake import Lake
from truewind.venues.binance import payloads
from truewind.venues.binance.hosts import Hosts
from truewind.venues.binance.instruments import SPOT, USDM, instruments
from truewind.venues.binance.signing import Secret, signed, signing_key

_RECV_WINDOW_MS = 10_000


class Key(msgspec.Struct, frozen=True):
    """An API key that may read. secret: of HMAC, or the private key's PEM."""

    name: Secret
    secret: Secret


class Refreshed(msgspec.Struct, frozen=True):
    """What has changed. events: listings and delistings that are new. instruments: of the lake, with other rules now.
    tiers: symbols with other tiers; None where no key was given.
    """

    at_us: int
    events: list[dict[str, Any]]
    instruments: list[str]
    tiers: list[str] | None


async def refresh(lake: Lake, venue: str, hosts: Hosts, key: Key | None = None) -> Refreshed:
    """Ask a market of Binance for its exchange information, and with a key for its margin tiers, and keep both.

    Instruments of series in the lake are brought up to date. Raises ConfigError for another venue, NetworkError.
    """
    if venue not in (SPOT, USDM):
        raise ConfigError(f"'{venue}' cannot be refreshed", remedy=suggest(venue, (SPOT, USDM)))
    spot = venue == SPOT
    market, address = ("spot", hosts.spot_rest) if spot else ("usdm", hosts.usdm_rest)
    async with Http() as http:
        queue = Queue(http, address, market)
        path = "/api/v3/exchangeInfo" if spot else "/fapi/v1/exchangeInfo"
        info = await queue.get(path, {}, payloads.exchange_information)
        at_us = await queue.server_time_us()
        brackets = None
        if key is not None and not spot:
            keyed = Queue(_Signing(http, key, at_us), address, market)
            brackets = await keyed.get("/fapi/v1/leverageBracket", {}, read_brackets)
    try:
        about = {one.symbol: one for one in instruments(info, venue)}
        events = observe(lake, venue, info, at_us)
    except (FormatError, InstrumentError) as error:
        raise ProtocolError(str(error), remedy="This truewind may be too old") from None
    changed = _bring_up_to_date(lake, venue, about)
    tiers = None if brackets is None else keep_tiers(lake, venue, brackets, at_us, "GET /fapi/v1/leverageBracket")
    return Refreshed(at_us, [msgspec.to_builtins(event) for event in events], changed, tiers)


async def refresh_archive(lake: Lake, venue: str, hosts: Hosts, progress: Progress = no_progress) -> list[Event]:
    """Ask Binance's archive for which days it has files of whom, and keep who was listed when: the delisted too.

    Returns all events that follow. Raises ConfigError for another venue, NetworkError.
    """
    days = await archive_days(venue, hosts, progress)
    until = max((max(found) + DAY_US for found in days.values() if found), default=0)
    return observe_days(lake, venue, days, until)


class _Signing:
    """Signs what is asked. at_us: the venue's time when it was made."""

    def __init__(self, http: Http, key: Key, at_us: int) -> None:
        self._http, self._key, self._at_us = http, key, at_us
        self._signer = signing_key(key.secret)

    async def get(self, url: str, parameters: Mapping[str, str]) -> Reply:
        stamped = {**parameters, "recvWindow": str(_RECV_WINDOW_MS), "timestamp": str(self._at_us // 1000)}
        query = signed(urlencode(stamped).encode(), self._signer).decode()
        return await self._http.get(f"{url}?{query}", {}, {"X-MBX-APIKEY": self._key.name.reveal().decode()})


def _bring_up_to_date(lake: Lake, venue: str, about: Mapping[str, Instrument]) -> list[str]:
    mine = sorted({one.key.symbol for one in lake.series(venue=venue)} & set(about))
    changed = [symbol for symbol in mine if _known(lake, venue, symbol) != about[symbol]]
    for symbol in changed:
        lake.put_instrument(about[symbol])
    return changed


def _known(lake: Lake, venue: str, symbol: str) -> Instrument | None:
    try:
        return lake.instrument(venue, symbol)
    except UnknownSeriesError:
        return None
