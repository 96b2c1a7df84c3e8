"""What Binance tells an account about itself: orders, fills, balances, positions, of spot and USD-M futures.

Amounts are exact decimals, as in every message that money depends on; times are the venue's milliseconds, or
microseconds (`messages.micros`). Sources: `user-data-stream.md` of binance-spot-api-docs; "User Data Streams" of USD-M
futures on developers.binance.com.
"""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import field

from truewind.errors import ProtocolError
from truewind.venues.binance.messages import Id, Stamp

_D = Decimal


class ExecutionReport(msgspec.Struct, gc=False, tag_field="e", tag="executionReport"):
    """Spot: an order changed. execution: NEW, CANCELED, REPLACED, REJECTED, TRADE, EXPIRED, TRADE_PREVENTION."""

    event: Stamp = field(name="E")
    symbol: str = field(name="s")
    client_id: str = field(name="c")
    side: str = field(name="S")
    type: str = field(name="o")
    time_in_force: str = field(name="f")
    quantity: _D = field(name="q")
    price: _D = field(name="p")
    stop_price: _D = field(name="P")
    original_client_id: str = field(name="C")
    execution: str = field(name="x")
    status: str = field(name="X")
    reason: str = field(name="r")
    order_id: Id = field(name="i")
    last_quantity: _D = field(name="l")
    filled: _D = field(name="z")
    last_price: _D = field(name="L")
    fee: _D = field(name="n")
    time: Stamp = field(name="T")
    trade_id: int = field(name="t")
    is_maker: bool = field(name="m")
    filled_quote: _D = field(name="Z")
    fee_asset: str | None = field(default=None, name="N")


class SpotBalance(msgspec.Struct, gc=False):
    asset: str = field(name="a")
    free: _D = field(name="f")
    locked: _D = field(name="l")


class AccountPosition(msgspec.Struct, tag_field="e", tag="outboundAccountPosition"):
    """Spot: balances that may have changed with an order, as they are now."""

    event: Stamp = field(name="E")
    time: Stamp = field(name="u")
    balances: list[SpotBalance] = field(name="B")


class BalanceUpdate(msgspec.Struct, gc=False, tag_field="e", tag="balanceUpdate"):
    """Spot: a deposit, a withdrawal or a transfer."""

    event: Stamp = field(name="E")
    asset: str = field(name="a")
    change: _D = field(name="d")
    time: Stamp = field(name="T")


class ListStatus(msgspec.Struct, tag_field="e", tag="listStatus"):
    """Spot: an order list changed. orders: each with `s`, `i` and `c`."""

    event: Stamp = field(name="E")
    symbol: str = field(name="s")
    list_id: Id = field(name="g")
    contingency: str = field(name="c")
    status: str = field(name="l")
    order_status: str = field(name="L")
    reason: str = field(name="r")
    client_id: str = field(name="C")
    time: Stamp = field(name="T")
    orders: list[dict[str, Any]] = field(name="O")


class FuturesOrder(msgspec.Struct, gc=False):
    """The body of ORDER_TRADE_UPDATE. fee: what this fill cost; realized: the profit of this fill. None: not told."""

    symbol: str = field(name="s")
    client_id: str = field(name="c")
    side: str = field(name="S")
    type: str = field(name="o")
    time_in_force: str = field(name="f")
    quantity: _D = field(name="q")
    price: _D = field(name="p")
    average_price: _D | None = field(name="ap")
    stop_price: _D | None = field(name="sp")
    execution: str = field(name="x")
    status: str = field(name="X")
    order_id: Id = field(name="i")
    last_quantity: _D = field(name="l")
    filled: _D = field(name="z")
    last_price: _D | None = field(name="L")
    time: Stamp = field(name="T")
    trade_id: int = field(name="t")
    is_maker: bool = field(name="m")
    reduce_only: bool = field(name="R")
    original_type: str = field(name="ot")
    position_side: str = field(name="ps")
    close_position: bool | None = field(default=None, name="cp")
    realized: _D | None = field(default=None, name="rp")
    fee: _D | None = field(default=None, name="n")
    fee_asset: str | None = field(default=None, name="N")


