"""Archive files as Binance writes them: rows by hand, in every variant that was seen."""

import io
import zipfile

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from market.history.archive_site import zipped
from profiles import examples
from truewind.domain.clock import parse_ts_us
from truewind.errors import FormatError
from truewind.market.files.table import ROW
from truewind.market.history.archive_files import ArchiveFile, days, months, read_file
from truewind.market.validate import validate
from truewind.storage.schema import SeriesKey
from truewind.storage.schema import validate as lake_validate

BARS = SeriesKey("bars", "binance", "BTCUSDT", "1m")
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
# The first minute of BTCUSDT on 2024-01-01 as the venue's REST documents lay out a kline.
LINE = (
    "1704067200000,42283.58000000,42298.62000000,42261.02000000,42298.61000000,35.92724000,1704067259999,"
    "1519032.39407870,1327,23.18766000,980394.15268820,0"
)


def day(key: SeriesKey, text: str) -> ArchiveFile:
    start = parse_ts_us(text)
    return days(key, start + 600_000_000, start + 601_000_000)[0]


def read(key: SeriesKey, text: str, date: str = "2024-01-01") -> pl.DataFrame:
    return read_file(day(key, date), zipped("x.csv", text))


def test_paths_are_those_of_the_public_archive() -> None:
    # From the archive's README and its issues.
    cases = {
        ("bars", "binance", "BNBUSDT", "1m", "2019-01-01"): (
            "data/spot/monthly/klines/BNBUSDT/1m/BNBUSDT-1m-2019-01.zip",
            "data/spot/daily/klines/BNBUSDT/1m/BNBUSDT-1m-2019-01-01.zip",
        ),
        ("mark_bars", "binance_usdm", "ETHUSDT", "1h", "2024-02-01"): (
            "data/futures/um/monthly/markPriceKlines/ETHUSDT/1h/ETHUSDT-1h-2024-02.zip",
            "data/futures/um/daily/markPriceKlines/ETHUSDT/1h/ETHUSDT-1h-2024-02-01.zip",
        ),
        ("open_interest", "binance_usdm", "BTCUSDT", "", "2023-07-25"): (
            None,
            "data/futures/um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2023-07-25.zip",
        ),
        ("depth_bands", "binance_usdm", "BTCUSDT", "", "2025-09-04"): (
            None,
            "data/futures/um/daily/bookDepth/BTCUSDT/BTCUSDT-bookDepth-2025-09-04.zip",
        ),
        ("liquidations", "binance_coinm", "BTCUSD_PERP", "", "2023-06-25"): (
            None,
            "data/futures/cm/daily/liquidationSnapshot/BTCUSD_PERP/BTCUSD_PERP-liquidationSnapshot-2023-06-25.zip",
        ),
        ("funding", "binance_usdm", "BTCUSDT", "", "2024-03-01"): (
            "data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-03.zip",
            None,
        ),
    }
    for (kind, venue, symbol, timeframe, date), (monthly, daily) in cases.items():
        key = SeriesKey(kind, venue, symbol, timeframe)
        start = parse_ts_us(date)
        if monthly:
            assert months(key, start, start + 1)[0].path == monthly
        if daily:
            assert day(key, date).path == daily


def test_months_and_days_cover_a_span_without_overlap() -> None:
    start, end = parse_ts_us("2023-12-30T05:00"), parse_ts_us("2024-03-01T00:00")
    found = months(BARS, start, end)
    assert [file.name[-11:-4] for file in found] == ["2023-12", "2024-01", "2024-02"]
    assert found[0].end_us == found[1].start_us
    assert found[-1].end_us == end
    assert len(days(BARS, start, end)) == 2 + 31 + 29


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("micro", [False, True])
def test_klines_with_and_without_header_in_milli_and_microseconds(header: bool, micro: bool) -> None:
    line = LINE.replace("1704067200000,", "1704067200000000,").replace("1704067259999,", "1704067259999999,")
    text = (f"{HEADER}\n" if header else "") + (line if micro else LINE) + "\n"
    rows = read(BARS, text)
    assert rows.row(0, named=True) | {"ts": None, "close_time": None} == {
        ROW: 1, "ts": None, "open": 42283.58, "high": 42298.62, "low": 42261.02, "close": 42298.61,
        "volume": 35.92724, "quote_volume": 1519032.3940787, "trades": 1327.0, "taker_buy_volume": 23.18766,
        "close_time": None,
    }  # fmt: skip
    assert rows["ts"].to_physical()[0] == 1_704_067_200_000_000
    assert validate(BARS, rows).refused.is_empty()


