"""What Binance tells an account about itself: orders, fills, balances, positions, of spot and USD-M futures.

Amounts are exact decimals, as in every message that money depends on; times are the venue's milliseconds, or
microseconds (`messages.micros`). Sources: `user-data-stream.md` of binance-spot-api-docs; "User Data Streams" of USD-M
futures on developers.binance.com.
"""

from decimal import Decimal
from typing import Any

import msgspec

from truewind.errors import ProtocolError
from truewind.venues.binance.messages import Id, Stamp

_D = Decimal


class ExecutionReport(
    msgspec.Struct,
    gc=False,
    tag_field="e",
    tag="executionReport",
    rename={
        "event": "E",
        "symbol": "s",
        "client_id": "c",
        "side": "S",
        "type": "o",
        "time_in_force": "f",
        "quantity": "q",
        "price": "p",
        "stop_price": "P",
        "original_client_id": "C",
        "execution": "x",
        "status": "X",
        "reason": "r",
        "order_id": "i",
        "last_quantity": "l",
        "filled": "z",
        "last_price": "L",
        "fee": "n",
        "fee_asset": "N",
        "time": "T",
        "trade_id": "t",
        "is_maker": "m",
        "filled_quote": "Z",
    },
):
    """Spot: an order changed. execution: NEW, CANCELED, REPLACED, REJECTED, TRADE, EXPIRED, TRADE_PREVENTION."""

    event: Stamp
    symbol: str
    client_id: str
    side: str
    type: str
    time_in_force: str
    quantity: _D
    price: _D
    stop_price: _D
    original_client_id: str
    execution: str
    status: str
    reason: str
    order_id: Id
    last_quantity: _D
    filled: _D
    last_price: _D
    fee: _D
    time: Stamp
    trade_id: int
    is_maker: bool
    filled_quote: _D
    fee_asset: str | None = None


class SpotBalance(msgspec.Struct, gc=False, rename={"asset": "a", "free": "f", "locked": "l"}):
    asset: str
    free: _D
    locked: _D


class AccountPosition(
    msgspec.Struct,
    tag_field="e",
    tag="outboundAccountPosition",
    rename={"event": "E", "time": "u", "balances": "B"},
):
    """Spot: balances that may have changed with an order, as they are now."""

    event: Stamp
    time: Stamp
    balances: list[SpotBalance]


class BalanceUpdate(
    msgspec.Struct,
    gc=False,
    tag_field="e",
    tag="balanceUpdate",
    rename={"event": "E", "asset": "a", "change": "d", "time": "T"},
):
    """Spot: a deposit, a withdrawal or a transfer."""

    event: Stamp
    asset: str
    change: _D
    time: Stamp


class ListStatus(
    msgspec.Struct,
    tag_field="e",
    tag="listStatus",
    rename={
        "event": "E",
        "symbol": "s",
        "list_id": "g",
        "contingency": "c",
        "status": "l",
        "order_status": "L",
        "reason": "r",
        "client_id": "C",
        "time": "T",
        "orders": "O",
    },
):
    """Spot: an order list changed. orders: each with `s`, `i` and `c`."""

    event: Stamp
    symbol: str
    list_id: Id
    contingency: str
    status: str
    order_status: str
    reason: str
    client_id: str
    time: Stamp
    orders: list[dict[str, Any]]


class FuturesOrder(
    msgspec.Struct,
    gc=False,
    rename={
        "symbol": "s",
        "client_id": "c",
        "side": "S",
        "type": "o",
        "time_in_force": "f",
        "quantity": "q",
        "price": "p",
        "average_price": "ap",
        "stop_price": "sp",
        "execution": "x",
        "status": "X",
        "order_id": "i",
        "last_quantity": "l",
        "filled": "z",
        "last_price": "L",
        "fee_asset": "N",
        "fee": "n",
        "time": "T",
        "trade_id": "t",
        "is_maker": "m",
        "reduce_only": "R",
        "original_type": "ot",
        "position_side": "ps",
        "realized": "rp",
        "close_position": "cp",
    },
):
    """The body of ORDER_TRADE_UPDATE. fee: what this fill cost; realized: the profit of this fill. None: not told."""

    symbol: str
    client_id: str
    side: str
    type: str
    time_in_force: str
    quantity: _D
    price: _D
    average_price: _D | None
    stop_price: _D | None
    execution: str
    status: str
    order_id: Id
    last_quantity: _D
    filled: _D
    last_price: _D | None
    time: Stamp
    trade_id: int
    is_maker: bool
    reduce_only: bool
    original_type: str
    position_side: str
    close_position: bool | None = None
    realized: _D | None = None
    fee: _D | None = None
    fee_asset: str | None = None


class OrderTradeUpdate(
    msgspec.Struct,
    tag_field="e",
    tag="ORDER_TRADE_UPDATE",
    rename={"event": "E", "time": "T", "order": "o"},
):
    """USD-M: an order changed."""

    event: Stamp
    time: Stamp
    order: FuturesOrder


class FuturesBalance(
    msgspec.Struct, gc=False, rename={"asset": "a", "wallet": "wb", "cross_wallet": "cw", "change": "bc"}
):
    """change: other than by profit and fees."""

    asset: str
    wallet: _D
    cross_wallet: _D
    change: _D


