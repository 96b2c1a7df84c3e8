"""Spot: wallets of many assets, order lists, and what the user data stream tells of them.

An asset is free or locked: what an open order may cost is set aside when it is taken, so no fill ever lacks money.
Purchases pay their fee in what they buy, sales in what they bring (binance-spot-api-docs, `user-data-stream.md`,
`faqs/commission_faq.md`). Of an order list only one order sets money aside, for only one of them can fill.
"""

from collections.abc import Iterator
from typing import Any

from truewind.domain.order import Reason
from truewind.exchange.accounts import Account
from truewind.exchange.matching import Desk, Happening
from truewind.exchange.orders import Order, OrderList, Orders, Trade, money
from truewind.exchange.replies import RefusedError
from truewind.exchange.tickets import spot_ticket
from truewind.exchange.venue import Venue
from truewind.numerics.exact import mul_div
from truewind.portfolio.ledger import RATE_SCALE
from truewind.portfolio.margin import MarginSettings
from truewind.venues.binance.instruments import SPOT
from truewind.venues.binance.terms import fee_tables


class SpotVenue(Venue):
    """All accounts' spot orders."""

    market = "spot"

    def orders(self, account: Account) -> Orders:
        return account.spot_orders

    def rates(self, account: Account) -> tuple[int, int]:
        """Fees of maker and taker in 1e-8."""
        table = fee_tables(SPOT, account.vip_level)[-1]
        return round(table.maker * RATE_SCALE), round(table.taker * RATE_SCALE)

    def open_desk(self, account: Account, symbol: str) -> Desk:
        instrument = self.instruments[symbol]
        margin = MarginSettings().terms([instrument], {}, 1.0)
        desk = Desk(instrument, margin, (0, 0), self.now_us(), futures=False)
        desk.may_come = lambda order_id: self._can_pay(account, symbol, desk, order_id)
        return desk

    # ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def asset_of(self, order: Order) -> str:
        """What an order pays with."""
        instrument = self.instruments[order.symbol]
        return instrument.quote if order.side > 0 else instrument.base

    def needs(self, order: Order) -> int:
        """Units that an order may still cost. A market order is gone before anything else can happen."""
        if not order.is_open or order.type == "MARKET" or order.status == "PENDING_NEW":
            return 0
        figures = self.figures[order.symbol]
        if order.side < 0:
            return figures.base_units(order.left)
        return figures.units(order.left * (order.ticks or order.stop))

    def check_funds(self, account: Account, order: Order, shared: int = 0) -> None:
        """Raises RefusedError (−2010) if the account cannot pay. shared: units that its list has locked already."""
        needs = self.needs(order)
        if order.type == "MARKET" and order.side > 0:
            _, paid = self.desk(account, order.symbol).cost_of(1, order.lots)
            needs = self.figures[order.symbol].units(paid)
        elif order.type == "MARKET":
            needs = self.figures[order.symbol].base_units(order.lots)
        if needs > account.wallet.free.get(self.asset_of(order), 0) + shared:
            raise RefusedError(-2010, "Account has insufficient balance for requested action.")

    def set_aside(self, account: Account, order: Order) -> None:
        """Lock what the order needs now, and no more. In a list the one that needs most locks for all."""
        group = [order, *self.siblings(account, order)]
        needs = [self.needs(each) for each in group]
        most = needs.index(max(needs))
        wanted = [
            (need if i == most else 0) - each.locked for i, (need, each) in enumerate(zip(needs, group, strict=True))
        ]
        for change, each in sorted(zip(wanted, group, strict=True), key=lambda pair: pair[0]):
            if change:
                account.wallet.lock(self.asset_of(each), change)
                each.locked += change

    def siblings(self, account: Account, order: Order) -> Iterator[Order]:
        """Others of its list that work on the same side."""
        if order.list_id >= 0:
            orders = self.orders(account)
            for other in (orders.all[i] for i in orders.lists[order.list_id].orders if i in orders.all):
                if other.id != order.id and other.side == order.side and other.status != "PENDING_NEW":
                    yield other

    def _can_pay(self, account: Account, symbol: str, desk: Desk, order_id: int) -> bool:
        """Whether a purchase that was triggered, at whatever price there is, costs no more than is there."""
        order = self.orders(account).at_desk(symbol, order_id)
        if order is None or order.side < 0 or order.ticks:
            return True
        _, paid = desk.cost_of(1, order.left)
        free = account.wallet.free.get(self.asset_of(order), 0)
        return self.figures[symbol].units(paid) <= free + order.locked

    def executed(self, account: Account, order: Order, happening: Happening) -> Trade:
        figures, instrument, wallet = self.figures[order.symbol], self.instruments[order.symbol], account.wallet
        paid = figures.units(happening.ticks * happening.lots)
        got = figures.base_units(happening.lots)
        rate = self.rates(account)[0 if happening.maker else 1]
        fee = int(mul_div(got if order.side > 0 else paid, rate, RATE_SCALE))
        asset = instrument.base if order.side > 0 else instrument.quote
        wallet.lock(self.asset_of(order), -order.locked)
        order.locked = 0
        wallet.add(instrument.base, order.side * got)
        wallet.add(instrument.quote, -order.side * paid)
        wallet.add(asset, -fee)
        return Trade(
            id=self.ids.next("trade"),
            order=order.id,
            symbol=order.symbol,
            side=order.side,
            ticks=happening.ticks,
            lots=happening.lots,
            commission=fee,
            asset=asset,
            time=happening.ts // 1000,
            maker=happening.maker,
            list_id=order.list_id,
        )

    def deposit(self, account: Account, asset: str, amount: int) -> None:
        """Units that come from outside, or leave (negative)."""
        account.wallet.add(asset, amount)
        now = self.now_us() // 1000
        self.keep(account, "wallet", account.wallet)
        self.tell(account, {"e": "balanceUpdate", "E": now, "a": asset, "d": money(amount), "T": now})

    # ── what is told ────────────────────────────────────────────────────────────────────────────────────────────────

    def changed(self, account: Account, order: Order, what: str, reason: Reason, trade: Trade | None = None) -> None:
        self.set_aside(account, order)
        account.updated_ms = order.updated
        self.orders(account).file(order)
        self.keep(account, "order", order)
        self.keep(account, "wallet", account.wallet)
        self.tell(account, self.report(order, what, reason, trade))
        self.tell(account, self._position(account, order))
        if order.list_id >= 0:
            self.list_changed(account, order, what)

    def waits(self, order: Order) -> bool:
        return order.type.startswith(("STOP", "TAKE"))

    def triggered(self, account: Account, order: Order, happening: Happening) -> None:
        order.working = happening.ts // 1000
        self.keep(account, "order", order)
        self.tell(account, self.report(order, "NEW", Reason.NONE, None))
        for sibling in self.siblings(account, order):
            if sibling.is_open:
                self._expire(account, sibling)

    def _expire(self, account: Account, order: Order) -> None:
        """The venue takes an order back."""
        desk = self.desk(account, order.symbol)
        for happening in desk.cancel(order.desk, self.now_us()):
            if happening.order == order.desk:
                happening = happening._replace(reason=int(Reason.SIBLING_FILLED))
            self.happened(account, order.symbol, happening)

    def report(self, order: Order, what: str, reason: Reason, trade: Trade | None) -> dict[str, Any]:
        """An executionReport."""
        figures, now = self.figures[order.symbol], self.now_us() // 1000
        cancelled = what == "CANCELED" and order.cancel_id != ""
        row: dict[str, Any] = {
            "e": "executionReport",
            "E": now,
            "s": order.symbol,
            "c": order.cancel_id if cancelled else order.client_id,
            "S": "BUY" if order.side > 0 else "SELL",
            "o": order.type,
            "f": order.tif,
            "q": figures.quantity(order.lots),
            "p": figures.price(order.ticks),
            "P": figures.price(order.stop),
            "F": figures.quantity(order.shown),
            "g": order.list_id,
            "C": order.client_id if cancelled else "",
            "x": "REPLACED" if what == "AMENDMENT" else what,
            "X": order.status,
            "r": "NONE",
            "i": order.id,
            "l": figures.quantity(trade.lots if trade else 0),
            "z": figures.quantity(order.filled),
            "L": figures.price(trade.ticks if trade else 0),
            "n": money(trade.commission) if trade else "0",
            "N": trade.asset if trade else None,
            "T": order.updated,
            "t": trade.id if trade else -1,
            "I": self.ids.next("execution"),
            "w": order.working > 0 and order.status in ("NEW", "PARTIALLY_FILLED") and what != "TRADE",
            "m": trade.maker if trade else False,
            "M": False,
            "O": order.created,
            "Z": figures.quote(order.quote),
            "Y": figures.quote(trade.ticks * trade.lots) if trade else money(0),
            "Q": order.spend or money(0),
            "V": order.self_trade,
        }
        if order.working:
            row["W"] = order.working
        if order.trail:
            row["d"] = order.trail
        return row

    def _position(self, account: Account, order: Order) -> dict[str, Any]:
        instrument, wallet = self.instruments[order.symbol], account.wallet
        return {
            "e": "outboundAccountPosition",
            "E": self.now_us() // 1000,
            "u": order.updated,
            "B": [
                {"a": asset, "f": money(wallet.free.get(asset, 0)), "l": money(wallet.locked.get(asset, 0))}
                for asset in (instrument.base, instrument.quote)
            ],
        }

    # ── order lists ─────────────────────────────────────────────────────────────────────────────────────────────────

    def list_changed(self, account: Account, order: Order, what: str) -> None:
        """An order of a list has changed: the next ones come, or the list is done."""
        orders = self.orders(account)
        group = orders.lists[order.list_id]
        if order.id == group.orders[0] and group.pending:
            if order.status == "FILLED":
                waiting, group.pending = group.pending, []
                self.release(account, group, waiting)
            elif not order.is_open:
                waiting, group.pending = group.pending, []
                for pending in (orders.all[i] for i in waiting):
                    self.end(account, pending, "EXPIRED", Reason.PARENT_ENDED)
        if group.status != "ALL_DONE" and not any(orders.all[i].is_open for i in group.orders if i in orders.all):
            group.status, group.order_status = "ALL_DONE", "ALL_DONE"
            self.tell_list(account, group)

    def release(self, account: Account, group: OrderList, waiting: list[int]) -> None:
        """Let the orders of a list come that waited for its first one."""
        orders = self.orders(account)
        shared = 0
        for order in (orders.all[i] for i in waiting):
            order.status, order.updated = "NEW", self.now_us() // 1000
            try:
                self.check_funds(account, order, shared)
                self.send(account, order, spot_ticket(order))
                shared = max(shared, order.locked)
            except RefusedError:
                self.end(account, order, "EXPIRED", Reason.INSUFFICIENT_BALANCE)

    def tell_list(self, account: Account, group: OrderList) -> None:
        """A listStatus."""
        orders = self.orders(account)
        now = self.now_us() // 1000
        self.keep(account, "list", group)
        self.tell(
            account,
            {
                "e": "listStatus",
                "E": now,
                "s": group.symbol,
                "g": group.id,
                "c": group.kind,
                "l": group.status,
                "L": group.order_status,
                "r": "NONE",
                "C": group.client_id,
                "T": group.time,
                "O": [
                    {"s": group.symbol, "i": i, "c": orders.all[i].client_id} for i in group.orders if i in orders.all
                ],
            },
        )

    def withdraw_list(self, account: Account, group: OrderList) -> None:
        """Cancel all orders of a list. Raises RefusedError (−2011) if it has ended."""
        if group.status == "ALL_DONE":
            raise RefusedError(-2011, "Unknown order list sent.")
        orders = self.orders(account)
        group.pending = []  # so that they are cancelled, not expired, with the first one
        for order in [orders.all[i] for i in group.orders if i in orders.all]:
            if order.is_open:
                self.withdraw(account, order)
