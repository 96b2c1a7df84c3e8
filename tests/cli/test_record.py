"""`truewind data record` against the local exchange: what it stores, prints and refuses."""

import pytest

from cli.conftest import Run
from truewind.exchange import LocalExchange
from truewind.market.recordings.importing import find_in_book
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

SOON = "4s"


@pytest.mark.parametrize(
    ("venue", "streams"),
    [("binance", "trades book quotes bars:1m"), ("binance_usdm", "trades book quotes marks open_interest")],
)
def test_it_records_what_is_asked_for(run: Run, exchange: LocalExchange, venue: str, streams: str) -> None:
    where = ("--venue", venue, "--network", exchange.network, "--for", SOON)
    done = run("data", "record", "--pair", "BTCUSDT", *where, "--json", "--streams", *streams.split())
    assert done.code == 0, done.err
    told = done.json
    assert told["messages"] > 0
    assert (told["lost"], told["refused"], told["reconnects"]) == (0, 0, 0)
    lake = Lake("data")
    assert str(lake.instrument(venue, "BTCUSDT").tick_size) in ("0.1", "0.10", "0.01")
    for kind in ("trades", "book", "quotes"):
        table = lake.read(SeriesKey(kind, venue, "BTCUSDT"))
        assert table.height > 0
        assert table["ts_recv"].null_count() == 0
    book = SeriesKey("book", venue, "BTCUSDT")
    assert find_in_book(lake, book, lake.read(book)) == []  # no updates missing, never crossed
    ids = lake.read(SeriesKey("trades", venue, "BTCUSDT"))["id"]
    assert (ids.diff().drop_nulls() == 1).all()
    assert (lake.read(book)["kind"] == 4).any()
    assert told["stored"] >= ids.len()


def test_it_prints_a_table_for_people(run: Run, exchange: LocalExchange) -> None:
    done = run(
        "data", "record", "--pair", "SOLUSDT", "--network", exchange.network, "--for", SOON, "--streams", "marks"
    )
    assert done.code == 0, done.err
    assert "binance_usdm SOLUSDT marks" in done.out
    assert "rows that were new" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing option '--pair'"),
        (("--pair", "BTCUSDT", "--venue", "binanse"), "Did you mean 'binance'"),
        (("--pair", "BTCUSDT", "--streams", "candles"), "'candles' cannot be recorded"),
        (("--pair", "BTCUSDT", "--venue", "binance", "--streams", "marks"), "no stream 'btcusdt@markPrice@1s'"),
        (("--pair", "NOSUCH"), "NOSUCH"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(
    run: Run, exchange: LocalExchange, arguments: tuple[str, ...], words: str
) -> None:
    done = run("data", "record", *arguments, "--network", exchange.network, "--for", SOON)
    assert done.code == 2
    assert words in done.err


def test_a_lake_elsewhere_needs_a_folder_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEWIND_LAKE", "s3://bucket/lake")
    done = run("data", "record", "--pair", "BTCUSDT")
    assert done.code == 2
    assert "--spill" in done.err