class FuturesPosition(
    msgspec.Struct,
    gc=False,
    rename={
        "symbol": "s",
        "quantity": "pa",
        "entry_price": "ep",
        "realized": "cr",
        "unrealized": "up",
        "margin_type": "mt",
        "isolated_wallet": "iw",
        "side": "ps",
    },
):
    """quantity: signed. side: BOTH, or LONG and SHORT in hedge mode."""

    symbol: str
    quantity: _D
    entry_price: _D
    realized: _D
    unrealized: _D
    margin_type: str
    isolated_wallet: _D
    side: str


class AccountChange(msgspec.Struct, rename={"reason": "m", "balances": "B", "positions": "P"}):
    reason: str
    balances: list[FuturesBalance] = []
    positions: list[FuturesPosition] = []


class AccountUpdate(
    msgspec.Struct,
    tag_field="e",
    tag="ACCOUNT_UPDATE",
    rename={"event": "E", "time": "T", "change": "a"},
):
    """USD-M: balances and positions that changed, as they are now."""

    event: Stamp
    time: Stamp
    change: AccountChange


class AlgoOrder(
    msgspec.Struct,
    gc=False,
    rename={
        "client_id": "caid",
        "algo_id": "aid",
        "algo_type": "at",
        "type": "o",
        "symbol": "s",
        "side": "S",
        "position_side": "ps",
        "time_in_force": "f",
        "quantity": "q",
        "status": "X",
        "order_id": "ai",
        "average_price": "ap",
        "filled": "aq",
        "trigger_price": "tp",
        "price": "p",
        "working_type": "wt",
        "close_position": "cp",
        "reduce_only": "R",
        "triggered": "tt",
        "reason": "rm",
    },
):
    """The body of ALGO_UPDATE. order_id: of the order that it became, "" while it waits."""

    client_id: str
    algo_id: Id
    algo_type: str
    type: str
    symbol: str
    side: str
    position_side: str
    time_in_force: str
    quantity: _D
    status: str
    trigger_price: _D
    price: _D
    working_type: str
    close_position: bool
    reduce_only: bool
    order_id: str = ""
    average_price: _D = _D(0)
    filled: _D = _D(0)
    triggered: int = 0
    reason: str = ""


class AlgoUpdate(msgspec.Struct, tag_field="e", tag="ALGO_UPDATE", rename={"event": "E", "time": "T", "order": "o"}):
    """USD-M: a conditional order of the Algo Service changed."""

    event: Stamp
    time: Stamp
    order: AlgoOrder


class MarginCall(
    msgspec.Struct,
    tag_field="e",
    tag="MARGIN_CALL",
    rename={"event": "E", "positions": "p"},
):
    """USD-M: positions near liquidation; each with `s`, `ps`, `pa`, `mt`, `mp`, `up`, `mm`."""

    event: Stamp
    positions: list[dict[str, Any]]


class ConfigUpdate(
    msgspec.Struct, tag_field="e", tag="ACCOUNT_CONFIG_UPDATE", rename={"event": "E", "leverage": "ac", "mode": "ai"}
):
    """USD-M: leverage of a symbol (`s`, `l`) or multi-assets mode (`j`) was set."""

    event: Stamp
    leverage: dict[str, Any] | None = None
    mode: dict[str, Any] | None = None


class ListenKeyExpired(msgspec.Struct, gc=False, tag_field="e", tag="listenKeyExpired", rename={"event": "E"}):
    """USD-M: nothing more comes by this listen key."""

    event: Stamp


class Terminated(msgspec.Struct, gc=False, tag_field="e", tag="eventStreamTerminated", rename={"event": "E"}):
    """Spot: nothing more comes by this subscription."""

    event: Stamp


class Other(msgspec.Struct, gc=False):
    """A kind of event that is not known here. name: as the venue calls it; raw: as it came."""

    name: str
    raw: bytes


UserMessage = (
    ExecutionReport
    | AccountPosition
    | BalanceUpdate
    | ListStatus
    | OrderTradeUpdate
    | AccountUpdate
    | AlgoUpdate
    | MarginCall
    | ConfigUpdate
    | ListenKeyExpired
    | Terminated
)


class _Envelope(msgspec.Struct):
    """Of the WebSocket API (`event`) and of combined streams (`data`)."""

    event: msgspec.Raw = msgspec.Raw(b"")
    data: msgspec.Raw = msgspec.Raw(b"")


class _Named(msgspec.Struct):
    e: str


_KNOWN = {about.__struct_config__.tag for about in UserMessage.__args__}
_decode = msgspec.json.Decoder(UserMessage).decode
_name = msgspec.json.Decoder(_Named).decode
_envelope = msgspec.json.Decoder(_Envelope).decode


def user_message(frame: bytes) -> UserMessage | Other:
    """An event of a user-data stream, wrapped or not. Raises ProtocolError, which repeats nothing of the message."""
    try:
        wrapped = _envelope(frame)
        event = bytes(wrapped.event) or bytes(wrapped.data) or frame
        name = _name(event).e
        return _decode(event) if name in _KNOWN else Other(name, event)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(
            f"A message of the user-data stream is not what Binance documents: {error}",
            remedy="Ask for the account's state by REST; if all are so, look for a newer truewind",
        ) from None
