"""Backtests on an order book, from the lake to the report."""

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from truewind.backtest.run import run
from truewind.errors import ConfigError, EmptyRangeError, StrategyError
from truewind.market.importing import import_files
from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
from truewind.storage.journal import read_journal
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

PLAIN = '''
import json
from truewind.strategies.base import Strategy


class Plain(Strategy):
    """What Taker does, in prices and base units; writes down what it was told."""

    timer_us = 10_000

    def on_start(self):
        self.calls, self.told, self.seen, self.books = 0, [], [], 0

    def on_book(self, book):
        self.books += 1
        if self.books == 2:
            bids, asks = book.depth(5)
            self.told.append([list(map(list, bids)), list(map(list, asks)), book.mid, book.best_bid, book.ask_quantity])

    def on_trade(self, trade):
        self.seen.append([trade.price, trade.quantity, trade.side])

    def on_fill(self, fill):
        position = self.position()
        held = [fill.position, position.quantity, position.entry]
        self.told.append([fill.price, fill.quantity, fill.fee, fill.maker, *held])

    def on_timer(self):
        self.calls += 1
        if self.calls == 2:
            self.buy(0.35)
        if self.calls == 3:
            order = self.buy(0.2, limit=99.92, post_only=True)
            self.told.append([order, len(self.working()), self.working()[0].price])
            assert not self.amend(77, price=1.0) and not self.cancel(78)

    def on_stop(self):
        with open("OUT", "w") as file:
            json.dump({"told": self.told, "seen": self.seen, "timers": self.calls, "fees": self.account.fees}, file)


class OnBars(Strategy):
    def on_bar(self, bar):
        pass
'''
START_MS = 1_723_161_600_000
TAKER = '''
from truewind.domain.order import TriggerSource
from truewind.strategies.book import BookStrategy


class Taker(BookStrategy):
    """Buys three tenths at market after 20 ms and bids 0.2 at 99.9 after 30 ms."""

    timer_us = 10_000

    def __init__(self, **params):
        super().__init__(**params)
        self.calls = 0

    def on_timer(self):
        self.calls += 1
        if self.calls == 2:
            self.desk.market(1, 3)
        if self.calls == 3:
            self.desk.limit(1, 999, 2)


class ByIndex(Taker):
    def on_timer(self):
        self.calls += 1
        if self.calls == 2:
            self.desk.stop(-1, 980, 3, trigger_by=TriggerSource.INDEX)


class Broken(Taker):
    def on_timer(self):
        super().on_timer()
        if self.calls == 9:
            raise ValueError("no idea")
'''


def frame(at, **data):
    """A line of hftbacktest's collector, received `at` ms after the start and a millisecond after it happened."""
    data = {"s": "ABCUSDT", "T": START_MS + at - 1, "E": START_MS + at - 1, **data}
    return f"{(START_MS + at) * 1_000_000} {json.dumps({'stream': 'x', 'data': data})}\n"


def depth(at, first, final, previous, bids=(), asks=()):
    return frame(at, e="depthUpdate", U=first, u=final, pu=previous, b=bids, a=asks)


def trade(at, number, price, quantity, seller_took):
    return frame(at, e="trade", t=number, p=price, q=quantity, m=seller_took)


def snapshot(at, last, bids, asks):
    answer = {"lastUpdateId": last, "T": START_MS + at - 1, "bids": bids, "asks": asks}
    return f"{(START_MS + at) * 1_000_000} {json.dumps(answer)}\n"


# Bids 0.4 at 99.9; asks 0.2 at 100.1 and 0.5 at 100.2.
LINES = (
    snapshot(1, 5, [["99.9", "0.4"]], [["100.1", "0.2"], ["100.2", "0.5"]]),
    trade(2, 1, "100.1", "0.1", False),
    depth(3, 6, 6, 5, [["99.8", "1.0"]]),
    trade(60, 2, "99.9", "0.5", True),
    depth(61, 7, 7, 6, [["99.9", "0"]]),
    trade(90, 3, "99.8", "0.1", True),
    depth(100, 8, 8, 7, [["99.7", "1.0"]]),
)


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    path = tmp_path / "abcusdt.gz"
    path.write_bytes(gzip.compress("".join(LINES).encode()))
    import_files(lake, [path])
    return lake