class OrderTradeUpdate(msgspec.Struct, tag_field="e", tag="ORDER_TRADE_UPDATE"):
    """USD-M: an order changed."""

    event: Stamp = field(name="E")
    time: Stamp = field(name="T")
    order: FuturesOrder = field(name="o")


class FuturesBalance(msgspec.Struct, gc=False):
    """change: other than by profit and fees."""

    asset: str = field(name="a")
    wallet: _D = field(name="wb")
    cross_wallet: _D = field(name="cw")
    change: _D = field(name="bc")


class FuturesPosition(msgspec.Struct, gc=False):
    """quantity: signed. side: BOTH, or LONG and SHORT in hedge mode."""

    symbol: str = field(name="s")
    quantity: _D = field(name="pa")
    entry_price: _D = field(name="ep")
    realized: _D = field(name="cr")
    unrealized: _D = field(name="up")
    margin_type: str = field(name="mt")
    isolated_wallet: _D = field(name="iw")
    side: str = field(name="ps")


class AccountChange(msgspec.Struct):
    reason: str = field(name="m")
    balances: list[FuturesBalance] = field(default_factory=list, name="B")
    positions: list[FuturesPosition] = field(default_factory=list, name="P")


class AccountUpdate(msgspec.Struct, tag_field="e", tag="ACCOUNT_UPDATE"):
    """USD-M: balances and positions that changed, as they are now."""

    event: Stamp = field(name="E")
    time: Stamp = field(name="T")
    change: AccountChange = field(name="a")


class AlgoOrder(msgspec.Struct, gc=False):
    """The body of ALGO_UPDATE. order_id: of the order that it became, "" while it waits."""

    client_id: str = field(name="caid")
    algo_id: Id = field(name="aid")
    algo_type: str = field(name="at")
    type: str = field(name="o")
    symbol: str = field(name="s")
    side: str = field(name="S")
    position_side: str = field(name="ps")
    time_in_force: str = field(name="f")
    quantity: _D = field(name="q")
    status: str = field(name="X")
    trigger_price: _D = field(name="tp")
    price: _D = field(name="p")
    working_type: str = field(name="wt")
    close_position: bool = field(name="cp")
    reduce_only: bool = field(name="R")
    order_id: str = field(default="", name="ai")
    average_price: _D = field(default=_D(0), name="ap")
    filled: _D = field(default=_D(0), name="aq")
    triggered: int = field(default=0, name="tt")
    reason: str = field(default="", name="rm")


class AlgoUpdate(msgspec.Struct, tag_field="e", tag="ALGO_UPDATE"):
    """USD-M: a conditional order of the Algo Service changed."""

    event: Stamp = field(name="E")
    time: Stamp = field(name="T")
    order: AlgoOrder = field(name="o")


class MarginCall(msgspec.Struct, tag_field="e", tag="MARGIN_CALL"):
    """USD-M: positions near liquidation; each with `s`, `ps`, `pa`, `mt`, `mp`, `up`, `mm`."""

    event: Stamp = field(name="E")
    positions: list[dict[str, Any]] = field(name="p")


class ConfigUpdate(msgspec.Struct, tag_field="e", tag="ACCOUNT_CONFIG_UPDATE"):
    """USD-M: leverage of a symbol (`s`, `l`) or multi-assets mode (`j`) was set."""

    event: Stamp = field(name="E")
    leverage: dict[str, Any] | None = field(default=None, name="ac")
    mode: dict[str, Any] | None = field(default=None, name="ai")


class ListenKeyExpired(msgspec.Struct, gc=False, tag_field="e", tag="listenKeyExpired"):
    """USD-M: nothing more comes by this listen key."""

    event: Stamp = field(name="E")


class Terminated(msgspec.Struct, gc=False, tag_field="e", tag="eventStreamTerminated"):
    """Spot: nothing more comes by this subscription."""

    event: Stamp = field(name="E")


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
