"""Trade ticks in NautilusTrader's BacktestEngine, to a callback that does nothing.

usage: nautilus_trader_trades.py TRADES REPEATS. The watch covers `engine.run()` alone, without closing statistics.
"""

import sys
import time

import nautilus_trader
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.identifiers import TraderId, Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import TradeTickDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

import workload as w

INSTRUMENT = TestInstrumentProvider.btcusdt_binance()


class Nothing(Strategy):
    def __init__(self):
        super().__init__(StrategyConfig(order_id_tag="000"))

    def on_start(self):
        self.subscribe_trade_ticks(INSTRUMENT.id)

    def on_trade_tick(self, tick):
        pass


def main(n: int, repeats: int) -> None:
    table = w.trades(n)
    index = pd.to_datetime(table["ts"], unit="us", utc=True).as_unit("ns")
    frame = pd.DataFrame(
        {
            "price": table["price"],
            "quantity": table["quantity"],
            "buyer_maker": table["side"] < 0,
            "trade_id": [str(i) for i in range(n)],
        },
        index=index.rename("timestamp"),
    )
    data = TradeTickDataWrangler(INSTRUMENT).process(frame)

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
        engine.add_strategy(Nothing())
        start = time.perf_counter()
        engine.run()
        elapsed = time.perf_counter() - start
        engine.dispose()
        return elapsed, None

    seconds, _, rss = w.measure(run, repeats)
    w.tell(n, nautilus_trader.__version__, seconds, rss_mb=rss, orders=0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