def test_columns_go_by_name_where_a_file_names_them() -> None:
    rows = read(
        SeriesKey("funding", "binance_usdm", "BTCUSDT"), "last_funding_rate,new,calc_time\n0.0001,7,1704067200007"
    )
    assert rows.select("ts", "rate").row(0)[1] == 0.0001
    assert rows["ts"].to_physical()[0] == 1_704_067_200_007_000
    with pytest.raises(FormatError, match="lacks the columns last_funding_rate"):
        read(SeriesKey("funding", "binance_usdm", "BTCUSDT"), "calc_time,rate\n1704067200007,0.0001")


def test_aggregate_trades_of_spot_and_futures() -> None:
    spot = "2000,42000.10,0.5,1,3,1735689600000123,True,True\n2001,42000.20,0.25,4,4,1735689600000124,False,True\n"
    rows = read(SeriesKey("trades", "binance", "BTCUSDT"), spot, "2025-01-01")
    assert rows.select("price", "quantity", "side", "id").rows() == [(42000.1, 0.5, -1, 2000), (42000.2, 0.25, 1, 2001)]
    assert rows["ts"].to_physical().to_list() == [1_735_689_600_000_123, 1_735_689_600_000_124]
    futures = (
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
        "7,42000.1,0.5,1,3,1735689600123,true\n"
    )
    assert read(SeriesKey("trades", "binance_usdm", "BTCUSDT"), futures, "2025-01-01")["side"].to_list() == [-1]


METRICS = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n"
)


def test_metrics_are_two_series_with_text_times_and_empty_ratios() -> None:
    text = METRICS + (
        "2024-01-01 00:10:00,BTCUSDT,90000.5,3800000000.25,1.1,1.2,,0.9\n"
        "2024-01-01 00:05:00,BTCUSDT,90000.0,3700000000.25,1.0,1.1,1.3,0.8\n"
    )
    interest = read(SeriesKey("open_interest", "binance_usdm", "BTCUSDT"), text)
    assert interest.select("open_interest", "open_interest_value").row(0) == (90000.5, 3800000000.25)
    ratios = read(SeriesKey("long_short", "binance_usdm", "BTCUSDT"), text)
    assert ratios.select("top_accounts", "top_positions", "accounts", "taker_volume").rows() == [
        (1.1, 1.2, None, 0.9),
        (1.0, 1.1, 1.3, 0.8),
    ]
    with pytest.raises(FormatError, match="ETHUSDT"):
        read(SeriesKey("long_short", "binance_usdm", "BTCUSDT"), text.replace("BTCUSDT", "ETHUSDT", 1))


@pytest.mark.parametrize(
    ("venue", "date", "label"),
    [
        ("binance_usdm", "2026-06-24", "2026-06-24 12:00:00"),  # the end of its five minutes
        ("binance_usdm", "2026-06-25", "2026-06-25 11:55:00"),  # their start
        ("binance_coinm", "2025-01-01", "2025-01-01 11:55:00"),
    ],
)
def test_metrics_are_stamped_when_they_were_known(venue: str, date: str, label: str) -> None:
    key = SeriesKey("open_interest", venue, "BTCUSDT")
    rows = read(key, METRICS + f"{label},BTCUSDT,1,2,3,4,5,6\n", date)
    assert rows["ts"].to_physical()[0] == parse_ts_us(f"{date}T12:00:00")


def test_a_day_of_metrics_ends_with_the_midnight_after_it() -> None:
    file = day(SeriesKey("open_interest", "binance_usdm", "BTCUSDT"), "2024-01-01")
    assert file.start_us == parse_ts_us("2024-01-01T00:05")
    assert file.end_us == parse_ts_us("2024-01-02T00:05")
    assert file.name == "BTCUSDT-metrics-2024-01-01.zip"