def config(tmp_path, name="Taker", **changes):
    (tmp_path / "taker.py").write_text(TAKER)
    return {
        "name": "by hand",
        "data": {"venue": "binance_usdm", "symbols": "ABCUSDT", "kind": "book"},
        "strategy": {"path": f"{tmp_path / 'taker.py'}:{name}"},
        "account": {"cash": 1000, "leverage": 10},
        "costs": {"maker_fee": 0.0, "taker_fee": 0.001},
        "risk": {"max_exposure": 1.0, "max_position": 10.0, "max_gross": 10.0},
        "book": {"latency": {"model": "constant", "entry_ms": 1, "reply_ms": 1}, "sample_ms": 10},
        **changes,
    }


def test_a_run_by_hand(tmp_path, lake):
    """0.3 bought: 0.2 at 100.1, 0.1 at 100.2, fee 0.1 % of 30.04; of the sale of 0.5 at 99.9 our bid gets 0.1 behind
    0.4, and of that at 99.8 the other 0.1, at our own price. It is held at the end at (99.8 + 100.1) ÷ 2.
    """
    result = run(config(tmp_path), lake=lake, runs=tmp_path / "runs")
    fills = result.fills
    assert fills.select("price", "quantity", "maker").rows() == [
        (100.1, 0.2, False),
        (100.2, 0.1, False),
        (99.9, 0.1, True),
        (99.9, 0.1, True),
    ]
    assert fills["fee"].sum() == pytest.approx(0.03004)
    bought = 0.2 * 100.1 + 0.1 * 100.2 + 0.2 * 99.9
    equity = 1000 - 0.03004 + 0.5 * (99.8 + 100.1) / 2 - bought
    assert result.summary["final_equity"] == pytest.approx(equity)
    assert result.orders.select("type", "status", "filled").rows() == [
        ("market", "filled", pytest.approx(0.3)),
        ("limit", "filled", pytest.approx(0.2)),
    ]
    assert result.equity["gross"][-1] == pytest.approx(0.5 * (99.8 + 100.1) / 2)
    assert result.report.read_text(encoding="utf-8").count("walks the displayed levels") == 1
    kinds = [one.kind for one in read_journal(result.run_dir / "journal.twj")]
    assert kinds == ["start", "fill", "report", "stop"]


def test_a_plain_strategy_works_a_book_in_prices_and_base_units(tmp_path, lake):
    """The orders of `test_a_run_by_hand`: 0.35 and 99.92 go to the step that is worse for us, 0.3 and 99.9.

    Average entry (0.2 × 100.1 + 0.1 × 100.2) ÷ 0.3 = 100.1333…, with 0.2 more at 99.9: 100.04.
    """
    (tmp_path / "plain.py").write_text(PLAIN.replace("OUT", str(tmp_path / "out.json")))
    given = config(tmp_path, strategy={"path": f"{tmp_path / 'plain.py'}:Plain"})
    result = run(given, lake=lake, runs=tmp_path / "runs")
    by_hand = run(config(tmp_path), lake=lake, runs=tmp_path / "runs")
    same = ["price", "quantity", "fee", "maker"]
    assert result.fills.select(same).equals(by_hand.fills.select(same))
    assert result.summary["final_equity"] == by_hand.summary["final_equity"]
    out = json.loads((tmp_path / "out.json").read_text())
    book, bought, more, sent, rested, last = out["told"]
    assert book == [[[99.9, 0.4], [99.8, 1.0]], [[100.1, 0.2], [100.2, 0.5]], 100.0, 99.9, 0.2]
    assert bought == pytest.approx([100.1, 0.2, 0.02002, False, 0.2, 0.2, 100.1])
    assert more == pytest.approx([100.2, 0.1, 0.01002, False, 0.3, 0.3, 100.13333333])
    assert sent == [pytest.approx(sent[0]), 1, 99.9]
    assert rested == pytest.approx([99.9, 0.1, 0.0, True, 0.4, 0.4, 100.075])
    assert last == pytest.approx([99.9, 0.1, 0.0, True, 0.5, 0.5, 100.04])
    assert out["seen"] == [[100.1, 0.1, 1], [99.9, 0.5, -1], [99.8, 0.1, -1]]
    assert out["fees"] == pytest.approx(0.03004)
    told = [one for one in read_journal(result.run_dir / "journal.twj") if one.kind == "timer"]
    assert out["timers"] == len(told)
    with pytest.raises(ConfigError, match="has none of on_book"):
        run(config(tmp_path, strategy={"path": f"{tmp_path / 'plain.py'}:OnBars"}), lake=lake)


