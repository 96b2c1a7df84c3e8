"""The universe: lists as they were, choices by what was known, and no future in either."""

import copy
import gzip
import json
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from profiles import examples
from truewind.domain.clock import iso, parse_ts_us
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.errors import EmptyRangeError, FormatError, UnknownSeriesError
from truewind.market.selection import UniverseSettings, choices, select
from truewind.market.universe import (
    QUIET_US,
    Event,
    Specifications,
    Universe,
    lake_events,
    observe,
    observe_days,
    universe_of,
)
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

VENUE = "binance_usdm"
JAN = parse_ts_us("2024-01-01")


def write_bars(lake: Lake, symbol: str, first_day: int, days: int, volume: Any = 1.0) -> None:
    """Daily bars of `days` from JAN + first_day on, at a price of 10. volume: one, or one for each day."""
    ts = JAN + (first_day + np.arange(days)) * DAY_US
    columns = {name: np.full(days, 10.0) for name in ("open", "high", "low", "close")}
    table = pl.DataFrame({"ts": ts, **columns, "volume": np.full(days, 1.0) * volume}).with_columns(
        pl.col("ts").cast(TS)
    )
    lake.write(SeriesKey("bars", VENUE, symbol, "1d"), table)


def entry(symbol: str, status: str = "TRADING", onboard: str = "2020-01-01", delivery: str | None = None) -> Any:
    """One symbol of a USD-M exchangeInfo."""
    return {
        "symbol": symbol, "status": status, "contractType": "PERPETUAL", "baseAsset": symbol[:-4], "quoteAsset": "USDT",
        "marginAsset": "USDT", "onboardDate": parse_ts_us(onboard) // 1000,
        "deliveryDate": parse_ts_us(delivery) // 1000 if delivery else 4133404800000,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01", "minPrice": "0.01", "maxPrice": "100000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.1", "minQty": "0.1", "maxQty": "9000"},
        ],
    }  # fmt: skip


def told(*symbols: Any) -> dict[str, Any]:
    return {"symbols": list(symbols)}


# ── the log of events ───────────────────────────────────────────────────────────────────────────────────────────────

EVENTS = st.lists(
    st.builds(Event, st.integers(0, 30), st.sampled_from(["listed", "delisted"]), st.sampled_from("ABC")), max_size=25
)


@given(EVENTS, EVENTS, st.integers(0, 30))
def test_what_comes_later_changes_no_earlier_list(events, others, now):
    """Take all later events away, or put any others there."""
    past = [event for event in events if event.ts_us <= now]
    later = [event for event in others if event.ts_us > now]
    whole, known, other = (Universe("x", part) for part in (events, past, past + later))
    for ts in range(now + 1):
        assert whole.at(ts) == known.at(ts) == other.at(ts)


@given(EVENTS, st.randoms())
def test_the_list_is_what_the_last_event_said_whatever_their_order(events, random):
    """By definition, symbol by symbol."""
    shuffled = list(events)
    random.shuffle(shuffled)
    found = Universe("x", shuffled)
    for ts in range(31):
        state = dict.fromkeys("ABC", "delisted")
        for event in sorted(events, key=lambda event: (event.ts_us, event.what == "listed")):
            if event.ts_us <= ts:
                state[event.symbol] = event.what
        assert found.at(ts) == [symbol for symbol in "ABC" if state[symbol] == "listed"]
    for life in found.between(0, 31):
        assert life.symbol in found.at(life.listed_us)


# ── snapshots of exchange information ───────────────────────────────────────────────────────────────────────────────


def test_snapshots_tell_who_came_and_who_went(lake):
    """AAA goes without a word, BBB when it was due to, CCC comes later; DDD is announced."""
    first, second = parse_ts_us("2024-02-01"), parse_ts_us("2024-03-01")
    observe(lake, VENUE, told(entry("AAAUSDT"), entry("BBBUSDT", delivery="2024-02-10T09:00")), first)
    later = told(entry("CCCUSDT", onboard="2024-02-20"), entry("DDDUSDT", "PENDING_TRADING", "2024-04-01"))
    observe(lake, VENUE, later, second)
    found = universe_of(lake, VENUE)
    assert found.at(parse_ts_us("2019-12-31")) == []
    assert found.at(parse_ts_us("2024-02-10T08:59")) == ["AAAUSDT", "BBBUSDT"]
    assert found.at(parse_ts_us("2024-02-10T09:00")) == ["AAAUSDT"]
    assert found.at(parse_ts_us("2024-02-20")) == ["AAAUSDT", "CCCUSDT"]
    assert found.at(second) == ["CCCUSDT"]
    lives = {life.symbol: life for life in found.between(first, second + 1)}
    assert sorted(lives) == ["AAAUSDT", "BBBUSDT", "CCCUSDT"]
    assert iso(lives["BBBUSDT"].delisted_us or 0) == "2024-02-10 09:00:00"


