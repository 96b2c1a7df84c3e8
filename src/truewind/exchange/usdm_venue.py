"""USD-M futures: positions, margin, funding, liquidation, the Algo Service, and what the user data stream tells.

Sources: "User Data Streams" and "Trade" of USD-M futures on developers.binance.com. Of several positions that share a
wallet each is matched, margined and liquidated at its own desk, which sees the others as money: their profit less what
they tie up.
"""

from collections.abc import Iterable
from typing import Any

from truewind.domain.book import Report
from truewind.domain.fill import FillKind
from truewind.domain.order import Reason
from truewind.exchange import usdm_messages as messages
from truewind.exchange.accounts import Account, Held, Income
from truewind.exchange.matching import Desk, Happening
from truewind.exchange.orders import Order, Orders, Trade
from truewind.exchange.tickets import usdm_ticket
from truewind.exchange.usdm_margin import LEVERAGE, Balance, Leg, balance_of, legs_of
from truewind.exchange.venue import Venue, unknown_order
from truewind.portfolio.ledger import RATE_SCALE
from truewind.portfolio.margin import Margin, MarginSettings
from truewind.venues.binance.instruments import USDM
from truewind.venues.binance.terms import fee_tables, known_tiers

_COMES_AS = {
    "STOP": "LIMIT",
    "TAKE_PROFIT": "LIMIT",
    "STOP_MARKET": "MARKET",
    "TAKE_PROFIT_MARKET": "MARKET",
    "TRAILING_STOP_MARKET": "MARKET",
}
_INCOME = {FillKind.FUNDING: "FUNDING_FEE", FillKind.INSURANCE: "INSURANCE_CLEAR"}
_CALL_AT = 0.8  # of the margin: Binance warns before it liquidates


