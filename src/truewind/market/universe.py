"""The universe, point in time: what was listed when, and under which specification.

It is a log of events: at some time a symbol was listed, delisted, or had its specification changed. Who was listed at a
time follows from the events up to it and from none that came later. Events come from

    exchange information   snapshots over time, kept by `observe`: dates of listing and delivery, and who is gone
    files of the archive   the first and last day of each symbol, kept by `observe_days`
    the lake               first and last rows of bars, read afresh each time; of these nothing is kept

What is only inferred from silence is known later than it happened: such an event stands when it could be known, so that
no one knows tomorrow's. A venue's own dates stand as it gives them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
import polars as pl

from truewind.domain.clock import iso
from truewind.domain.instrument import Instrument
from truewind.domain.timeframe import DAY_US
from truewind.errors import FormatError, MissingFileError, UnknownSeriesError, suggest
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey
from truewind.venues.binance.instruments import instruments

QUIET_US = 7 * DAY_US  # a symbol that has been silent for longer while others traded is gone
LISTINGS, SPECIFICATIONS = "listings", "specifications"
What = Literal["listed", "delisted"]
_NEVER_MS = 4_000_000_000_000  # perpetuals have a delivery date in the year 2100
_GONE = ("CLOSE", "DELIVERED", "SETTLING", "DELIVERING", "DELISTED", "END_OF_DAY", "PRE_DELIVERING")
_NOT_YET = ("PENDING_TRADING", "PRE_TRADING")
_INFO, _ARCHIVE = "exchangeInfo", "archive"
_GAP_REASONS = ("missing", "no trades")
_Schema = dict[str, type[pl.DataType] | pl.DataType]
_EVENT_SCHEMA: _Schema = {"venue": pl.String, "symbol": pl.String, "ts": TS, "what": pl.String, "source": pl.String}
_SPEC_SCHEMA: _Schema = {
    "venue": pl.String,
    "symbol": pl.String,
    "since": TS,
    "instrument": pl.String,
    "source": pl.String,
}


class Event(msgspec.Struct, frozen=True, order=True):
    """From `ts_us` on the symbol is listed, or is not. At one time a delisting comes first."""

    ts_us: int
    what: What
    symbol: str
    source: str = ""


class Life(msgspec.Struct, frozen=True):
    """One time of a symbol on the venue's list: [listed_us, delisted_us); None: it still is."""

    symbol: str
    listed_us: int
    delisted_us: int | None


class Universe:
    """Who was listed at a venue, when. Made of events in any order; of two equal ones in a row the first counts."""

    def __init__(self, venue: str, events: Iterable[Event]) -> None:
        self.venue = venue
        self._lives: dict[str, list[Life]] = {}
        begun: dict[str, int] = {}
        ended: list[Life] = []
        for event in sorted(events, key=lambda event: (event.ts_us, event.what == "listed", event.symbol)):
            if event.what == "listed":
                begun.setdefault(event.symbol, event.ts_us)
            elif event.symbol in begun and begun[event.symbol] < event.ts_us:
                ended.append(Life(event.symbol, begun.pop(event.symbol), event.ts_us))
        ended += [Life(symbol, since, None) for symbol, since in begun.items()]
        for life in sorted(ended, key=lambda life: (life.symbol, life.listed_us)):
            self._lives.setdefault(life.symbol, []).append(life)

    def at(self, ts_us: int) -> list[str]:
        """Symbols that were listed at a time, sorted."""
        return [symbol for symbol in self._lives if self.listed(symbol, ts_us)]

    def between(self, start_us: int, end_us: int) -> list[Life]:
        """Every time on the list that overlaps [start_us, end_us), by symbol; those of the delisted among them."""
        return [
            life
            for lives in self._lives.values()
            for life in lives
            if life.listed_us < end_us and (life.delisted_us is None or life.delisted_us > start_us)
        ]

    def listed(self, symbol: str, ts_us: int) -> bool:
        return self.life(symbol, ts_us) is not None

    def known(self, symbol: str) -> bool:
        """Whether it was ever listed."""
        return symbol in self._lives

    def life(self, symbol: str, ts_us: int) -> Life | None:
        """The time on the list that `ts_us` lies in."""
        for life in self._lives.get(symbol, ()):
            if life.listed_us <= ts_us and (life.delisted_us is None or ts_us < life.delisted_us):
                return life
        return None


def universe_of(lake: Lake, venue: str) -> Universe:
    """All that the lake knows of a venue's listings. Raises UnknownSeriesError if that is nothing."""
    events = [*kept_events(lake, venue), *lake_events(lake, venue)]
    if not events:
        venues = {info.key.venue for info in lake.series()}
        raise UnknownSeriesError(f"Nothing is known of venue '{venue}' in {lake.url}", remedy=suggest(venue, venues))
    return Universe(venue, events)


def kept_events(lake: Lake, venue: str) -> list[Event]:
    """Events that `observe` and `observe_days` have kept."""
    table = lake.records(LISTINGS)
    if table.is_empty():
        return []
    rows = table.filter(pl.col("venue") == venue).with_columns(pl.col("ts").to_physical())
    return [Event(ts, what, symbol, source) for _, symbol, ts, what, source in rows.select(*_EVENT_SCHEMA).iter_rows()]