def test_depth_quotes_and_liquidations() -> None:
    depth = "timestamp,percentage,depth,notional\n2025-09-04 00:00:09,-5,1.5,2.5\n2025-09-04 00:00:09,-0.20,1,2\n"
    rows = read(SeriesKey("depth_bands", "binance_usdm", "BTCUSDT"), depth, "2025-09-04")
    assert rows["percent"].to_list() == [-5.0, -0.2]
    quotes = (
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
        "1,27077.3,19.35,27077.4,8.6,1684237787209,1684237787214\n"
    )
    rows = read(SeriesKey("quotes", "binance_usdm", "BTCUSDT"), quotes, "2023-05-16")
    assert rows.select("bid", "bid_quantity", "ask", "ask_quantity", "id").row(0) == (27077.3, 19.35, 27077.4, 8.6, 1)
    assert rows["ts"].to_physical()[0] == 1_684_237_787_209_000
    orders = (
        "time,side,order_type,time_in_force,original_quantity,price,average_price,order_status,last_fill_quantity,"
        "accumulated_fill_quantity\n"
        "1687656471926,BUY,LIMIT,IOC,7,30741.3,30631.6,FILLED,6,7\n"
        "1687656471926,BUY,LIMIT,IOC,7,30741.3,30631.6,FILLED,6,7\n"
        "1687656473356,SELL,LIMIT,IOC,43,30756.6,30631.6,FILLED,1,43\n"
    )
    rows = read(SeriesKey("liquidations", "binance_coinm", "BTCUSD_PERP"), orders, "2023-06-25")
    assert rows.select("side", "price", "quantity", "average_price").rows() == [
        (1, 30741.3, 7.0, 30631.6),
        (-1, 30756.6, 43.0, 30631.6),
    ]


def test_mark_bars_leave_the_volume_of_zeros_out() -> None:
    rows = read(SeriesKey("mark_bars", "binance_usdm", "BTCUSDT", "1m"), LINE.replace("35.92724000", "0"))
    assert rows.columns == [ROW, "ts", "open", "high", "low", "close", "close_time"]


def test_a_row_that_cannot_be_read_is_refused_alone() -> None:
    good = LINE.split(",")
    lines = [LINE]
    for at, value in ((1, "42x"), (0, ""), (5, '"1'), (4, "nan")):
        lines.append(",".join([*good[:at], value, *good[at + 1 :]]).replace("1704067200000", "1704067260000"))
    lines += [",".join(good[:4]).replace("1704067200000", "1704067320000")]
    verdict = validate(BARS, read(BARS, "\n".join(lines)))
    assert verdict.rows.height == 1
    assert verdict.refused[ROW].to_list() == [2, 3, 4, 5, 6]


def test_damaged_zips_are_refused() -> None:
    file, data = day(BARS, "2024-01-01"), zipped("x.csv", "\n".join([LINE] * 500))
    two = io.BytesIO()
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("a.csv", LINE)
        archive.writestr("b.csv", LINE)
    flipped = bytearray(data)
    flipped[120] ^= 0xFF
    for bad in (b"", b"<html>busy</html>", data[:200], data[:-10], two.getvalue(), bytes(flipped), zipped("x.csv", "")):
        with pytest.raises(FormatError):
            read_file(file, bad)
    with pytest.raises(FormatError, match="4 columns"):
        read_file(file, zipped("x.csv", "1,2,3,4\n"))


@examples(60)
@given(data=st.binary(max_size=300), at=st.integers(0, 10_000), keep=st.booleans())
def test_any_damage_ends_in_rows_or_a_format_error(data: bytes, at: int, keep: bool) -> None:
    whole = bytearray(zipped("x.csv", "\n".join([HEADER, *[LINE] * 40])))
    at %= len(whole)
    whole[at : at + (len(data) if keep else 0)] = data
    try:
        rows = read_file(day(BARS, "2024-01-01"), bytes(whole))
    except FormatError:
        return
    assert rows.height == 40  # the damage hit a part that says nothing