def test_the_same_snapshot_again_says_nothing_new(lake):
    info = told(entry("AAAUSDT"), entry("BBBUSDT", delivery="2024-02-10"))
    assert len(observe(lake, VENUE, info, JAN)) == 3
    assert observe(lake, VENUE, info, JAN + DAY_US) == []


def test_a_delisting_can_be_put_off_and_a_symbol_can_come_back(lake):
    at = [parse_ts_us(f"2024-0{month}-01") for month in range(1, 7)]
    observe(lake, VENUE, told(entry("AAAUSDT", delivery="2024-02-15"), entry("BBBUSDT")), at[0])
    observe(lake, VENUE, told(entry("AAAUSDT", delivery="2024-03-15"), entry("BBBUSDT")), at[1])  # put off
    observe(lake, VENUE, told(entry("AAAUSDT", "CLOSE", delivery="2024-03-15"), entry("BBBUSDT")), at[3])
    observe(lake, VENUE, told(entry("AAAUSDT"), entry("BBBUSDT")), at[5])  # back again
    found = universe_of(lake, VENUE)
    days = ["2024-02-20", "2024-03-14", "2024-03-15", "2024-04-02", "2024-06-01"]
    there = ["AAAUSDT" in found.at(parse_ts_us(day)) for day in days]
    assert there == [True, True, False, False, True]


def test_a_snapshot_of_nothing_is_not_believed(lake):
    observe(lake, VENUE, told(entry("AAAUSDT")), JAN)
    for info in ({}, told()):
        with pytest.raises(FormatError):
            observe(lake, VENUE, info, JAN + DAY_US)
    assert universe_of(lake, VENUE).at(JAN + DAY_US) == ["AAAUSDT"]


def test_specifications_are_kept_as_they_were(lake):
    """The tick of AAA became finer in February."""
    finer = entry("AAAUSDT")
    finer["filters"][0]["tickSize"] = "0.001"
    for at, info in ((JAN, entry("AAAUSDT")), (JAN + DAY_US, entry("AAAUSDT")), (JAN + 31 * DAY_US, finer)):
        observe(lake, VENUE, told(info), at)
    about = Specifications(lake, VENUE)
    assert len(about.of("AAAUSDT")) == 2
    days = (-9, 0, 30, 31, 99)
    assert [str(about.at("AAAUSDT", JAN + day * DAY_US).tick_size) for day in days] == [*["0.01"] * 3, *["0.001"] * 2]
    with pytest.raises(UnknownSeriesError):
        about.at("ZZZUSDT", JAN)
    lake.put_instrument(about.at("AAAUSDT", JAN + 99 * DAY_US))  # as a download does
    assert Specifications(lake, VENUE).at("AAAUSDT", JAN).tick_size == Decimal("0.01")
    mine = msgspec.structs.replace(about.at("AAAUSDT", JAN), tick_size=Decimal("0.5"))
    lake.put_instrument(mine)  # as a person does
    assert Specifications(lake, VENUE).at("AAAUSDT", JAN) == mine


def test_the_recorded_exchange_information(shared, lake):
    """USD-M on 2021-07-22, as cryptofeed recorded it: 113 symbols; those not trading yet or any more are not listed."""
    lines = gzip.decompress((shared / "cryptofeed" / "BINANCE_FUTURES.0.txt.gz").read_bytes()).decode().splitlines()
    info = json.loads(next(line for line in lines if " -> " in line).partition(" -> ")[2].partition(": ")[2])
    at = parse_ts_us("2021-07-22T22:25:40")
    observe(lake, VENUE, info, at)
    found = universe_of(lake, VENUE)
    trading = sorted(each["symbol"] for each in info["symbols"] if each["status"] == "TRADING")
    assert found.at(at) == trading
    onboard = next(each["onboardDate"] for each in info["symbols"] if each["symbol"] == "BTCUSDT")
    life = found.life("BTCUSDT", at)
    assert life is not None
    assert (life.listed_us, life.delisted_us) == (onboard * 1000, None)
    dated = next(each for each in info["symbols"] if each["contractType"] == "CURRENT_QUARTER")
    assert found.listed(dated["symbol"], dated["deliveryDate"] * 1000 - 1)
    assert not found.listed(dated["symbol"], dated["deliveryDate"] * 1000)


