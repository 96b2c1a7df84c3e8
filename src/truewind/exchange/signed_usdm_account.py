"""USD-M's signed endpoints of accounts, in all their versions, and of what an account may set.

Source: "Account Endpoints" and "Trade" of USD-M futures. v3 tells only of symbols with a position or open
orders; v1 and v2 of all.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from truewind.exchange import forms, replies, usdm_settings
from truewind.exchange.accounts import Account
from truewind.exchange.gate import Call
from truewind.exchange.orders import money, units
from truewind.exchange.parameters import Parameters
from truewind.exchange.usdm_margin import Balance, Leg, brackets
from truewind.exchange.usdm_messages import price
from truewind.exchange.usdm_venue import UsdmVenue
from truewind.portfolio.ledger import RATE_SCALE
from truewind.venues.binance.endpoints import LIMITS, USDM

_DONE = {"code": 200, "msg": "success"}


class UsdmAccounts:
    """Handlers of one venue."""

    def __init__(self, venue: UsdmVenue) -> None:
        self.venue = venue

    def table(self) -> dict[tuple[str, str], Callable[[Call], Any]]:
        return {
            **{("GET", f"/fapi/v{v}/account"): partial(self.account, version=v) for v in (1, 2, 3)},
            **{("GET", f"/fapi/v{v}/balance"): self.balances for v in (1, 2, 3)},
            **{("GET", f"/fapi/v{v}/positionRisk"): partial(self.risk, version=v) for v in (1, 2, 3)},
            ("GET", "/fapi/v1/income"): self.income,
            ("POST", "/fapi/v1/leverage"): self.set_leverage,
            ("POST", "/fapi/v1/marginType"): self.set_margin_type,
            ("POST", "/fapi/v1/positionMargin"): self.set_margin,
            ("POST", "/fapi/v1/positionSide/dual"): self.set_dual,
            ("GET", "/fapi/v1/positionSide/dual"): lambda call: {"dualSidePosition": call.account.futures.dual},
            ("POST", "/fapi/v1/multiAssetsMargin"): self.set_multi,
            ("GET", "/fapi/v1/multiAssetsMargin"): lambda call: {"multiAssetsMargin": call.account.futures.multi},
            ("GET", "/fapi/v1/leverageBracket"): self.brackets,
            ("GET", "/fapi/v1/commissionRate"): self.commission,
            ("GET", "/fapi/v1/accountConfig"): self.config,
            ("GET", "/fapi/v1/symbolConfig"): self.symbol_config,
            ("GET", "/fapi/v1/rateLimit/order"): self.order_limits,
        }

    # ── account ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def account(self, call: Call, version: int) -> dict[str, Any]:
        account = call.account
        legs = self._legs(account, every=version < 3)
        balances = [self.venue.balance(account, asset) for asset in self._assets(account)]
        row: dict[str, Any] = {}
        if version < 3:
            row |= {
                "feeTier": account.vip_level,
                "feeBurn": False,
                "canTrade": True,
                "canDeposit": True,
                "canWithdraw": True,
                "updateTime": 0,
                "multiAssetsMargin": account.futures.multi,
                "tradeGroupId": -1,
            }
        main = [balance for balance in balances if balance.asset == "USDT"]
        row |= _totals(main)
        row["assets"] = [_asset(balance, account.updated_ms, version) for balance in balances]
        names = _POSITION if version < 3 else _POSITION_V3
        row["positions"] = [_told(leg, self.venue, account.updated_ms, names) for leg in legs]
        return row

    def balances(self, call: Call) -> list[Any]:
        rows = []
        for asset in self._assets(call.account):
            balance = self.venue.balance(call.account, asset)
            rows.append(
                {
                    "accountAlias": f"local{call.account.number}",
                    "asset": asset,
                    "balance": money(balance.wallet),
                    "crossWalletBalance": money(balance.cross_wallet),
                    "crossUnPnl": money(int(balance.cross_unrealised)),
                    "availableBalance": money(int(balance.available)),
                    "maxWithdrawAmount": money(int(_withdrawable(balance))),
                    "marginAvailable": True,
                    "updateTime": call.account.updated_ms,
                }
            )
        return rows

    def risk(self, call: Call, version: int) -> list[Any]:
        symbol = call.parameters.text("symbol")
        if symbol is not None:
            self.venue.instrument(symbol)
        legs = self._legs(call.account, every=version < 3, symbol=symbol)
        names = _RISK if version < 3 else _RISK_V3
        return [_told(leg, self.venue, call.account.updated_ms, names) for leg in legs]

    def _legs(self, account: Account, *, every: bool, symbol: str | None = None) -> list[Leg]:
        known = {name for name, desks in self.venue.desks.items() if account.number in desks}
        found = []
        for name in self.venue.instruments if every else sorted(known):
            if symbol in (None, name):
                found += [leg for leg in self.venue.legs_at(account, name) if every or leg.lots or leg.ordered]
        return found

    def _assets(self, account: Account) -> list[str]:
        settled = {instrument.currency for instrument in self.venue.instruments.values()}
        return sorted(settled | account.futures.cash.keys())

    def income(self, call: Call) -> list[Any]:
        given = call.parameters
        symbol, kind = given.text("symbol"), given.text("incomeType")
        first, last, limit = given.whole("startTime"), given.whole("endTime"), given.limit(100, 1000)
        page = given.whole("page", least=1) or 1
        rows = [
            {
                "symbol": row.symbol,
                "incomeType": row.kind,
                "income": money(row.amount),
                "asset": row.asset,
                "info": str(row.trade or row.kind),
                "time": row.time,
                "tranId": row.id,
                "tradeId": str(row.trade or ""),
            }
            for row in call.account.income
            if symbol in (None, row.symbol)
            and kind in (None, row.kind)
            and (first or 0) <= row.time <= (last if last is not None else row.time)
        ]
        if first is None and "page" not in given:
            return rows[-limit:]
        return rows[limit * (page - 1) : limit * page]

    # ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────

    def set_leverage(self, call: Call) -> dict[str, Any]:
        symbol = self._symbol(call.parameters)
        leverage = call.parameters.whole("leverage", least=None)
        if leverage is None:
            raise replies.missing("leverage")
        return usdm_settings.set_leverage(self.venue, call.account, symbol, leverage)

    def set_margin_type(self, call: Call) -> dict[str, Any]:
        symbol = self._symbol(call.parameters)
        kind = call.parameters.choice("marginType", ("ISOLATED", "CROSSED"))
        usdm_settings.set_margin_type(self.venue, call.account, symbol, kind == "ISOLATED")
        return _DONE

    def set_margin(self, call: Call) -> dict[str, Any]:
        given = call.parameters
        symbol, amount = self._symbol(given), forms.amount(given, "amount")
        way = given.choice("type", ("1", "2"))
        if amount is None:
            raise replies.missing("amount")
        change = units(amount) if way == "1" else -units(amount)
        usdm_settings.add_margin(self.venue, call.account, symbol, given.text("positionSide") or "BOTH", change)
        return {"amount": float(amount), "code": 200, "msg": "Successfully modify position margin.", "type": int(way)}

    def set_dual(self, call: Call) -> dict[str, Any]:
        call.parameters.need("dualSidePosition")
        usdm_settings.set_dual(self.venue, call.account, forms.flag(call.parameters, "dualSidePosition"))
        return _DONE

    def set_multi(self, call: Call) -> dict[str, Any]:
        call.parameters.need("multiAssetsMargin")
        usdm_settings.set_multi(self.venue, call.account, forms.flag(call.parameters, "multiAssetsMargin"))
        return _DONE

    # ── terms ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def brackets(self, call: Call) -> Any:
        symbol = call.parameters.text("symbol")
        if symbol is not None:
            self.venue.instrument(symbol)
        rows = []
        for name in self.venue.instruments if symbol is None else [symbol]:
            margin = self.venue.margin_of(call.account, name)
            terms = margin.margins[0]
            tiers = margin.tiers[terms["first_tier"] : terms["last_tier"]]
            rows.append(
                {"symbol": name, "notionalCoef": 1.0, "brackets": brackets(tiers, self.venue.instruments[name])}
            )
        return rows

    def commission(self, call: Call) -> dict[str, Any]:
        symbol = self._symbol(call.parameters)
        maker, taker = (Decimal(rate) / RATE_SCALE for rate in self.venue.rates(call.account))
        return {
            "symbol": symbol,
            "makerCommissionRate": f"{maker.normalize():f}",
            "takerCommissionRate": f"{taker.normalize():f}",
            "rpiCommissionRate": "0.00005",
        }

    def config(self, call: Call) -> dict[str, Any]:
        return {
            "feeTier": call.account.vip_level,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "dualSidePosition": call.account.futures.dual,
            "updateTime": call.account.updated_ms,
            "multiAssetsMargin": call.account.futures.multi,
            "tradeGroupId": -1,
        }

    def symbol_config(self, call: Call) -> list[Any]:
        symbol = call.parameters.text("symbol")
        if symbol is not None:
            self.venue.instrument(symbol)
        rows = []
        for name in self.venue.instruments if symbol is None else [symbol]:
            leg = self.venue.legs_at(call.account, name)[0]
            rows.append(
                {
                    "symbol": name,
                    "marginType": "ISOLATED" if leg.isolated else "CROSSED",
                    "isAutoAddMargin": False,
                    "leverage": leg.leverage,
                    "maxNotionalValue": str(leg.most // 10**8),
                }
            )
        return rows

    def order_limits(self, call: Call) -> list[Any]:
        limits: list[Any] = call.account.order_limits(USDM, LIMITS[USDM], call.told_us)
        return limits

    def _symbol(self, parameters: Parameters) -> str:
        symbol = parameters.need("symbol")
        self.venue.instrument(symbol)
        return symbol


def _withdrawable(balance: Balance) -> float:
    return min(balance.available, max(0.0, balance.cross_wallet + min(0.0, balance.cross_unrealised)))


def _totals(balances: list[Balance]) -> dict[str, str]:
    """Sums in the dollar's stablecoin, of which there is one here."""

    def total(*names: str) -> str:
        return money(int(sum(getattr(balance, name) for balance in balances for name in names)))

    return {
        "totalInitialMargin": total("initial", "ordered"),
        "totalMaintMargin": total("maintenance"),
        "totalWalletBalance": total("wallet"),
        "totalUnrealizedProfit": total("unrealised"),
        "totalMarginBalance": total("margin"),
        "totalPositionInitialMargin": total("initial"),
        "totalOpenOrderInitialMargin": total("ordered"),
        "totalCrossWalletBalance": total("cross_wallet"),
        "totalCrossUnPnl": total("cross_unrealised"),
        "availableBalance": total("available"),
        "maxWithdrawAmount": money(int(sum(_withdrawable(balance) for balance in balances))),
    }


