"""Hours of a recorded market on paper, over real connections that break, against the backtest of what was heard."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import HOUR_US, MINUTE_US
from truewind.live.audit import audit
from truewind.live.paper import run_session
from truewind.live.session import open_session
from truewind.market.importing import import_files
from truewind.storage.journal import journal_tables
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

SYMBOLS = ("BTCUSDT", "ETHUSDT")
START = "2025-06-20T06:30"  # on a busy machine a session may take ten seconds to open, which are 50 minutes here
CONFIG: dict[str, Any] = {
    "name": "hours on paper",
    "data": {"venue": "binance_usdm", "symbols": list(SYMBOLS), "timeframe": "1m"},
    "strategy": {"path": "truewind.strategies.crypto.ema_cross:EmaCross", "params": {"fast": 2, "slow": 3}},
    "sizing": {"method": "fraction", "value": 0.3},
    "latency": {"model": "lognormal", "entry_ms": 120.0},
    "risk": {"cooldown_minutes": None},  # two averages of minutes cross all the time
}
# Every message may be lost, told twice or overtaken; no connection lasts long, and the exchange itself restarts.
FAULTS = {
    "lose": 0.004,
    "repeat": 0.02,
    "swap": 0.02,
    "hold": 0.02,
    "hang_up": 0.6,
    "hang_up_after": 5000,
    "restart_s": 7.0,
    "restart_for_s": 0.4,
    "error": 0.05,
    "html": 0.02,
    "garbled": 0.02,
}


@pytest.fixture(scope="module")
def recorded(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A month of two perpetuals, minute by minute, with the funding that was paid."""
    lake = Lake(tmp_path_factory.mktemp("recorded") / "data")
    names = [f"{coin}_USDT_USDT-{what}" for coin in ("BTC", "ETH") for what in ("1m-futures", "8h-funding_rate")]
    folder = shared / "market-swarm"
    import_files(lake, [folder / f"{name}.feather" for name in names], venue="binance_usdm")
    return lake


def test_two_hours_on_paper_are_audited_equal(recorded, start_exchange, tmp_path) -> None:
    """Nothing is missed, funding is paid at eight, and the backtest does the same with what was heard."""
    served = {"lake": str(recorded.url), "start": START, "speed": 300.0, "limits": False, "faults": FAULTS}
    with start_exchange(**served) as exchange:
        job = open_session(
            CONFIG, network=exchange.network, lake=recorded, length_us=2 * HOUR_US, patience_us=60_000_000
        )
        result = run_session(job, tmp_path / "runs", lambda stage, done, total: None)
        figures = exchange.figures()
    assert {"repeat", "swap", "hold"} <= set(figures["faults"])
    assert job.warnings == []
    found = audit(result.run_dir)
    assert found.equal
    assert 220 <= found.rows <= 240  # which of the two is heard first, and how much sooner, is not known
    assert result.summary["fills"] >= 2  # a hitch of a second is five minutes of this market
    assert result.summary["funding"] != 0.0
    told = journal_tables(result.run_dir / "journal.twj")
    for number, symbol in enumerate(SYMBOLS):
        heard = told["bar"].filter(pl.col("symbol") == number)
        first = heard["ts"][0]
        until = told["session"]["start"][0] + 2 * HOUR_US
        was = recorded.read(SeriesKey("bars", "binance_usdm", symbol, "1m"), start_us=first, end_us=until)
        for name in ("open", "high", "low", "close", "volume"):
            assert heard[name].to_list() == was[name].to_list()
    # Whatever was cut off then, it is heard of, and paid within minutes of the market, which are less than a second.
    eight = parse_ts_us("2025-06-20T08:00")
    assert sorted(told["funding"]["symbol"]) == [0, 1]
    assert told["funding"]["ts"].is_between(eight, eight + 20 * MINUTE_US).all()


def test_the_commands(recorded, exchange_process, tmp_path, monkeypatch, capsys) -> None:
    """`truewind paper` and `truewind audit`, with an exchange in a process of its own and a lake that holds nothing.

    Instruments and the bars that warm the features up come from the venue.
    """
    from truewind import cli

    about = exchange_process("--lake", str(recorded.url), "--start", START, "--speed", "200")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRUEWIND_LAKE", str(tmp_path / "empty"))
    Path("paper.yaml").write_text(yaml.safe_dump(CONFIG))
    assert cli.main(["paper", "paper.yaml", "--network", about["network"], "--for", "10m", "--json"]) == 0
    assert json.loads(next(Path("runs").glob("*/run.json")).read_text())["warnings"] == []
    assert cli.main(["audit", "latest"]) == 0
    assert "equal" in capsys.readouterr().out