# ── bars and files ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_bars_tell_who_was_there(lake):
    """BBB ends after 20 days although AAA goes on: it is known to be gone a week later. CCC comes on the 40th day."""
    write_bars(lake, "AAAUSDT", 0, 60)
    write_bars(lake, "BBBUSDT", 0, 20)
    write_bars(lake, "CCCUSDT", 40, 20)
    found = universe_of(lake, VENUE)
    assert found.at(JAN) == []  # the first bar is not over
    assert found.at(JAN + DAY_US) == ["AAAUSDT", "BBBUSDT"]
    assert found.at(JAN + 20 * DAY_US + QUIET_US - 1) == ["AAAUSDT", "BBBUSDT"]
    assert found.at(JAN + 20 * DAY_US + QUIET_US) == ["AAAUSDT"]
    assert found.at(JAN + 41 * DAY_US) == found.at(JAN + 500 * DAY_US) == ["AAAUSDT", "CCCUSDT"]


def test_data_that_were_not_asked_for_are_no_end(lake):
    """The ledger knows that BBB was asked for to the 20th day only; of CCC all was asked."""
    write_bars(lake, "AAAUSDT", 0, 60)
    for symbol, until in (("BBBUSDT", 20), ("CCCUSDT", 60)):
        write_bars(lake, symbol, 0, 20)
        lake.note_span(SeriesKey("bars", VENUE, symbol, "1d"), JAN, JAN + until * DAY_US, "asked")
    assert universe_of(lake, VENUE).at(JAN + 50 * DAY_US) == ["AAAUSDT", "BBBUSDT"]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30), st.integers(0, 40), st.integers(0, 20)), max_size=4),
    st.integers(1, 100),
)
@examples(8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_later_bars_change_no_earlier_list(tmp_path_factory, symbols, now):
    """Bars with breaks; those that are not over at `now` are taken away: who is listed by then stays the same."""
    lakes = [Lake(tmp_path_factory.mktemp("lake")) for _ in range(2)]
    for i, (first, days, silence, more) in enumerate([(0, 120, 0, 0), *symbols]):
        for lake, last in zip(lakes, (999, now), strict=True):
            for begin, count in ((first, days), (first + days + silence, more)):
                if (kept := min(count, last - begin)) > 0:
                    write_bars(lake, f"S{i}USDT", begin, kept)
    events = [Universe(VENUE, lake_events(lake, VENUE)) for lake in lakes]
    for day in range(now + 1):
        assert events[0].at(JAN + day * DAY_US) == events[1].at(JAN + day * DAY_US)


def test_days_of_the_archive(lake):
    """Ten days, a break of twenty, five days more; the archive goes on."""
    days = [JAN + day * DAY_US for day in (*range(10), *range(30, 35))]
    observe_days(lake, VENUE, {"AAAUSDT": days[::-1], "BBBUSDT": []}, JAN + 100 * DAY_US)
    found = universe_of(lake, VENUE)
    there = [found.at(JAN + day * DAY_US) == ["AAAUSDT"] for day in (0, 1, 16, 17, 30, 31, 41, 42)]
    assert there == [False, True, True, False, False, True, True, False]
    observe_days(lake, VENUE, {"AAAUSDT": days}, days[-1] + DAY_US)  # it may go on yet
    assert universe_of(lake, VENUE).at(JAN + 42 * DAY_US) == ["AAAUSDT"]


# ── choices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_times_of_choice():
    start, end = parse_ts_us("2024-01-15T12:00"), parse_ts_us("2024-03-01")
    assert [iso(at) for at in choices("month", start, end)] == ["2024-01-15 12:00:00", "2024-02-01 00:00:00"]
    weeks = [iso(at)[:10] for at in choices("week", parse_ts_us("2024-01-01"), parse_ts_us("2024-01-16"))]
    assert weeks == ["2024-01-01", "2024-01-08", "2024-01-15"]  # Mondays
    assert len(choices("day", parse_ts_us("2024-01-01"), parse_ts_us("2024-01-31"))) == 30


def test_the_most_traded_are_chosen_by_what_was_known(lake):
    """BBB is first until CCC comes; CCC is chosen at the month after its first bars, not at that of its listing."""
    write_bars(lake, "AAAUSDT", 0, 100, volume=1.0)
    write_bars(lake, "BBBUSDT", 0, 100, volume=5.0)
    write_bars(lake, "CCCUSDT", 31, 69, volume=50.0)  # from 2024-02-01
    chosen = select(lake, VENUE, UniverseSettings(top=1), JAN + DAY_US, parse_ts_us("2024-04-01"))
    assert [(iso(p.start_us)[:10], p.symbols) for p in chosen.periods] == [
        ("2024-01-02", ("BBBUSDT",)),
        ("2024-02-01", ("BBBUSDT",)),
        ("2024-03-01", ("CCCUSDT",)),
    ]
    assert chosen.spans("BBBUSDT") == [(JAN + DAY_US, parse_ts_us("2024-03-01"))]


def test_whoever_is_delisted_leaves_at_once(lake):
    write_bars(lake, "AAAUSDT", 0, 60)
    write_bars(lake, "BBBUSDT", 0, 10)
    chosen = select(lake, VENUE, UniverseSettings(), JAN + DAY_US, JAN + 60 * DAY_US)
    assert chosen.spans("BBBUSDT") == [(JAN + DAY_US, JAN + 10 * DAY_US + QUIET_US)]


def test_kind_quote_age_and_exclusion(lake):
    perpetual, dated = Kind.PERPETUAL, Kind.FUTURE
    known = (("AAAUSDT", perpetual, "USDT"), ("BBBUSDC", perpetual, "USDC"), ("CUSDT", dated, "USDT"))
    for symbol, kind, quote in known:
        write_bars(lake, symbol, 0 if symbol != "CUSDT" else 5, 60)
        steps = {"tick_size": Decimal(1), "lot_size": Decimal(1)}
        lake.put_instrument(Instrument(symbol=symbol, venue=VENUE, kind=kind, base="A", quote=quote, **steps))
    write_bars(lake, "DDDUSDT", 0, 60)  # nobody knows what it is
    span = JAN + 10 * DAY_US, JAN + 11 * DAY_US

    def chosen(**said: Any) -> tuple[str, ...]:
        return select(lake, VENUE, UniverseSettings(**said), *span).periods[0].symbols

    assert chosen(kind="perpetual") == ("AAAUSDT", "BBBUSDC")
    assert chosen(kind="perpetual", quote="USDT") == ("AAAUSDT",)
    assert chosen(min_days=8) == ("AAAUSDT", "BBBUSDC", "DDDUSDT")
    assert chosen(exclude=("AAAUSDT",), quote="USDT") == ("CUSDT",)
    with pytest.raises(EmptyRangeError, match="universe"):
        chosen(quote="EUR")
    with pytest.raises(UnknownSeriesError, match="kraken"):
        select(lake, "kraken", UniverseSettings(), *span)


@given(st.integers(0, 2**32 - 1), st.integers(35, 110))
@examples(4, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_choice_knows_the_volumes_to_come(tmp_path_factory, seed, now):
    """Volumes after `now` are drawn anew, or there are none: choices up to it are the same."""
    rng = np.random.default_rng(seed)
    volumes = rng.exponential(1.0, (4, 120))
    other = copy.deepcopy(volumes)
    other[:, now:] = rng.exponential(100.0, (4, 120 - now))
    found = []
    for drawn, days in ((volumes, 120), (other, 120), (volumes, now)):
        lake = Lake(tmp_path_factory.mktemp("lake"))
        for i in range(4):
            first = 9 * i
            if days > first:
                write_bars(lake, f"S{i}USDT", first, days - first, drawn[i, first:days])
        rule = UniverseSettings(top=2, days=10, every="week")
        chosen = select(lake, VENUE, rule, JAN + DAY_US, JAN + 119 * DAY_US)
        found.append([p.symbols for p in chosen.periods if p.start_us <= JAN + now * DAY_US])
    assert found[0] == found[1] == found[2]


def test_hours_are_summed_where_there_are_no_days(lake):
    """Hourly bars of which only the first half of the window is AAA's."""
    for symbol, volume in (("AAAUSDT", 3.0), ("BBBUSDT", 2.0)):
        ts = JAN + np.arange(48) * HOUR_US
        columns = {name: np.full(48, 10.0) for name in ("open", "high", "low", "close")}
        busy = np.where(np.arange(48) < 24, volume, 2.0 if symbol == "BBBUSDT" else 0.0)
        table = pl.DataFrame({"ts": ts, **columns, "volume": busy}).with_columns(pl.col("ts").cast(TS))
        lake.write(SeriesKey("bars", VENUE, symbol, "1h"), table)
    rule = UniverseSettings(top=1, days=1, every="day")
    chosen = select(lake, VENUE, rule, JAN + DAY_US, JAN + 3 * DAY_US)
    assert [period.symbols for period in chosen.periods] == [("AAAUSDT",), ("BBBUSDT",)]