def _asset(balance: Balance, updated: int, version: int) -> dict[str, Any]:
    row = {
        "asset": balance.asset,
        "walletBalance": money(balance.wallet),
        "unrealizedProfit": money(int(balance.unrealised)),
        "marginBalance": money(int(balance.margin)),
        "maintMargin": money(int(balance.maintenance)),
        "initialMargin": money(int(balance.initial + balance.ordered)),
        "positionInitialMargin": money(int(balance.initial)),
        "openOrderInitialMargin": money(int(balance.ordered)),
        "crossWalletBalance": money(balance.cross_wallet),
        "crossUnPnl": money(int(balance.cross_unrealised)),
        "availableBalance": money(int(balance.available)),
        "maxWithdrawAmount": money(int(_withdrawable(balance))),
    }
    return row | ({"marginAvailable": True} if version < 3 else {}) | {"updateTime": updated}


# The fields of a position that each reply tells, in its order.
_POSITION = (
    "symbol initialMargin maintMargin unrealizedProfit positionInitialMargin openOrderInitialMargin leverage isolated "
    "entryPrice breakEvenPrice maxNotional bidNotional askNotional positionSide positionAmt notional isolatedWallet "
    "updateTime"
)
_POSITION_V3 = (
    "symbol positionSide positionAmt unrealizedProfit isolatedMargin notional isolatedWallet initialMargin maintMargin "
    "updateTime"
)
_RISK = (
    "symbol positionAmt entryPrice breakEvenPrice markPrice unRealizedProfit liquidationPrice leverage "
    "maxNotionalValue marginType isolatedMargin isAutoAddMargin positionSide notional isolatedWallet updateTime"
)
_RISK_V3 = (
    "symbol positionSide positionAmt entryPrice breakEvenPrice markPrice unRealizedProfit liquidationPrice "
    "isolatedMargin notional marginAsset isolatedWallet initialMargin maintMargin positionInitialMargin "
    "openOrderInitialMargin adl bidNotional askNotional updateTime"
)


