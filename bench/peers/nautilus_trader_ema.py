"""EMA cross in NautilusTrader's BacktestEngine. usage: nautilus_trader_ema.py BARS REPEATS

What makes it fastest: `run_analysis=False` (its closing statistics append to a pandas Series once a position,
quadratic in trades), logging bypassed, HEDGING (NETTING is slower), its own compiled EMA, and no work in `on_bar` but
the comparison. The watch covers `engine.run()` alone: wrangling and adding the data come before it.
"""

import sys
import time
from decimal import Decimal

import nautilus_trader
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import TraderId, Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

import workload as w

INSTRUMENT = TestInstrumentProvider.btcusdt_binance()  # taker fee 0.1 %
# One order gets at most a quarter of its bar's volume at the close, and the rest a tick away. A hundredth of the unit
# nearly always fills at one price, as in the other engines; position and profit are given times a hundred.
SCALE = 100
BARS = BarType.from_str(f"{INSTRUMENT.id}-1-MINUTE-LAST-EXTERNAL")


class EmaCross(Strategy):
    def __init__(self):
        super().__init__(StrategyConfig(order_id_tag="000"))
        self.fast = ExponentialMovingAverage(w.FAST)
        self.slow = ExponentialMovingAverage(w.SLOW)
        self.unit = INSTRUMENT.make_qty(Decimal(1) / SCALE)
        self.side = 0
        self.seen = 0

    def on_start(self):
        self.register_indicator_for_bars(BARS, self.fast)
        self.register_indicator_for_bars(BARS, self.slow)
        self.subscribe_bars(BARS)

    def on_bar(self, bar):
        self.seen += 1
        side = 1 if self.fast.value >= self.slow.value else -1
        if side != self.side and self.slow.initialized:
            if self.side:
                self.close_all_positions(INSTRUMENT.id)
            self.side = side
            order_side = OrderSide.BUY if side > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(INSTRUMENT.id, order_side, self.unit))


def main(n: int, repeats: int) -> None:
    table = w.bars(n)
    closes_at = pd.to_datetime(table.pop("ts") + w.MINUTE_US, unit="us", utc=True).as_unit("ns")
    data = BarDataWrangler(BARS, INSTRUMENT).process(pd.DataFrame(table, index=closes_at))
    last = INSTRUMENT.make_price(table["close"][-1])

    def run():
        config = BacktestEngineConfig(
            trader_id=TraderId("BENCH-001"), run_analysis=False, logging=LoggingConfig(bypass_logging=True)
        )
        engine = BacktestEngine(config)
        engine.add_venue(
            venue=Venue("BINANCE"),
            oms_type=OmsType.HEDGING,
            account_type=AccountType.MARGIN,
            base_currency=None,
            starting_balances=[Money(w.CASH, USDT)],
        )
        engine.add_instrument(INSTRUMENT)
        engine.add_data(data)
        strategy = EmaCross()
        engine.add_strategy(strategy)
        start = time.perf_counter()
        engine.run()
        elapsed = time.perf_counter() - start
        found = facts(engine, strategy, last)
        engine.dispose()
        return elapsed, found

    seconds, found, rss = w.measure(run, repeats)
    w.tell(n, nautilus_trader.__version__, seconds, rss_mb=rss, **found)


def facts(engine, strategy, last):
    """What the run did, read from the engine's cache after the watch has stopped."""
    orders = sorted(engine.cache.orders(), key=lambda order: int(order.client_order_id.value.rsplit("-", 1)[1]))
    signed = {OrderSide.BUY: SCALE, OrderSide.SELL: -SCALE}
    changes, position = w.changes_of_target(signed[order.side] * float(order.filled_qty) for order in orders)
    balance = engine.portfolio.account(Venue("BINANCE")).balance_total(USDT).as_double()
    unrealised = sum(held.unrealized_pnl(last).as_double() for held in engine.cache.positions_open())
    return {
        "calls": strategy.seen,
        "orders": len(orders),
        "changes": changes,
        "position": position,
        "equity": w.CASH + SCALE * (balance + unrealised - w.CASH),
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