def test_fees_by_the_venues_dated_tables(tmp_path, lake):
    """USD-M in August 2024, VIP 0: 0.05 % of 30.04 to take, 0.02 % of 9.99 twice to rest."""
    result = run(config(tmp_path, costs={"fees": "venue"}), lake=lake, runs=tmp_path / "runs")
    assert result.fills["fee"].sum() == pytest.approx(0.0005 * 30.04 + 0.0002 * 19.98)
    with pytest.raises(ConfigError, match="fee_currency"):
        run(config(tmp_path, costs={"fee_currency": "received"}), lake=lake)


def test_equal_runs_leave_equal_files(tmp_path, lake):
    """All files but run.json, byte by byte; and figures of less than a day are not stretched to a year."""
    first, second = (run(config(tmp_path), lake=lake, runs=tmp_path / "runs") for _ in range(2))
    assert first.result_id == second.result_id
    for path in first.run_dir.iterdir():
        if path.name != "run.json":
            assert path.read_bytes() == (second.run_dir / path.name).read_bytes()
    reasons = {item["metric"]: item["reason"] for item in first.summary["not_defined"]}
    assert {name for name, reason in reasons.items() if "less than a day" in reason} == {"cagr", "calmar"}


def test_a_run_may_begin_and_end_within_the_data(tmp_path, lake):
    """From 50 ms on the book stands as it was told before; nothing after 80 ms is seen."""
    data = {"start": "2024-08-09T00:00:00.050", "end": "2024-08-09T00:00:00.080"}
    settings = config(tmp_path)
    settings["data"] |= data
    result = run(settings, lake=lake, runs=tmp_path / "runs")
    assert result.summary["fills"] == 0  # the first timer that acts comes at 70 ms, and ends are not reached
    assert str(result.equity["ts"][0]).startswith("2024-08-09 00:00:00.06")
    with pytest.raises(EmptyRangeError):
        run(config(tmp_path, data=settings["data"] | {"start": "2025-01-01", "end": None}), lake=lake)


def test_a_trigger_by_the_index_reads_its_bars_from_the_lake(tmp_path):
    """No trade comes to 98.0; the index opens at 97.9 in the second second: sold at 99.8. Without bars it is told."""
    lake, path = Lake(tmp_path / "lake"), tmp_path / "abcusdt.gz"
    path.write_bytes(gzip.compress("".join((*LINES, depth(1200, 9, 9, 8, [["99.7", "2.0"]]))).encode()))
    import_files(lake, [path])
    alone = run(config(tmp_path, "ByIndex"), lake=lake, runs=tmp_path / "runs")
    assert alone.fills.height == 0
    warnings = json.loads((alone.run_dir / "run.json").read_bytes())["warnings"]
    assert any("1 triggers by mark or index price waited for the traded one" in warning for warning in warnings)
    opened = datetime.fromtimestamp(START_MS / 1000 + 1, UTC)
    row = {"ts": [opened], "open": [97.9], "high": [97.9], "low": [97.9], "close": [97.9], "volume": [0.0]}
    lake.write(
        SeriesKey("index_bars", "binance_usdm", "ABCUSDT", "1s"),
        pl.DataFrame(row).cast({"ts": pl.Datetime("us", "UTC")}),
    )
    result = run(config(tmp_path, "ByIndex"), lake=lake, runs=tmp_path / "runs")
    assert result.fills.select("ts", "price", "quantity").rows() == [(opened, 99.8, 0.3)]


