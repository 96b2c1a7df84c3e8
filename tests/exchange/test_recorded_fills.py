"""Orders over HTTP on a recorded market fill as a backtest on that recording fills them."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from exchange.signed import Client
from exchange.test_matching import Scripted
from truewind.backtest.book_replay import replay_book
from truewind.backtest.data import DataSettings
from truewind.domain.clock import iso
from truewind.domain.order import OrderType, TimeInForce
from truewind.engine.book_lane import BookLane, BookSettings
from truewind.exchange.matching import Ticket
from truewind.execution.simulated.latency import LatencySettings
from truewind.risk.gate import RiskSettings
from truewind.storage.lake import Lake

EVERY_US = 500_000
ORDERS = 90


def test_a_recorded_market_fills_as_in_a_backtest(recorded_lake: Path, trade: Callable[..., None]) -> None:
    """Every half second an order at, inside or through the touch of Binance USD-M's BTCUSDT on 2024-08-08."""
    lake = Lake(recorded_lake)
    (series,) = lake.series(kind="book")
    begin = series.start_us + 30_000_000
    data = DataSettings(kind="book", venue="binance_usdm", symbols=("BTCUSDT",), start=iso(begin))
    replay = replay_book(lake, data)
    start = int(replay.events["ts_event"][0])
    plan: list[tuple[int, Ticket | int]] = []
    filled: list[tuple[int, int, int, int, int]] = []

    async def test(client: Client) -> None:
        instrument, market = replay.instrument, client.exchange.markets["usdm"]
        one = {"symbol": "BTCUSDT"}
        for i in range(ORDERS):
            client.exchange.move_to(start + (i + 1) * EVERY_US)
            book = market.book("BTCUSDT")
            side, lots = 1 if i % 2 else -1, 5 + i % 7
            own, other = (book.bids, book.asks) if side > 0 else (book.asks, book.bids)
            ticks = (own[0][0], other[0][0], own[1][0], 0)[i % 4]
            terms = {**one, "side": "BUY" if side > 0 else "SELL", "quantity": str(instrument.quantity(lots))}
            if ticks:
                terms |= {"type": "LIMIT", "timeInForce": "GTC", "price": str(instrument.price(ticks))}
                plan.append((market.now_us, Ticket(side, OrderType.LIMIT, lots, ticks)))
            else:
                terms |= {"type": "MARKET"}
                plan.append((market.now_us, Ticket(side, OrderType.MARKET, lots, tif=TimeInForce.IOC)))
            await client.do("POST", "/fapi/v1/order", **terms)
        client.pass_s(5)
        for row in await client.do("GET", "/fapi/v1/userTrades", **one, limit=1000):
            price, quantity = instrument.ticks(row["price"]), instrument.lots(row["qty"])
            fee = int(Decimal(row["commission"]) * 10**8)
            filled.append((row["orderId"], 1 if row["buyer"] else -1, price, quantity, fee))

    trade(test, synthetic=None, lake=str(recorded_lake), start=iso(start))
    house = RiskSettings(max_position=1000.0, max_exposure=1.0, max_gross=1000.0, max_drawdown=0.0)
    latency = LatencySettings(model="constant", entry_ms=0.0, reply_ms=0.0)
    lane = BookLane(
        replay.events[replay.events["ts_event"] <= start + (ORDERS * EVERY_US) + 5_000_000],
        replay.instrument,
        cash=1_000_000.0,
        settings=BookSettings(latency=latency, self_trade="expire_maker", risk=house, leverage=20.0),
    )
    strategy = Scripted(plan)
    strategy.timer_us = EVERY_US
    fills = lane.run(strategy).fills
    expected = [tuple(int(row[name]) for name in ("order", "side", "price", "lots", "fee")) for row in fills]
    assert len(filled) > 40
    assert filled == expected
