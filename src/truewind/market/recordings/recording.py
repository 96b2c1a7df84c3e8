"""Recordings: files of raw market data as rows of order books, and one symbol's as the events of its book."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from truewind.domain.instrument import Instrument
from truewind.errors import EmptyRangeError, FormatError
from truewind.market.book.assemble import Gap, assemble
from truewind.market.files.container import Member, find_files, members
from truewind.market.files.names import read_names
from truewind.market.formats import tardis
from truewind.market.recordings import binance, bybit, coinbase, depth_csv, hyperliquid, okx
from truewind.market.recordings.lines import is_recording, lines
from truewind.market.recordings.messages import Decoder
from truewind.market.recordings.rows import SCHEMA, judge


class Recording(msgspec.Struct, frozen=True):
    """One symbol's recording, whole. events, ids, gaps, unused, rounded: see `assemble.BookEvents`.

    clock_us: what was added to the recorder's clock. latency_us: the least time between event and receipt before that.
    rejected: rows that cannot be, with the reason. others: rows and payloads that are not this symbol's, by what they
    are.
    """

    instrument: Instrument
    events: np.ndarray
    ids: np.ndarray
    gaps: list[Gap]
    clock_us: int
    latency_us: int
    unused: int
    rounded: int
    rejected: pl.DataFrame
    others: dict[str, int]


class RawBook(msgspec.Struct, frozen=True):
    """Rows of one member, as `recordings.rows` describes them.

    format: as reports call it. venue: as contents and name say, "" if they do not. strays: rows of another symbol in a
    table that is one symbol's. others: payloads that are none of depth, trades and quotes.
    """

    label: str
    format: str
    venue: str
    rows: pl.DataFrame
    strays: pl.DataFrame
    others: dict[str, int]


def is_book(member: Member) -> bool:
    """Whether the member holds what happened to order books; tables of trades alone do not count."""
    found = depth_csv.layout(member)
    return is_recording(member) if found is None else found.has_depth


def read_raw(member: Member) -> RawBook:
    """Rows of a recording or a table of order-book changes. Raises FormatError for a line that is none.

    A reply without a symbol is taken for the one that is streamed beside it, or that the file is named for.
    """
    found = depth_csv.layout(member)
    if found is not None:
        rows = depth_csv.read(member, found)
        own = pl.col("symbol") == rows["symbol"].value_counts(sort=True)["symbol"][0]
        venue = found.venue or tardis.exchange_of(member) or _venue(member, rows)
        return RawBook(member.label, found.name, venue, rows.filter(own), rows.filter(~own), {})
    decoder: Decoder | None = None
    for line in lines(member):
        decoder = decoder or _decoder(line.payload)
        decoder.add(line, member.label)
    decoder = decoder or binance.Decoder()
    rows = decoder.messages.rows()
    streamed = rows["symbol"].unique().to_list()
    known = [symbol for symbol in streamed if symbol]
    named = known[0] if len(known) == 1 else read_names(member.names, member.folders).symbol
    if named:
        rows = rows.with_columns(pl.col("symbol").replace("", named))
    venue = decoder.venue or _venue(member, rows)
    return RawBook(member.label, decoder.format, venue, rows, rows.clear(), decoder.others)


def _decoder(payload: bytes) -> Decoder:
    """Whose streams a recording holds, by its first payload; Bybit and OKX answer subscriptions first."""
    if payload.startswith(b'{"channel":'):
        return hyperliquid.Decoder()
    if payload.startswith((b'{"topic":', b'{"success":', b'{"ret_code":')):
        return bybit.Decoder()
    if payload.startswith((b'{"event":', b'{"arg":')):
        return okx.Decoder()
    return coinbase.Decoder() if payload.startswith(b'{"type":') else binance.Decoder()


def _venue(member: Member, rows: pl.DataFrame) -> str:
    """Which of Binance's markets it is: futures name the update before, and coin-margined symbols have a suffix."""
    named = read_names(member.names, member.folders)
    said = depth_csv.market(member) or named.venue
    if said and named.venue != "binance":
        return said
    if rows["previous"].null_count() == rows.height:
        return "binance" if rows["first"].null_count() < rows.height else ""
    coin = rows["symbol"].str.contains(r"USD_(PERP|\d{6})$").any()
    return "binance_coinm" if coin else "binance_usdm"


def read_recording(
    paths: Iterable[str | Path], instrument: Instrument, *, base_latency_us: int | None = None
) -> Recording:
    """Read files of raw market data of one instrument: streams of Binance, Bybit, Coinbase, Hyperliquid and OKX (from
    hftbacktest's collector or cryptofeed, of Bybit also bare frames) and tables of depth (`recordings.depth_csv`).

    Several files are one recording, whatever their order (a new file at midnight, replies in a file of their own).
    base_latency_us: needed where the recorder's clock was behind the venue's, so that things seem to be known before
    they happened; the clock is then moved by a constant until the quickest message took this long. A depth snapshot
    joins where the venue's rules say, also if updates that follow it were received first; those are then known when the
    snapshot is. Raises ValidationError where the clock is wrong and no base_latency_us is given, where prices are off
    the instrument's ticks, and where no snapshot ever joins; FormatError, MissingFileError for unreadable files.
    """
    raws = [read_raw(member) for member in _members(paths)]
    rows = pl.concat([part for raw in raws for part in (raw.rows, raw.strays)]) if raws else pl.DataFrame(schema=SCHEMA)
    own = rows.filter(pl.col("symbol") == instrument.symbol).sort("recv_us", maintain_order=True)
    others: dict[str, int] = {}
    for raw in raws:
        for what, count in raw.others.items():
            others[what] = others.get(what, 0) + count
    strangers = rows.filter(pl.col("symbol") != instrument.symbol)["symbol"].value_counts()
    others |= {symbol or "other": count for symbol, count in strangers.iter_rows()}
    if own.is_empty():
        raise EmptyRangeError(
            f"No message of {instrument.symbol} in the recording",
            remedy=f"It holds {', '.join(sorted(others)) or 'nothing'}",
        )
    judged = judge(own, instrument.id, base_latency_us)
    table = judged.rows.with_columns(
        pl.from_epoch("event_us", "us").alias("ts"), pl.from_epoch("recv_us", "us").alias("ts_recv")
    )
    book = assemble(table, instrument)
    return Recording(
        instrument, *book[:3], judged.clock_us, judged.latency_us, book.unused, book.rounded, judged.refused, others
    )


def _members(paths: Iterable[str | Path]) -> Iterator[Member]:
    for path in find_files([Path(path) for path in paths]):
        for member in members(path):
            if not is_recording(member) and depth_csv.layout(member) is None:
                raise FormatError(
                    f"{member.label} is neither a recording of streams that are known nor a table of depth",
                    remedy="Give a recording of hftbacktest's collector or of cryptofeed (line 1 decides)",
                    path=member.path,
                )
            yield member