def test_gaps_are_told_on_the_report(tmp_path):
    """Update 7 is missing: the run says since when the book is not known."""
    lake, path = Lake(tmp_path / "lake"), tmp_path / "abcusdt.gz"
    lines = (*LINES[:3], depth(50, 8, 8, 7, [["99.9", "1"]]), *LINES[3:4])
    path.write_bytes(gzip.compress("".join(lines).encode()))
    report = import_files(lake, [path])
    assert [finding.check for finding in report.files[0].warnings] == ["missing_updates", "unused_updates"]
    result = run(config(tmp_path), lake=lake, runs=tmp_path / "runs")
    warnings = json.loads((result.run_dir / "run.json").read_bytes())["warnings"]
    assert any("missing in 1 places, the first at 2024-08-09 00:00:00.049" in warning for warning in warnings)


def test_what_cannot_run_is_refused_in_words(tmp_path, lake):
    """A bar strategy, a lane without its face, two symbols, another currency."""
    with pytest.raises(ConfigError, match="no BookStrategy"):
        run(config(tmp_path, strategy={"path": "truewind.strategies.crypto.ema_cross:EmaCross"}), lake=lake)
    with pytest.raises(StrategyError, match="has no decide"):
        run(config(tmp_path, lane="compiled"), lake=lake)
    with pytest.raises(ConfigError, match="one symbol, not 2"):
        run(config(tmp_path, data={"venue": "binance_usdm", "symbols": ["A", "B"], "kind": "book"}), lake=lake)
    with pytest.raises(ConfigError, match=r"account\.currency to USDT"):
        run(config(tmp_path, account={"currency": "EUR"}), lake=lake)
    with pytest.raises(ConfigError, match="books have none"):
        run(config(tmp_path, data={"venue": "x", "symbols": "A", "kind": "book", "timeframe": "1h"}), lake=lake)


def test_a_strategy_that_raises_leaves_its_journal(tmp_path, lake):
    """What was done until then is in it."""
    with pytest.raises(StrategyError, match="no idea") as caught:
        run(config(tmp_path, "Broken"), lake=lake, runs=tmp_path / "runs")
    kinds = [one.kind for one in read_journal(caught.value.facts["run_dir"] / "journal.twj")]
    assert kinds == ["start", "fill", "report", "error"]


CACHED = """
import json, sys
import truewind

result = truewind.run(sys.argv[1], lake=sys.argv[2], runs=sys.argv[3])
(loop,) = (module for name, module in sys.modules.items() if name.startswith("book_lane_"))
stats = loop.run.stats
print(json.dumps([result.result_id, sum(stats.cache_hits.values()), sum(stats.cache_misses.values())]))
"""


def test_a_compiled_strategy_comes_from_the_disk_in_a_second_process(tmp_path):
    """The first process compiles the loop around the user's kernel, the second finds it there."""
    lake = Lake(tmp_path / "lake")
    market = SyntheticMarket(SyntheticConfig(symbols=("BTCUSDT",), days=1))
    market.write_book(lake, "BTCUSDT", market.config.start_us, market.config.start_us + 1)
    script = tmp_path / "script.py"
    script.write_text(CACHED)
    command = [
        sys.executable,
        script,
        "configs/strategies/market-maker-synthetic.yaml",
        tmp_path / "lake",
        tmp_path / "runs",
    ]
    seen = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        for _ in range(2)
    ]
    assert seen[0][0] == seen[1][0]
    assert seen[1][1:] == [1, 0]


CLOSE = ["strategy.params.half_spread=0.1", "strategy.params.seconds=5"]  # near the touch, so that much is filled


def test_the_market_maker_gives_the_same_in_both_lanes_on_a_recorded_book(shared, tmp_path):
    """Real levels and trades of Binance USD-M: hundreds of orders, equal to the last bit."""
    lake = Lake(tmp_path / "lake")
    import_files(lake, [shared / "hftbacktest" / "usdm__btcusdt_20240808.gz"], base_latency_ms=1)
    runs = [
        run(
            "configs/strategies/market-maker.yaml",
            overrides=[f"lane={lane}", *CLOSE],
            lake=lake,
            runs=tmp_path / "runs",
        )
        for lane in ("event", "compiled")
    ]
    assert runs[0].result_id == runs[1].result_id
    assert runs[0].summary["fills"] > 50
    for name in ("fills", "orders", "equity", "trades", "candles"):
        assert runs[0].table(name).equals(runs[1].table(name))
    assert np.isfinite(runs[0].equity["equity"].to_numpy()).all()
    assert runs[0].orders.filter(pl.col("status") == "filled").height > 20