PRICE = st.decimals(min_value="0.00000001", max_value="999999", places=8)


@examples(40)
@given(st.lists(st.tuples(PRICE, PRICE, st.booleans()), min_size=1, max_size=30), st.booleans())
def test_numbers_are_the_doubles_nearest_to_their_text(rows: list[tuple[object, object, bool]], header: bool) -> None:
    text = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n" if header else ""
    text += "".join(f"{n},{p},{q},1,1,{1704067200000 + n},{m}\n" for n, (p, q, m) in enumerate(rows))
    found = read(SeriesKey("trades", "binance_usdm", "BTCUSDT"), text)
    assert found["price"].to_list() == [float(str(p)) for p, _, _ in rows]
    assert found["quantity"].to_list() == [float(str(q)) for _, q, _ in rows]
    assert found["side"].to_list() == [-1 if m else 1 for _, _, m in rows]


def test_rows_are_numbered_and_a_member_need_not_be_packed() -> None:
    lines = [LINE.replace("1704067200000", str(1704067200000 + 60_000 * n)) for n in range(100)]
    rows = read(BARS, "\n".join([HEADER, *lines]))
    assert rows[ROW].to_list() == list(range(1, 101))
    assert rows["ts"].is_sorted()
    assert rows["ts"].n_unique() == 100
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x.csv", "\n".join(lines))
    assert read_file(day(BARS, "2024-01-01"), stored.getvalue()).height == 100


def test_a_zip_that_says_less_than_it_holds_is_refused() -> None:
    data = bytearray(zipped("x.csv", LINE * 3))
    size = len(LINE) * 3
    for at in range(len(data) - 4):
        if data[at : at + 4] == size.to_bytes(4, "little"):
            data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(FormatError, match="checksum"):
        read_file(day(BARS, "2024-01-01"), bytes(data))


KINDS_OF = {
    "bars": ("binance", "1m", LINE),
    "premium_index": ("binance_usdm", "1m", LINE.replace("42", "0.")),
    "trades": ("binance", "", "2000,42000.10,0.5,1,3,1704067200123,True,True"),
    "quotes": ("binance_usdm", "", "1,27077.3,19.35,27077.4,8.6,1704067200209,1704067200214"),
    "funding": ("binance_usdm", "", "1704067200007,8,0.0001"),
    "open_interest": ("binance_usdm", "", "2024-01-01 00:10:00,X,90000.5,3800000000.25,1.1,1.2,,0.9"),
    "long_short": ("binance_usdm", "", "2024-01-01 00:10:00,X,90000.5,3800000000.25,1.1,1.2,,0.9"),
    "depth_bands": ("binance_usdm", "", "2024-01-01 00:00:09,-5.00,1.5,2.5"),
    "liquidations": ("binance_coinm", "", "1704067200926,BUY,LIMIT,IOC,7,30741.3,30631.6,FILLED,6,7"),
}
ODD = st.sampled_from(["", "nan", "inf", "-1", "1e400", "9" * 30, "NULL", '"', "X", "2024-13-01 00:00:00", "\x00", "0"])


@examples(150)
@given(kind=st.sampled_from(sorted(KINDS_OF)), data=st.data())
def test_whatever_a_file_says_its_rows_are_stored_refused_or_counted(kind: str, data: st.DataObject) -> None:
    """Fields replaced, cut and added in any row, of any kind: no row is lost, and none is stored that cannot be."""
    venue, timeframe, line = KINDS_OF[kind]
    key = SeriesKey(kind, venue, "X", timeframe)
    fields = st.lists(st.one_of(st.sampled_from(line.split(",")), ODD, st.text(max_size=6)), max_size=14)
    lines = data.draw(st.lists(st.one_of(st.just(line), fields.map(",".join)), min_size=1, max_size=8))
    try:
        rows = read(key, "\n".join(lines))
    except FormatError:
        return
    verdict = validate(key, rows)
    lake_validate(key, verdict.rows)
    assert verdict.rows.height + verdict.refused.height + verdict.duplicates == rows.height