class UsdmVenue(Venue):
    """All accounts' USD-M orders and positions."""

    market = "usdm"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.paid: dict[tuple[int, str], dict[int, int]] = {}  # fees of what is held, by leg
        self.marks: dict[str, tuple[float, float]] = {}
        self._countdowns: dict[tuple[int, str], int] = {}
        self._called: set[tuple[int, str]] = set()

    def orders(self, account: Account) -> Orders:
        return account.usdm_orders

    # ── desks and money ─────────────────────────────────────────────────────────────────────────────────────────────

    def margin_of(self, account: Account, symbol: str) -> Margin:
        instrument = self.instruments[symbol]
        tables = known_tiers(USDM, symbol)
        isolated = account.futures.isolated.get(symbol, False)
        settings = MarginSettings(
            mode="isolated" if isolated else "cross",
            position_mode="hedge" if account.futures.dual else "one_way",
            tiers="venue" if tables else "flat",
        )
        return settings.terms([instrument], {instrument.id: tables}, self.leverage(account, symbol))

    def leverage(self, account: Account, symbol: str) -> int:
        return account.futures.leverage.get(symbol, LEVERAGE)

    def rates(self, account: Account) -> tuple[int, int]:
        table = fee_tables(USDM, account.vip_level)[-1]
        return round(table.maker * RATE_SCALE), round(table.taker * RATE_SCALE)

    def open_desk(self, account: Account, symbol: str) -> Desk:
        margin = self.margin_of(account, symbol)
        desk = Desk(self.instruments[symbol], margin, self.rates(account), self.now_us(), futures=True)
        held = account.held.pop(symbol, None)
        if held is not None and len(held.legs) == len(desk.positions):
            for position, leg in zip(desk.positions, held.legs, strict=True):
                for name, value in zip(("lots", "cost", "wallet", "realised"), leg, strict=True):
                    position[name] = value
            self.paid[account.number, symbol] = dict(held.paid)
        known = self.marks.get(symbol)
        if known is not None:
            desk.know(*known)  # before the money is known nothing must come of it
        return desk

    def ready(self, account: Account, symbol: str, desk: Desk, *, ordering: bool = False) -> None:
        """Tell the desk what backs its position: the wallet, and what the account's other positions add or tie up."""
        asset = self.instruments[symbol].currency
        money = float(account.futures.cash.get(asset, 0))
        for leg in self.legs(account, asset, but=symbol, held=not ordering):
            if leg.isolated:
                money -= leg.wallet
            else:
                money += leg.unrealised - (leg.initial if ordering else leg.maintenance)
            money -= leg.ordered if ordering else 0.0
        desk.account["cash"] = int(money)

    def ready_to_order(self, account: Account, symbol: str, desk: Desk) -> None:
        self.ready(account, symbol, desk, ordering=True)

    def legs(self, account: Account, asset: str | None = None, *, but: str = "", held: bool = False) -> list[Leg]:
        """All positions of symbols that the account has traded, of one settlement asset or all.

        held: only where something is held, which is all that a desk must know while nobody orders.
        """
        found = []
        for symbol, desks in self.desks.items():
            desk, currency = desks.get(account.number), self.instruments[symbol].currency
            if desk is None or (held and not desk.positions["lots"].any()):
                continue
            if symbol != but and asset in (None, currency):
                backing = float(desk.account["cash"])
                orders = self.orders(account).of(symbol)
                found += legs_of(account, desk, orders, backing, self.paid.get((account.number, symbol), {}))
        return found

    def legs_at(self, account: Account, symbol: str) -> list[Leg]:
        """The positions of one symbol, of which the account need have none."""
        desk = self.desk(account, symbol)
        paid = self.paid.get((account.number, symbol), {})
        return legs_of(account, desk, self.orders(account).of(symbol), float(desk.account["cash"]), paid)

    def balance(self, account: Account, asset: str) -> Balance:
        return balance_of(account, asset, self.legs(account, asset))

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def place(self, account: Account, order: Order) -> None:
        """Number the order and let it come. Raises RefusedError."""
        order.id = self.ids.next("order")
        self.send(account, order, usdm_ticket(order))

    def place_algo(self, account: Account, algo: Order) -> None:
        """Let a conditional order wait in the Algo Service. Raises RefusedError."""
        desk = self.desk(account, algo.symbol)
        ticket = usdm_ticket(algo)
        algo.desk, happenings = desk.place(ticket, self.now_us())
        refused = next((h for h in happenings if h.order == algo.desk and h.kind is Report.REJECTED), None)
        if not algo.desk or refused is not None:
            reason = Reason.TOO_MANY_CONDITIONAL if refused is None else Reason(refused.reason)
            raise self.refused(reason, algo.symbol)
        algo.id = self.ids.next("algo")
        account.algos.add(algo)
        for happening in happenings:
            self.happened(account, algo.symbol, happening)

    def withdraw_algo(self, account: Account, algo: Order) -> None:
        """Raises RefusedError (−2011) if it does not wait any more."""
        if algo.status != "NEW":
            raise unknown_order()
        desk = self.desk(account, algo.symbol)
        for happening in desk.cancel(algo.desk, self.now_us()):
            self.happened(account, algo.symbol, happening)

    def count_down(self, account: Account, symbol: str, wait_us: int) -> None:
        """Cancel the symbol's orders after so long, if nobody counts down anew; 0: never."""
        if wait_us:
            self._countdowns[account.number, symbol] = self.now_us() + wait_us
        else:
            self._countdowns.pop((account.number, symbol), None)

    def pass_time(self, ts: int) -> None:
        super().pass_time(ts)
        for number, symbol in [key for key, until in self._countdowns.items() if until <= ts]:
            del self._countdowns[number, symbol]
            account = self.accounts[number]
            for order in self.orders(account).of(symbol):
                if order.is_open:
                    self.withdraw(account, order)

    def happened(self, account: Account, symbol: str, happening: Happening) -> None:
        algo = account.algos.at_desk(symbol, happening.order) if happening.order else None
        if algo is None:
            super().happened(account, symbol, happening)
            return
        algo.updated = happening.ts // 1000
        if happening.kind is Report.ACCEPTED:
            self._algo_changed(account, algo, "NEW")
        elif happening.kind is Report.TRIGGERED:
            self._comes(account, algo, happening)
        elif happening.kind is Report.CANCELLED:
            by_venue = Reason(happening.reason) is not Reason.BY_STRATEGY
            self._algo_changed(account, algo, "EXPIRED" if by_venue else "CANCELED")
        elif happening.kind in (Report.EXPIRED, Report.REJECTED):
            self._algo_changed(account, algo, "EXPIRED")

    def _comes(self, account: Account, algo: Order, happening: Happening) -> None:
        """A conditional order's trigger is reached: it comes to the book as an order of its own."""
        desk_id, desk = algo.desk, self.desks[algo.symbol][account.number]
        algo.triggered = happening.ts // 1000
        account.algos.leave_desk(algo)
        self._algo_changed(account, algo, "TRIGGERING")
        lots = algo.lots
        if algo.close_position:
            lots = abs(int(desk.positions[desk.order(desk_id)["leg"]]["lots"]))
        order = Order(
            id=self.ids.next("order"),
            client_id=algo.client_id,
            symbol=algo.symbol,
            side=algo.side,
            type=_COMES_AS[algo.type],
            asked=algo.type,
            lots=lots,
            ticks=algo.ticks,
            stop=algo.stop,
            tif=algo.tif,
            created=algo.triggered,
            updated=algo.triggered,
            working=algo.triggered,
            reduce_only=algo.reduce_only or algo.close_position,
            close_position=algo.close_position,
            position_side=algo.position_side,
            working_type=algo.working_type,
            self_trade=algo.self_trade,
            algo_id=algo.id,
            desk=desk_id,
        )
        self.orders(account).add(order)
        algo.actual = order.id
        self._algo_changed(account, algo, "TRIGGERED")
        self.changed(account, order, "NEW", Reason.NONE)

    def _algo_changed(self, account: Account, algo: Order, status: str, reason: str = "") -> None:
        algo.status = status
        if status not in ("NEW", "TRIGGERING"):
            account.algos.leave_desk(algo)
        account.algos.file(algo)
        self.keep(account, "algo", algo)
        order = self.orders(account).all.get(algo.actual)
        figures = self.figures[algo.symbol]
        self.tell(account, messages.algo_update(algo, order, figures, self.now_us() // 1000, reason))

    # ── what happened ───────────────────────────────────────────────────────────────────────────────────────────────

    def executed(self, account: Account, order: Order, happening: Happening) -> Trade:
        self._book(account, order.symbol, happening)
        return self._trade(account, order, happening)

    def _trade(self, account: Account, order: Order, happening: Happening) -> Trade:
        order.realised += happening.realised
        trade = Trade(
            id=self.ids.next("trade"),
            order=order.id,
            symbol=order.symbol,
            side=order.side,
            ticks=happening.ticks,
            lots=happening.lots,
            commission=happening.fee,
            asset=self.instruments[order.symbol].currency,
            time=happening.ts // 1000,
            maker=happening.maker,
            realised=happening.realised,
            position_side=order.position_side,
        )
        fee = "INSURANCE_CLEAR" if happening.kind is Report.LIQUIDATED else "COMMISSION"
        for kind, amount in (("REALIZED_PNL", happening.realised), (fee, -happening.fee)):
            if amount:
                self._earned(account, order.symbol, kind, amount, trade.time, trade.id)
        return trade

    def _book(self, account: Account, symbol: str, happening: Happening) -> None:
        """Move the money of a fill or payment, and remember what the position has cost in fees."""
        asset = self.instruments[symbol].currency
        cash = account.futures.cash
        cash[asset] = cash.get(asset, 0) + happening.realised - happening.fee
        paid = self.paid.setdefault((account.number, symbol), {})
        if happening.kind is not None:
            before = happening.position - happening.side * happening.lots
            kept = paid.get(happening.leg, 0)
            if before * happening.side < 0:  # it shrinks: its part of the fees leaves with it
                left = max(0, 1 - happening.lots / abs(before))
                paid[happening.leg] = int(kept * left)
            else:
                paid[happening.leg] = kept + happening.fee

    def changed(self, account: Account, order: Order, what: str, reason: Reason, trade: Trade | None = None) -> None:
        self.orders(account).file(order)
        account.updated_ms = order.updated
        self.keep(account, "order", order)
        figures, now = self.figures[order.symbol], self.now_us() // 1000
        if trade is not None:
            self.tell_account(account, "ORDER", [order.symbol])
            self.tell(account, messages.trade_lite(order, trade, figures, now))
        legs = self.legs_at(account, order.symbol) if order.symbol in self.desks else []
        bids = sum(leg.buys for leg in legs), sum(leg.sells for leg in legs)
        self.tell(account, messages.order_update(order, what, trade, figures, bids, now))
        if order.algo_id and not order.is_open:
            algo = account.algos.all[order.algo_id]
            refused = order.status == "EXPIRED" and not order.filled and reason is not Reason.NOTHING_TO_REDUCE
            text = self.refused(reason, order.symbol).error.message if refused and reason is not Reason.NONE else ""
            self._algo_changed(account, algo, "REJECTED" if refused else "FINISHED", text)

    def beside(self, account: Account, symbol: str, happening: Happening) -> None:
        """Funding, the insurance fund, or the venue taking from the position."""
        self._book(account, symbol, happening)
        when = happening.ts // 1000
        if happening.kind is Report.LIQUIDATED:
            self._liquidated(account, symbol, happening)
        elif happening.kind is None:
            kind = _INCOME.get(happening.payment, "TRANSFER")
            self._earned(account, symbol, kind, happening.realised, when, 0)
            self.tell_account(account, "FUNDING_FEE" if kind == "FUNDING_FEE" else "INSURANCE_CLEAR", [symbol])

    def _liquidated(self, account: Account, symbol: str, happening: Happening) -> None:
        """The venue's own order, which closes what the margin does not carry any more."""
        when = happening.ts // 1000
        dual = account.futures.dual
        order = Order(
            id=self.ids.next("order"),
            client_id=f"autoclose-{happening.ts}",
            symbol=symbol,
            side=happening.side,
            type="LIMIT",
            lots=happening.lots,
            filled=happening.lots,
            quote=happening.ticks * happening.lots,
            ticks=happening.ticks,
            tif="IOC",
            status="FILLED",
            created=when,
            updated=when,
            reduce_only=True,
            position_side=("LONG", "SHORT")[happening.leg] if dual else "BOTH",
        )
        self.orders(account).add(order)
        trade = self._trade(account, order, happening)
        self.orders(account).trades.append(trade)
        self.keep(account, "trade", trade)
        self.changed(account, order, "CALCULATED", Reason.LIQUIDATION, trade)

    def _earned(self, account: Account, symbol: str, kind: str, amount: int, when: int, number: int) -> None:
        row = Income(
            symbol=symbol,
            kind=kind,
            amount=amount,
            asset=self.instruments[symbol].currency,
            time=when,
            id=self.ids.next("transfer"),
            trade=number,
        )
        account.income.append(row)
        self.keep(account, "income", row)

    def tell_account(self, account: Account, why: str, symbols: Iterable[str]) -> None:
        """An ACCOUNT_UPDATE about symbols and the assets that they are settled in; remembered, too."""
        legs, assets = [], []
        for symbol in symbols:
            legs += self.legs_at(account, symbol)
            if (asset := self.instruments[symbol].currency) not in assets:
                assets.append(asset)
            self.keep(account, "position", self.held(account, symbol))
        self.keep(account, "futures", account.futures)
        balances = [self.balance(account, asset) for asset in assets]
        self.tell(account, messages.account_update(why, balances, legs, self.figures, self.now_us() // 1000))

    def held(self, account: Account, symbol: str) -> Held:
        """What must be known to hold the position again."""
        desk = self.desks[symbol][account.number]
        rows = [[int(p[name]) for name in ("lots", "cost", "wallet", "realised")] for p in desk.positions]
        return Held(symbol=symbol, legs=rows, paid=self.paid.get((account.number, symbol), {}))

    # ── mark price and funding ──────────────────────────────────────────────────────────────────────────────────────

    def on_mark(self, symbol: str, mark: float, index: float, ts: int) -> None:
        """The mark and index price from now on."""
        self.marks[symbol] = mark, index
        for number, desk in list(self.desks.get(symbol, {}).items()):
            account = self.accounts[number]
            self.ready(account, symbol, desk)
            before = [int(position["lots"]) for position in desk.positions]
            for happening in desk.mark(mark, index, ts):
                self.happened(account, symbol, happening)
            if any(before):
                self._warn(account, symbol, ts)

    def on_funding(self, symbol: str, mark: float, rate: float, ts: int) -> None:
        """Funding is settled: longs pay `rate` of their notional to shorts, or the other way round."""
        for number, desk in list(self.desks.get(symbol, {}).items()):
            account = self.accounts[number]
            self.ready(account, symbol, desk)
            for happening in desk.fund(mark, round(rate * RATE_SCALE), ts):
                self.happened(account, symbol, happening)

    def _warn(self, account: Account, symbol: str, ts: int) -> None:
        """A MARGIN_CALL when the margin is nearly used up, once until it is not any more."""
        balance = self.balance(account, self.instruments[symbol].currency)
        near = balance.cross_maintenance > _CALL_AT * (balance.cross_wallet + balance.cross_unrealised) > 0
        key = account.number, symbol
        if near and key not in self._called:
            legs = [leg for leg in self.legs_at(account, symbol) if leg.lots and not leg.isolated]
            self.tell(account, messages.margin_call(balance, legs, self.figures, ts // 1000))
        (self._called.add if near else self._called.discard)(key)
