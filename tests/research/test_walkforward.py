"""Walk-forward: what is chosen has not seen what it is traded on, and the chain adds up."""

import numpy as np
import pytest

import truewind
from hourly import DAYS, HOURS, START, config, market
from truewind.domain.clock import iso
from truewind.errors import ConfigError
from truewind.research.walkforward import length_us, walkforward
from truewind.storage.trials import open_ledger

GRID = {"strategy.params.fast": [3, 8, 14]}
WALK = {"train": "20d", "test": "10d"}


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walk")
    lake = market(folder / "lake")
    return lake, walkforward(config(), GRID, **WALK, lake=lake, out=folder / "sweeps", workers=1)


def test_each_window_is_a_backtest_of_the_best_of_its_training(walked, tmp_path):
    """Trained and traded by single backtests on the same spans, what is open at the end paying for its close."""
    lake, walk = walked
    assert len(walk.steps) == 3
    for step in walk.steps:
        spans = [
            (step.window.train_start, step.window.train_end),
            (step.window.test_start, step.window.test_end),
        ]
        inside, outside = (
            [
                truewind.run(
                    config(),
                    overrides=[
                        f"strategy.params.fast={fast}",
                        f"data.start='{iso(first)}'",
                        f"data.end='{iso(last)}'",
                    ],
                    lake=lake,
                    runs=tmp_path,
                )
                for fast in GRID["strategy.params.fast"]
            ]
            for first, last in spans
        )
        best = max(range(3), key=lambda i: inside[i].summary["sharpe"])
        assert step.chosen == {"strategy.params.fast": GRID["strategy.params.fast"][best]}
        assert step.inside.sharpe == pytest.approx(inside[best].summary["sharpe"], rel=1e-9)
        alone = outside[best]
        open_notional = alone.equity["gross"][-1]
        final = alone.summary["final_equity"] - open_notional * (0.0005 + 0.0002)
        assert step.outside.net_return == pytest.approx(final / 10_000.0 - 1.0, rel=1e-9)
        assert step.outside.trades == alone.summary["trades"] + (open_notional > 0)


def test_the_chain_is_the_product_of_its_windows(walked):
    """Overall return, daily returns and equity tell the same."""
    _, walk = walked
    product = np.prod([1.0 + step.outside.net_return for step in walk.steps])
    assert walk.overall.net_return == pytest.approx(product - 1.0)
    assert np.prod(1.0 + walk.returns) == pytest.approx(product)
    assert walk.equity[-1] / walk.initial == pytest.approx(product)
    assert (np.diff(walk.ts_us) > 0).all()
    assert walk.profitable == np.mean([step.outside.net_return > 0 for step in walk.steps])


def test_what_comes_later_does_not_change_a_choice(tmp_path):
    """With another market from the last test on, all choices and all earlier results stay as they were."""
    changed = START + 40 * DAYS
    walks = [
        walkforward(
            config(), GRID, **WALK, lake=market(tmp_path / str(last), last), out=tmp_path / f"s{last}", workers=1
        )
        for last in (HOURS, 40 * 24)
    ]
    one, other = (walk.steps for walk in walks)
    assert [step.chosen for step in one] == [step.chosen for step in other]
    assert [step.inside for step in one] == [step.inside for step in other]
    assert one[:2] == other[:2]
    assert one[2].window.test_start == changed
    assert one[2].outside != other[2].outside


def test_callbacks_are_walked_in_the_event_lane(tmp_path):
    """Few trials, in processes, and the reader is told."""
    lake = market(tmp_path / "lake")
    (tmp_path / "caller.py").write_text(
        "from truewind.strategies.base import Strategy\n"
        "from truewind.config import Settings\n"
        "from pydantic import Field\n"
        "class Caller(Strategy):\n"
        "    '''Buys every so many bars, and sells again.'''\n"
        "    class Params(Settings):\n"
        "        every: int = Field(default=10, ge=2, le=50)\n"
        "    def on_start(self):\n"
        "        self.seen = 0\n"
        "    def on_bar(self, bar):\n"
        "        self.seen += 1\n"
        "        if self.seen % self.params.every == 0:\n"
        "            held = self.position(bar.symbol).quantity\n"
        "            (self.sell if held > 0 else self.buy)(1)\n"
    )
    given = config(
        strategy={"path": f"{tmp_path}/caller.py:Caller"},
        sizing={},
        risk={"cooldown_minutes": None, "max_exposure": 1.0},
    )
    database = tmp_path / "trials.db"
    grid = {"strategy.params.every": [5, 9]}
    walk = walkforward(given, grid, **WALK, lake=lake, out=tmp_path / "sweeps", database=database, workers=1)
    known = open_ledger(database).list(kind="walkforward")
    whole = [trial for trial in known if not trial.parent]
    assert len(whole) == 1
    assert whole[0].metrics["net_return"] == pytest.approx(walk.overall.net_return)
    # Of each window the training as such, and its two trials.
    assert len(known) == 1 + 3 * (1 + 2)
    assert sorted(t.params["strategy.params.every"] for t in known if t.days and t.parent) == [5, 5, 5, 9, 9, 9]
    assert "callbacks" in walk.slow
    assert any("event lane" in note for note in walk.notes)
    assert all(step.outside.trades > 10 for step in walk.steps)


def test_windows_without_trades_are_stated(tmp_path):
    """Nothing can be chosen where nothing trades: the account stays in cash, and efficiency is not defined."""
    given = config(strategy={"path": "truewind.strategies.crypto.ema_cross:EmaCross", "params": {"slow": 2000}})
    lake = market(tmp_path / "lake")
    walk = walkforward(given, GRID, **WALK, lake=lake, out=tmp_path / "sweeps", workers=1)
    assert all(step.chosen == {} and "none traded" in step.note for step in walk.steps)
    assert walk.overall.net_return == 0.0
    assert np.isnan(walk.efficiency)
    assert np.isnan(walk.overall.sharpe)
    plain = walk.plain()
    assert plain["efficiency"] is None
    assert plain["overall"]["sharpe"] is None


def test_too_little_data_is_refused_and_one_window_is_told(tmp_path):
    """With how much would be needed."""
    lake = market(tmp_path / "lake")
    asked = {"lake": lake, "out": tmp_path / "sweeps", "workers": 1}
    with pytest.raises(ConfigError, match=r"no room for one window: 65\.0 days are needed, 50\.0 are there"):
        walkforward(config(), GRID, train="60d", test="10d", **asked)
    one = walkforward(config(), GRID, train="40d", test="8d", anchored=True, **asked)
    assert len(one.steps) == 1
    assert any("one window only" in note for note in one.notes)
    assert any("2.0 days of the data are too few" in note for note in one.notes)  # 50 - 40 - 8
    with pytest.raises(ConfigError, match="no figure 'luck'"):
        walkforward(config(), GRID, **WALK, metric="luck", **asked)


def test_lengths_are_written_as_timeframes():
    """And nothing else is taken."""
    assert length_us("365d") == 365 * DAYS
    assert length_us("12w") == 84 * DAYS
    with pytest.raises(ConfigError, match="no length of time"):
        length_us("a year")
