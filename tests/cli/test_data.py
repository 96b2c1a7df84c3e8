"""`truewind data`: what goes in, what is there, what is wrong with it."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

HEADER = "Date,o,h,l,c,v"


def write_csv(path: Path, *, hours: int = 48, leave_out: tuple[int, ...] = (), bad: tuple[int, ...] = ()) -> Path:
    """Hourly bars with columns that must be mapped; `bad` rows have a high below the low."""
    lines = [HEADER]
    for hour in range(hours):
        if hour in leave_out:
            continue
        ts = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        price = 100 + math.sin(hour)
        high = price + 1 if hour not in bad else price - 5
        lines.append(f"{ts:%Y-%m-%d %H:%M:%S},{price:.2f},{high:.2f},{price - 1:.2f},{price:.2f},{10 + hour}")
    path.write_text("\n".join(lines) + "\n")
    return path


NAMED = ["--venue", "kraken", "--symbol", "XBTUSD", "--timeframe", "1h"]
MAPPED = [*NAMED, "--column", "ts=Date", "--column", "open=o", "--column", "high=h", "--column", "low=l"]
MAPPED += ["--column", "close=c", "--column", "volume=v"]


def test_a_mapped_csv_arrives_and_every_row_is_told(run: Any, home: Path) -> None:
    """Rows read = new + quarantined; the gap and the refused rows show up in list and check, by hand count."""
    path = write_csv(home / "x.csv", leave_out=(10, 11, 30), bad=(20,))
    report = run("data", "import", path, *MAPPED, "--json").json
    assert report["totals"] | {"series": 1} == report["totals"]
    assert (report["totals"]["read"], report["totals"]["stored"], report["totals"]["quarantined"]) == (45, 44, 1)
    assert report["quarantined"] == {"high_low": 1}

    (listed,) = run("data", "list", "--json").json["series"]
    assert (listed["venue"], listed["symbol"], listed["timeframe"], listed["rows"]) == ("kraken", "XBTUSD", "1h", 44)
    assert (listed["start"], listed["end"]) == ("2024-01-01 00:00:00", "2024-01-02 23:00:00")
    assert (listed["gap_count"], listed["missing"]) == (3, 4)
    assert listed["reasons"] == {"missing": 3, "quarantined": 1}

    checked = run("data", "check", "--json").json
    assert checked["ok"] is True
    (series,) = checked["series"]
    assert series["quarantined"] == {"high_low": 1}
    gaps = [(gap["ts_from"], gap["missing"], gap["reason"]) for gap in series["gaps"]]
    assert gaps == [
        ("2024-01-01T10:00:00Z", 2, "missing"),
        ("2024-01-01T20:00:00Z", 1, "quarantined"),
        ("2024-01-02T06:00:00Z", 1, "missing"),
    ]
    shown = run("data", "check", "XBTUSD").out
    assert "gap of 2 bars from 2024-01-01 10:00" in shown
    assert "in quarantine, high_low: 1" in shown


def test_the_ledger_speaks_in_list_and_check(run: Any, home: Path) -> None:
    """Bars that nobody asked for, an hour of trades that a recorder lost: how much, since when, and why."""
    from truewind.domain.clock import parse_ts_us
    from truewind.storage.lake import Lake
    from truewind.storage.schema import SeriesKey

    run("data", "import", write_csv(home / "x.csv", leave_out=(10, 11, 30)), *MAPPED)
    lake, noon = Lake(home / "data"), parse_ts_us("2024-01-01T12:00")
    trades = SeriesKey("trades", "kraken", "XBTUSD")
    time = pl.Series("ts", [noon]).cast(pl.Datetime("us", "UTC"))
    lake.write(trades, pl.DataFrame([time]).with_columns(price=1.0, quantity=1.0, side=pl.lit(1, pl.Int8)))
    lake.note_span(trades, noon - 3_600_000_000, noon, "lost", "recorder")
    lake.note_span(SeriesKey("bars", "kraken", "XBTUSD", "1h"), noon - 43_200_000_000, noon, "asked", "rest")

    reasons = [series["reasons"] for series in run("data", "list", "--json").json["series"]]
    assert reasons == [{"missing": 2, "not downloaded": 1}, {"lost": 1}]
    assert "lost 1" in run("data", "list").out
    shown = run("data", "check").out
    assert "gap of 2 bars from 2024-01-01 10:00 (missing)" in shown
    assert "gap of 1 bars from 2024-01-02 06:00 (not downloaded)" in shown
    assert "gap of 1:00:00 from 2024-01-01 11:00 (lost)" in shown


def test_importing_twice_changes_nothing(run: Any, home: Path) -> None:
    """The second import finds every row there already, and the snapshot keeps its id."""
    path = write_csv(home / "x.csv")
    run("data", "import", path, *MAPPED)
    first = run("data", "snapshot").out
    again = run("data", "import", path, *MAPPED, "--json").json["totals"]
    assert (again["stored"], again["duplicates"], again["replaced"]) == (0, 48, 0)
    assert run("data", "snapshot").out == first


def test_tables_for_people_say_the_same(run: Any, home: Path) -> None:
    """Without --json the same figures stand in tables."""
    path = write_csv(home / "x.csv", bad=(3,))
    done = run("data", "import", path, *MAPPED)
    assert done.code == 0
    assert "kraken XBTUSD bars 1h" in done.out
    assert "quarantined  high_low: 1" in done.out
    assert "XBTUSD" in run("data", "list").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gone.csv"], "gone.csv"),
        (["x.csv", *NAMED, "--column", "ts=When"], "When"),
        (["x.csv", *NAMED, "--column", "ts"], "maps no column"),
        (["x.csv", "--venue", "kraken", "--symbol", "X", "--timeframe", "1q"], "1q"),
        (["x.csv", *NAMED, "--kind", "candles"], "candles"),
        (["x.csv", *MAPPED, "--skip", "outliers"], "outlier"),
        (["empty.csv", *NAMED], "empty.csv"),
        (["cut.zip", *NAMED], "cut.zip"),
        (["words.csv", *NAMED], "words.csv"),
    ],
)
def test_bad_input_exits_2_and_stores_nothing(run: Any, home: Path, arguments: list[str], says: str) -> None:
    """A missing, empty, cut or foreign file and a wrong option are told by name; the lake stays empty."""
    write_csv(home / "x.csv")
    (home / "empty.csv").write_text("")
    (home / "cut.zip").write_bytes(b"PK\x03\x04 not all of a zip")
    (home / "words.csv").write_text("to be or not to be\nthat is the question\n")
    done = run("data", "import", *arguments, "--json")
    assert done.code == 2
    assert says in str(done.json["error"])
    assert not list((home / "data").rglob("*.parquet"))


def test_one_bad_file_does_not_stop_the_others(run: Any, home: Path) -> None:
    """In a folder the good file arrives and the refused one is told."""
    (home / "in").mkdir()
    write_csv(home / "in" / "x.csv")
    (home / "in" / "empty.csv").write_text("")
    done = run("data", "import", home / "in", *MAPPED, "--json")
    assert done.code == 0
    assert done.json["totals"]["stored"] == 48
    assert [refusal["file"] for refusal in done.json["refused"]] == ["empty.csv"]


def test_without_a_lake_commands_say_so(run: Any) -> None:
    """list, check and snapshot on nothing: code 2 and what to do."""
    for command in ("list", "check", "snapshot"):
        done = run("data", command, "--json")
        assert done.code == 2
        assert "Import data first" in done.json["error"]["remedy"]


def test_series_are_chosen_by_parts_of_their_name(run: Any, lake: Path) -> None:
    """Any parts will do; an unknown one is told with the closest."""
    chosen = run("data", "check", "synthetic/BTCUSDT/1h", "--json").json["series"]
    assert [one["series"] for one in chosen] == ["synthetic BTCUSDT bars 1h"]
    assert len(run("data", "check", "BTCUSDT", "--json").json["series"]) == 2  # bars and funding
    done = run("data", "check", "BTCUSD", "--json")
    assert done.code == 2
    assert done.json["error"]["remedy"] == "Did you mean 'BTCUSDT'?"


def test_damage_is_found(run: Any, lake: Path) -> None:
    """One flipped byte in a stored file: check exits 4 and names it, the other series are still told."""
    (file, *_) = sorted(lake.glob("raw/bars/**/symbol=BTCUSDT/**/*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    done = run("data", "check", "--json")
    assert done.code == 4
    assert done.json["ok"] is False
    damaged = [one["series"] for one in done.json["series"] if one["damage"]]
    assert damaged == ["synthetic BTCUSDT bars 1h"]


def test_a_snapshot_follows_the_data(run: Any, lake: Path, home: Path) -> None:
    """The id is kept in the lake, and changes when a row does."""
    first = run("data", "snapshot", "--json").json
    assert len(first["series"]) == 4
    assert list(lake.glob(f"meta/snapshots/{first['id']}*"))
    path = write_csv(home / "x.csv", hours=5)
    run("data", "import", path, *MAPPED)
    assert run("data", "snapshot", "--json").json["id"] != first["id"]
    assert run("data", "snapshot", "synthetic", "--json").json["id"] == first["id"]


def test_the_lake_is_where_the_environment_says(run: Any, lake: Path, home: Path, monkeypatch: Any) -> None:
    """TRUEWIND_LAKE wins over .env, .env over the default."""
    lake.rename(home / "elsewhere")
    assert run("data", "list").code == 2
    (home / ".env").write_text("TRUEWIND_LAKE=elsewhere\n")
    assert run("data", "list", "--json").json["lake"] == "elsewhere"
    monkeypatch.setenv("TRUEWIND_LAKE", "nowhere")
    assert run("data", "list").code == 2


def test_a_recorded_file_is_understood_without_options(run: Any, shared: Path) -> None:
    """A freqtrade file of Binance bars: symbol and timeframe from its name; rows as the file really has."""
    path = shared / "genetrader" / "BTC_USDT-1h.feather"
    rows = pl.read_ipc(path).height
    report = run("data", "import", path, "--json").json
    assert report["totals"]["read"] == rows == report["totals"]["stored"] + report["totals"]["quarantined"]
    (listed,) = run("data", "list", "--json").json["series"]
    assert (listed["symbol"], listed["timeframe"]) == ("BTCUSDT", "1h")


def test_a_synthetic_market_with_an_order_book_is_made_by_one_command(run: Any, home: Path) -> None:
    """Bars, funding and the book of the first hour; a check finds nothing wrong with it."""
    made = run(
        "data", "synthetic", "--symbol", "ADAUSDT", "--days", "1", "--timeframe", "1h", "--book-hours", "1", "--json"
    )
    assert made.json["series"] == ["synthetic ADAUSDT bars 1h", "synthetic ADAUSDT funding", "synthetic ADAUSDT book"]
    (checked,) = run("data", "check", "ADAUSDT/book", "--json").json["series"]
    assert checked["findings"] == []
    assert checked["rows"] > 50_000
    assert run("data", "synthetic", "--symbol", "ADA").code == 2


def test_trades_become_bars_and_later_trades_the_bars_after_them(run: Any, home: Path) -> None:
    """Three days of synthetic trades: hourly bars are those of the market, and nothing that is there is made again."""
    from datetime import date

    from polars.testing import assert_frame_equal

    from truewind.domain.timeframe import DAY_US, HOUR_US
    from truewind.market.resample import resample
    from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
    from truewind.storage.lake import Lake
    from truewind.storage.schema import SeriesKey

    config = SyntheticConfig(symbols=("BTCUSDT",), start=date(2024, 1, 1), days=3, timeframe="1h")
    market, lake = SyntheticMarket(config), Lake(home / "data")
    key = SeriesKey("bars", "synthetic", "BTCUSDT", "1h")
    begin = config.start_us
    for hours, expected in ((50, 49), (72, 22)):
        trades = market.trades("BTCUSDT", begin, config.start_us + hours * HOUR_US)
        begin = config.start_us + hours * HOUR_US
        lake.write(SeriesKey("trades", "synthetic", "BTCUSDT"), trades)
        made = run("data", "bars", "BTCUSDT", "--timeframe", "60m", "--json").json["series"]
        assert made == [{"series": "synthetic BTCUSDT bars 1h", "added": expected}]
    wanted = resample(market.bars("BTCUSDT"), "1m", "1h").head(71)
    assert_frame_equal(lake.read(key), wanted, rel_tol=1e-12)
    assert begin == config.start_us + 3 * DAY_US
    assert "synthetic BTCUSDT bars 1s" in run("data", "bars", "--timeframe", "1s").out
    assert run("data", "bars", "ETHUSDT").code == 2


def test_without_trades_there_is_nothing_to_make_bars_of(run: Any, lake: Path) -> None:
    done = run("data", "bars")
    assert done.code == 2
    assert "The lake holds no trades" in done.err


def test_a_check_draws_a_calendar(run: Any, lake: Path, home: Path) -> None:
    page = home / "coverage.html"
    checked = run("data", "check", "--picture", page, "--json").json
    assert checked["picture"] == str(page)
    text = page.read_text("utf-8")
    for one in checked["series"]:
        assert f"{one['venue']} {one['symbol']}" in text
    assert f"calendar: {page}" in run("data", "check", "--picture", page).out
    refused = run("data", "check", "--picture", home / "no" / "such" / "folder.html")
    assert refused.code == 4
    assert "Choose another place" in refused.err
