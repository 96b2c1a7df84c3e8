"""What a futures account may change: leverage, margin type, position mode, isolated margin.

Source: "Trade" of USD-M futures and its error codes.
"""

from typing import Any

from truewind.exchange import usdm_messages as messages
from truewind.exchange.accounts import Account
from truewind.exchange.matching import Desk
from truewind.exchange.replies import RefusedError
from truewind.exchange.usdm_venue import UsdmVenue


def set_leverage(venue: UsdmVenue, account: Account, symbol: str, leverage: int) -> dict[str, Any]:
    """Raises RefusedError (−4028, −2019)."""
    desk = venue.desk(account, symbol)
    highest = int(desk.arrays["tiers"][desk.margins["first_tier"]]["leverage"])
    if not 1 <= leverage <= min(125, highest):
        raise RefusedError(-4028, f"Leverage {leverage} is not valid")
    before = int(desk.margins["leverage"])
    desk.margins["leverage"] = leverage
    legs = venue.legs_at(account, symbol)
    balance = venue.balance(account, venue.instruments[symbol].currency)
    backing = balance.cross_wallet + balance.cross_unrealised
    if any(leg.notional > leg.most for leg in legs):
        desk.margins["leverage"] = before
        raise RefusedError(-2027, "Exceeded the maximum allowable position at current leverage.")
    if leverage < before and balance.cross_initial + balance.ordered > backing:
        desk.margins["leverage"] = before
        raise RefusedError(-2019, "Margin is insufficient.")
    account.futures.leverage[symbol] = leverage
    venue.keep(account, "futures", account.futures)
    now = venue.now_us() // 1000
    venue.tell(account, messages.config_update(now, ac={"s": symbol, "l": leverage}))
    return {"leverage": leverage, "maxNotionalValue": str(legs[0].most // 10**8), "symbol": symbol}


def set_margin_type(venue: UsdmVenue, account: Account, symbol: str, isolated: bool) -> None:
    """Raises RefusedError (−4046, −4047, −4048)."""
    if account.futures.isolated.get(symbol, False) == isolated:
        raise RefusedError(-4046, "No need to change margin type.")
    _unused(venue, account, symbol, (-4047, "Margin type cannot be changed if there exists open orders."),
            (-4048, "Margin type cannot be changed if there exists position."))  # fmt: skip
    if isolated and account.futures.multi:
        raise RefusedError(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
    account.futures.isolated[symbol] = isolated
    _open_anew(venue, account, symbol)


def set_dual(venue: UsdmVenue, account: Account, dual: bool) -> None:
    """Hedge mode for all symbols, or one-way mode. Raises RefusedError (−4059, −4067, −4068)."""
    if account.futures.dual == dual:
        raise RefusedError(-4059, "No need to change position side.")
    symbols = [symbol for symbol, desks in venue.desks.items() if account.number in desks]
    for symbol in symbols:
        _unused(venue, account, symbol, (-4067, "Position side cannot be changed if there exists open orders."),
                (-4068, "Position side cannot be changed if there exists position."))  # fmt: skip
    account.futures.dual = dual
    for symbol in symbols:
        _open_anew(venue, account, symbol)
    venue.keep(account, "futures", account.futures)


def set_multi(venue: UsdmVenue, account: Account, multi: bool) -> None:
    """Whether all assets back all positions. Raises RefusedError (−4168). Here each asset still backs its own ones."""
    if multi and any(account.futures.isolated.values()):
        raise RefusedError(
            -4168, "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin mode."
        )
    account.futures.multi = multi
    venue.keep(account, "futures", account.futures)
    venue.tell(account, messages.config_update(venue.now_us() // 1000, ai={"j": multi}))


def add_margin(venue: UsdmVenue, account: Account, symbol: str, side: str, amount: int) -> None:
    """Move units into an isolated position's wallet, or out of it (negative).

    Raises RefusedError (−4046, −2019, −4051).
    """
    desk = venue.desk(account, symbol)
    legs = venue.legs_at(account, symbol)
    at = next((i for i, leg in enumerate(legs) if leg.side == side), -1)
    if at < 0 or not legs[at].isolated or not legs[at].lots:
        raise RefusedError(-4046, "Add margin only support for isolated position.")
    leg, balance = legs[at], venue.balance(account, venue.instruments[symbol].currency)
    if amount > balance.available:
        raise RefusedError(-4051, "Isolated balance insufficient.")
    if leg.wallet + amount + min(0.0, leg.unrealised) < leg.initial:
        raise RefusedError(-2019, "Margin is insufficient.")
    desk.positions[at]["wallet"] += amount
    venue.tell_account(account, "MARGIN_TRANSFER", [symbol])


def _unused(
    venue: UsdmVenue, account: Account, symbol: str, ordered: tuple[int, str], holding: tuple[int, str]
) -> None:
    """Raises RefusedError if the symbol has open orders, or a position."""
    if next(venue.orders(account).of(symbol), None) or next(account.algos.of(symbol), None):
        raise RefusedError(*ordered)
    if any(leg.lots for leg in _desk_legs(venue, account, symbol)):
        raise RefusedError(*holding)


def _desk_legs(venue: UsdmVenue, account: Account, symbol: str) -> list[Any]:
    desk: Desk | None = venue.desks.get(symbol, {}).get(account.number)
    return [] if desk is None else venue.legs_at(account, symbol)


def _open_anew(venue: UsdmVenue, account: Account, symbol: str) -> None:
    """A desk without orders or position, under the account's present settings."""
    venue.desks.get(symbol, {}).pop(account.number, None)
    venue.keep(account, "futures", account.futures)
