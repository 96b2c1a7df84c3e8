"""Profit, average entry, funding and fees: the numbers that venues have published, through the kernels that book them.

Sources, by the name used below:
BYBIT-Q    Bybit, Perpetual Contracts Quotes (help.bybit.com 360008915194)
BYBIT-INV  Bybit, What is Inverse Contract
BYBIT-PNL  Bybit, P&L calculations (USDT Contract), as reprinted at wuyelx.com/2191 and pastorq.com/7518
COINLY     Coinlocally, Coin-Margined Perpetual Contracts: Margin and Profit & Loss Calculations
BMX-ENTRY  BitMEX, How to calculate entry price (support.bitmex.com 13000081236)
BIN-INTRO  Binance, A Beginner's Guide to Futures Trading (360039304272)
BIN-FEE    Binance, Futures Fee Structure & Fee Calculations (360033544231)
BIN-FILLS  Binance API documentation, GET /fapi/v1/userTrades: two recorded fills of 2022-02-26
"""

from decimal import Decimal

import pytest

from contracts import UNIT, inverse, linear
from scripted import UNLIMITED, columns, flat, free
from truewind.domain.instrument import Instrument, instrument_row
from truewind.engine.merge import merge
from truewind.engine.state import State
from truewind.numerics.exact import mul_div
from truewind.portfolio.ledger import RATE_SCALE, book_fill, book_funding
from truewind.portfolio.worth import average_entry, gains_with_price, worth_of