def _told(leg: Leg, venue: UsdmVenue, updated: int, names: str) -> dict[str, Any]:
    """The fields `names` of a position."""
    most, unrealised = str(leg.most // 10**8), money(int(leg.unrealised))
    fields = {
        "symbol": leg.symbol,
        "positionSide": leg.side,
        "positionAmt": venue.figures[leg.symbol].quantity(leg.lots),
        "entryPrice": price(leg.entry),
        "breakEvenPrice": price(leg.even),
        "markPrice": f"{leg.mark:.8f}",
        "liquidationPrice": price(leg.liquidation) if leg.liquidation else "0",
        "unrealizedProfit": unrealised,
        "unRealizedProfit": unrealised,
        "initialMargin": money(int(leg.initial + leg.ordered)),
        "maintMargin": money(int(leg.maintenance)),
        "positionInitialMargin": money(int(leg.initial)),
        "openOrderInitialMargin": money(int(leg.ordered)),
        "leverage": str(leg.leverage),
        "maxNotional": most,
        "maxNotionalValue": most,
        "isolated": leg.isolated,
        "marginType": "isolated" if leg.isolated else "cross",
        "isAutoAddMargin": "false",
        "isolatedMargin": money(int(leg.wallet + leg.unrealised)) if leg.isolated and leg.lots else money(0),
        "isolatedWallet": money(max(0, leg.wallet)),
        "marginAsset": venue.instruments[leg.symbol].currency,
        "notional": money(int(leg.notional if leg.lots >= 0 else -leg.notional)),
        "bidNotional": money(int(leg.buys)),
        "askNotional": money(int(leg.sells)),
        "adl": 0,
        "updateTime": updated if leg.lots else 0,
    }
    return {name: fields[name] for name in names.split()}