def observe(lake: Lake, venue: str, exchange_info: Mapping[str, Any], at_us: int) -> list[Event]:
    """Keep what a snapshot of Binance's exchange information says at `at_us`; returns the events that are new.

    Snapshots are to come in the order in which they were taken. Whoever was listed before and is not there now was
    delisted: when it was due to, as the venue had said, else by now. Specifications are kept where they changed.
    Raises FormatError if it is none, or empty: that a venue delists all it has is not believed.
    """
    symbols = exchange_info.get("symbols")
    if not symbols:
        raise FormatError("No symbols: this is no exchangeInfo reply", remedy="Pass the reply of GET …/exchangeInfo")
    source = _INFO
    known = kept_events(lake, venue)
    # What a snapshot has said of later times (deliveries) stands until another one says otherwise.
    before = Universe(venue, [event for event in known if event.source == source])
    past = {(event.symbol, event.ts_us, event.what) for event in known if event.source == source}
    events: list[Event] = []
    there: set[str] = set()
    for entry in symbols:
        name, status, begin, delivery = _of_entry(entry, venue)
        if status in _NOT_YET or begin > at_us:
            continue
        there.add(name)
        events += _said(name, status, begin, delivery, before, at_us)
    events += [Event(at_us, "delisted", name, source) for name in before.at(at_us) if name not in there]
    new = [event for event in events if (event.symbol, event.ts_us, event.what) not in past]
    changed = _changed(
        lake, venue, instruments({"symbols": symbols}, venue), at_us, _INFO
    )  # read as a whole before anything is kept
    _keep_events(lake, venue, new, f"{venue}-info-{at_us}")
    if changed is not None:
        lake.put_record(SPECIFICATIONS, f"{venue}-{at_us}", changed)
    return new


def _of_entry(entry: Mapping[str, Any], venue: str) -> tuple[str, str, int, int]:
    """Symbol, status, listing (µs) and delivery (ms) of an entry; 0 where it does not say. Raises FormatError."""
    try:
        begin, delivery = (int(entry.get(name) or 0) for name in ("onboardDate", "deliveryDate"))
        status = entry.get("status") or entry.get("contractStatus") or "TRADING"
        return str(entry["symbol"]), str(status), begin * 1000, delivery
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(
            f"An entry of {venue}'s exchangeInfo cannot be read: {error}", remedy="Ask the venue for it again"
        ) from None


def _said(name: str, status: str, begin_us: int, delivery_ms: int, before: Universe, at_us: int) -> list[Event]:
    """What one entry of a snapshot says beyond what the snapshots before it have said."""
    life = before.life(name, at_us)
    ends = delivery_ms * 1000 if 0 < delivery_ms < _NEVER_MS else None
    events = []
    if life is not None and life.delisted_us not in (None, ends) and status not in _GONE:
        events.append(Event(life.delisted_us or 0, "listed", name, _INFO))  # the end that was announced was put off
    if status in _GONE:
        if life is not None and (ends is None or ends > at_us):
            events.append(Event(at_us, "delisted", name, _INFO))
    elif life is None:
        # Without a date of its own, or after a break, it is known to be listed from now on.
        since = begin_us if begin_us and not before.known(name) else at_us
        events.append(Event(since, "listed", name, _INFO))
    if ends is not None:
        events.append(Event(ends, "delisted", name, _INFO))
    return events


def observe_days(lake: Lake, venue: str, days: Mapping[str, Sequence[int]], until_us: int) -> list[Event]:
    """Keep what the archive's daily files say: `days` are by symbol their first moments in µs, in any order.

    until_us: up to where the archive has files at all. A file tells a whole day: that a symbol was listed is known at
    the end of its first, that it is gone once QUIET_US have passed without one. What was kept before is replaced.
    """
    events = [event for symbol, firsts in days.items() for event in _of_files(symbol, sorted(firsts), until_us)]
    _keep_events(lake, venue, events, f"{venue}-archive")
    return events


def _of_files(symbol: str, days: Sequence[int], until_us: int) -> Iterator[Event]:
    last: int | None = None
    for day in days:
        if last is None or day - last > QUIET_US + DAY_US:
            if last is not None:
                yield Event(last + DAY_US + QUIET_US, "delisted", symbol, _ARCHIVE)
            yield Event(day + DAY_US, "listed", symbol, _ARCHIVE)
        last = day
    if last is not None and until_us >= last + DAY_US + QUIET_US:
        yield Event(last + DAY_US + QUIET_US, "delisted", symbol, _ARCHIVE)