class Position:
    """One linear position on the ledger."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        bars = {instrument.symbol: columns([flat(1)])}
        timeline = merge(bars, dict.fromkeys(bars, 60_000_000))
        self.state = State([instrument], timeline, 1e6, "USDT", free().record(1), UNLIMITED.record(1), {})

    def trade(self, quantity: str, price: str, fee: str = "0") -> None:
        lots, side = self.instrument.lots(Decimal(quantity).copy_abs()), 1 if Decimal(quantity) > 0 else -1
        ticks, rate = self.instrument.ticks(price), int(Decimal(fee) * RATE_SCALE)
        assert book_fill(self.state.handle, 0, 0, 1, 0, 0, side, 0, ticks, lots, ticks, rate, 0)

    def fund(self, mark: str, rate: str) -> None:
        ticks = self.instrument.ticks(mark)
        assert book_funding(self.state.handle, 0, 0, 0, ticks, int(Decimal(rate) * RATE_SCALE))

    def entry(self) -> float:
        held = self.state.positions[0]
        return average_entry(held["lots"], held["cost"], self.state.instruments[0])

    def booked(self, name: str) -> float:
        """A sum of the account in USDT; of `cash` what was gained."""
        account = self.state.account[0]
        return int(account[name] - (account["initial"] if name == "cash" else 0)) / UNIT


def test_average_entry_of_two_purchases() -> None:
    """BYBIT-PNL: 0.5 BTC at 5,000 and 0.3 BTC at 6,000 were entered at 5,375."""
    position = Position(linear())
    position.trade("0.5", "5000")
    position.trade("0.3", "6000")
    assert position.entry() == 5_375.0


def test_realised_profit_with_fees_and_funding() -> None:
    """BYBIT-PNL: short 0.4 BTC at 6,000, closed at 5,000: +400, fees 1.32 and 1.10 at 0.055 %, funding 2.10 paid.

    The funding rate is the one that makes 2.10 USDT of the 2,000 USDT held at the end: −0.105 %, paid by shorts.
    """
    position = Position(linear())
    position.trade("-0.4", "6000", "0.00055")
    position.fund("5000", "-0.00105")
    position.trade("0.4", "5000", "0.00055")
    assert position.booked("realised") == 400.0
    assert position.booked("fees") == 1.32 + 1.10
    assert position.booked("funding") == -2.10
    assert position.booked("cash") == pytest.approx(400 - 1.32 - 1.10 - 2.10, abs=1e-9)


def test_profit_of_a_flip() -> None:
    """BIN-INTRO's two examples as one flip: long 1 from 5,000 to 5,500, then short from there to 5,000, 500 each.

    BIN-INTRO prints +500 for a long from 5,000 to 5,500 and +500 for a short from 5,000 to 4,500.
    """
    position = Position(linear())
    position.trade("1", "5000")
    position.trade("-2", "5500")
    assert position.booked("realised") == 500.0
    assert position.entry() == 5_500.0
    assert position.state.positions[0]["lots"] == -1_000
    position.trade("1", "5000")
    assert position.booked("realised") == 1_000.0
    short = Position(linear())
    short.trade("-1", "5000")
    short.trade("1", "4500")
    assert short.booked("realised") == 500.0


def test_recorded_fills() -> None:
    """BIN-FILLS: sold 0.005 ETH at 2,778.35, bought at 2,779.00: fees 0.0055567 and 0.005558, profit −0.00325 USDT."""
    position = Position(linear("ETHUSDT"))
    position.trade("-0.005", "2778.35", "0.0004")
    assert position.booked("fees") == 0.0055567
    position.trade("0.005", "2779", "0.0004")
    assert position.booked("fees") == pytest.approx(0.0055567 + 0.005558, abs=1e-12)
    assert position.booked("realised") == -0.00325


def inverse_profit(contracts: int, entry: str, exit_price: str, multiplier: str = "1", side: int = 1) -> float:
    """Profit of opening and closing an inverse position, in coins, as it is booked: worth by worth."""
    instrument = inverse(multiplier)
    row = instrument_row(instrument)[0]
    opened = gains_with_price(side, row) * worth_of(instrument.ticks(entry), contracts, row)
    closed = gains_with_price(-side, row) * worth_of(instrument.ticks(exit_price), contracts, row)
    return -(opened + closed) / UNIT


@pytest.mark.parametrize(
    ("contracts", "entry", "exit_price", "side", "expected", "digits"),
    [
        (10_000, "8000", "12500", 1, 0.45, 8),  # BYBIT-Q
        (10_000, "23000", "25000", 1, 0.035, 3),  # BYBIT-INV
        (1_000, "5000", "5500", 1, 0.01818182, 8),  # COINLY prints 0.01819: 1,000 × (1/5,000 − 1/5,500) is 0.018181…
        (1_000, "5000", "4500", -1, 0.02222222, 8),  # COINLY prints 0.02223, cut up in the same way
    ],
)
def test_inverse_profit(contracts: int, entry: str, exit_price: str, side: int, expected: float, digits: int) -> None:
    """BYBIT-Q, BYBIT-INV, COINLY: contracts × (1/entry − 1/exit), in coins."""
    assert round(inverse_profit(contracts, entry, exit_price, side=side), digits) == expected


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        ([(1_000, "5000"), (2_000, "6000")], 5_625.00),  # COINLY
        ([(1_000, "50000"), (3_000, "50035")], 50_026.2454071),  # BitMEX's answer at parrot.ru/bitmexru
    ],
)
def test_inverse_average_entry(fills: list[tuple[int, str]], expected: float) -> None:
    """COINLY and BitMEX: contracts ÷ Σ contracts/price, the harmonic mean."""
    instrument = inverse("1")
    row = instrument_row(instrument)[0]
    lots = sum(contracts for contracts, _ in fills)
    cost = sum(gains_with_price(1, row) * worth_of(instrument.ticks(price), n, row) for n, price in fills)
    assert average_entry(lots, cost, row) == pytest.approx(expected, rel=1e-7)


def test_worth_in_coins_before_rounding_to_lots() -> None:
    """BMX-ENTRY: 100 contracts at 29,800 are 0.00335570469 BTC, at 30,000 0.00333333333; BitMEX cuts, we round."""
    row = instrument_row(inverse("1"))[0]
    assert [worth_of(ticks, 100, row) for ticks in (298_000, 300_000)] == [335_570, 333_333]


def test_coin_margined_fee() -> None:
    """BIN-FEE: commission = contracts × size ÷ price × rate; its example buys 10 BTCUSD contracts at 0.04 % as taker.

    By hand at a price of 10,104, for the page's own was not at hand: 10 × 100 ÷ 10,104 = 0.09897070 BTC, of which
    0.04 % are 0.00003959 BTC.
    """
    row = instrument_row(inverse())[0]
    assert mul_div(worth_of(101_040, 10, row), int(Decimal("0.0004") * RATE_SCALE), RATE_SCALE) == 3_959


def test_funding_of_a_published_position() -> None:
    """Binance: funding amount = nominal value of positions × funding rate. By hand: 0.109 BTC at a mark of 11,793.63.

    1,285.50567 USDT × 0.038246 % (GET /fapi/v1/premiumIndex, the documented reply's rate) = 0.49165449… paid by longs.
    """
    for side, sign in (("", -1), ("-", 1)):
        position = Position(linear())
        position.trade(side + "0.109", "11000")
        position.fund("11793.63", "0.00038246")
        assert position.booked("funding") == sign * 0.49165450