def lake_events(lake: Lake, venue: str) -> list[Event]:
    """What the bars of a venue say, of each symbol those of the longest timeframe.

    Listed once the first bar is known. Gone where nothing followed for QUIET_US: where the source was asked and had
    nothing, or, for series of which the ledger knows nothing (imported files), where others of the venue went on.
    """
    try:
        found = lake.series(kind="bars", venue=venue)
    except MissingFileError:
        return []
    longest = {info.key.symbol: info for info in sorted(found, key=lambda info: info.key.step_us)}
    ends = {name: info.end_us + info.key.step_us for name, info in longest.items()}
    last = max(ends.values(), default=0)
    events = []
    for name, info in longest.items():
        step = info.key.step_us
        events.append(Event(info.start_us + step, "listed", name, "bars"))
        for begin, following in _silences(lake, info.key):
            events.append(Event(begin + QUIET_US, "delisted", name, "bars"))
            events.append(Event(following + step, "listed", name, "bars"))
        end = ends[name]
        asked = lake.spans(info.key)
        silent = not lake.unasked(info.key, end, end + QUIET_US) if asked else last >= end + QUIET_US
        if silent:
            events.append(Event(end + QUIET_US, "delisted", name, "bars"))
    return events


def _silences(lake: Lake, key: SeriesKey) -> list[tuple[int, int]]:
    """Gaps longer than QUIET_US that are not for want of asking: from, and the next bar."""
    gaps = lake.gaps(key).with_columns(pl.col("ts_from", "ts_to").to_physical())
    long = gaps.filter((pl.col("ts_to") - pl.col("ts_from") > QUIET_US) & pl.col("reason").is_in(_GAP_REASONS))
    return list(long.select("ts_from", "ts_to").iter_rows())


# ── specifications ──────────────────────────────────────────────────────────────────────────────────────────────────


class Specifications:
    """What was seen of a venue's instruments, by date: read once, asked often."""

    def __init__(self, lake: Lake, venue: str) -> None:
        self._lake, self._venue = lake, venue
        self._texts: dict[str, list[tuple[int, str]]] = {}
        self._made: dict[str, list[tuple[int, Instrument]]] = {}
        table = lake.records(SPECIFICATIONS)
        if not table.is_empty():
            rows = table.filter(pl.col("venue") == venue).sort("since", "symbol")
            for symbol, since, text in rows.select("symbol", pl.col("since").to_physical(), "instrument").iter_rows():
                self._texts.setdefault(symbol, []).append((since, text))

    def of(self, symbol: str) -> list[tuple[int, Instrument]]:
        """All that were seen of a symbol, each with the time from which it was, in order."""
        if symbol not in self._made:
            self._made[symbol] = [
                (since, msgspec.json.decode(text, type=Instrument)) for since, text in self._texts.get(symbol, ())
            ]
        return self._made[symbol]

    def at(self, symbol: str, ts_us: int) -> Instrument:
        """The instrument as it was: the last specification seen by then, else the first that was seen.

        Where none was, and where the lake's instrument is none of them (somebody has described it himself), it is the
        lake's. Raises UnknownSeriesError.
        """
        known = self.of(symbol)
        try:
            current = self._lake.instrument(self._venue, symbol)
        except UnknownSeriesError:
            if not known:
                raise
        else:
            if all(about != current for _, about in known):
                return current
        held = [about for since, about in known if since <= ts_us]
        return held[-1] if held else known[0][1]


def keep_specifications(lake: Lake, venue: str, instruments: Iterable[Instrument], at_us: int, source: str) -> None:
    """Keep what a venue says of its instruments at `at_us`, of those that differ from what was seen last."""
    changed = _changed(lake, venue, instruments, at_us, source)
    if changed is not None:
        lake.put_record(SPECIFICATIONS, f"{venue}-{at_us}", changed)


def _changed(lake: Lake, venue: str, known: Iterable[Instrument], at_us: int, source: str) -> pl.DataFrame | None:
    """Those that differ from the last ones seen, as a record; None if none does."""
    table = lake.records(SPECIFICATIONS)
    latest: dict[str, str] = {}
    if not table.is_empty():
        rows = table.filter(pl.col("venue") == venue).sort("since")
        latest = dict(rows.select("symbol", "instrument").iter_rows())
    told = ((about.symbol, msgspec.json.encode(about).decode()) for about in known)
    changed = [(venue, symbol, at_us, text, source) for symbol, text in told if latest.get(symbol) != text]
    if not changed:
        return None
    made = pl.DataFrame(changed, schema=_SPEC_SCHEMA | {"since": pl.Int64()}, orient="row")
    return made.with_columns(pl.col("since").cast(TS))


def _keep_events(lake: Lake, venue: str, events: Sequence[Event], part: str) -> None:
    if events:
        rows = [(venue, event.symbol, event.ts_us, event.what, event.source) for event in events]
        table = pl.DataFrame(rows, schema=_EVENT_SCHEMA | {"ts": pl.Int64()}, orient="row")
        lake.put_record(LISTINGS, part, table.with_columns(pl.col("ts").cast(TS)))


def described(life: Life) -> dict[str, str | None]:
    """A time on the list as plain values; times as UTC text."""
    end = life.delisted_us
    return {"symbol": life.symbol, "listed": iso(life.listed_us), "delisted": iso(end) if end is not None else None}
