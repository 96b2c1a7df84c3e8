"""Orders as they are sent, read with the venue's words for each mistake. Parameters of one request: `Parameters`.

Sources: "New order" and `errors.md` of the spot API; "New Order" and the error codes of USD-M futures.
"""

import re
import secrets
import string
from decimal import Decimal, InvalidOperation

from truewind.domain.order import Reason, SelfTrade
from truewind.exchange import replies
from truewind.exchange.orders import Figures
from truewind.exchange.parameters import Parameters
from truewind.exchange.replies import RefusedError
from truewind.venues.binance.errors import refusal

_AMOUNT = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_IS_AMOUNT = re.compile(_AMOUNT)
_MOST_TICKS, _MOST_LOTS = (1 << 31) - 1, 1 << 48  # that the matching can count
_LETTERS = string.ascii_letters + string.digits
SELF_TRADE = {
    "NONE": SelfTrade.EXPIRE_MAKER,  # two orders of one account never trade with each other here
    "EXPIRE_TAKER": SelfTrade.EXPIRE_TAKER,
    "EXPIRE_MAKER": SelfTrade.EXPIRE_MAKER,
    "EXPIRE_BOTH": SelfTrade.EXPIRE_BOTH,
}


def amount(parameters: Parameters, name: str, *, most_decimals: int = 20) -> Decimal | None:
    """A decimal number, None if it was not sent. Raises RefusedError (−1100, −1111)."""
    text = parameters.text(name)
    if text is None:
        return None
    if not _IS_AMOUNT.fullmatch(text):
        raise replies.illegal(name, _AMOUNT)
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise replies.illegal(name, _AMOUNT) from None
    exponent = value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > most_decimals:
        raise RefusedError(-1111, f"Parameter '{name}' has too much precision.")
    return value


def side(parameters: Parameters) -> int:
    """+1 buys. Raises RefusedError (−1102, −1117)."""
    text = parameters.need("side")
    if text not in ("BUY", "SELL"):
        raise RefusedError(-1117, "Invalid side.")
    return 1 if text == "BUY" else -1


def flag(parameters: Parameters, name: str) -> bool:
    """Raises RefusedError (−1130)."""
    text = (parameters.text(name) or "false").lower()
    if text not in ("true", "false"):
        raise replies.invalid(name)
    return text == "true"


def client_id(parameters: Parameters, name: str = "newClientOrderId", *, futures: bool = False) -> str:
    """The name that a client gives, or one of ours. Raises RefusedError (spot −1100, USD-M −4015)."""
    text = parameters.text(name)
    if text is None:
        return made_up_id()
    pattern = r"^[\.A-Z\:/a-z0-9_-]{1,36}$" if futures else r"^[a-zA-Z0-9-_]{1,36}$"
    if not re.fullmatch(pattern, text):
        if futures:
            raise RefusedError(-4015, "Client order id is not valid.")
        raise replies.illegal(name, pattern)
    return text


def made_up_id() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(22))


def self_trade(parameters: Parameters, default: str = "EXPIRE_MAKER") -> str:
    """Raises RefusedError (−1130)."""
    text = parameters.text("selfTradePreventionMode") or default
    if text not in SELF_TRADE:
        raise replies.invalid("selfTradePreventionMode")
    return text


def ticks_of(price: Decimal, figures: Figures) -> int:
    """Raises RefusedError in the venue's words for a price between two ticks."""
    ticks = figures.ticks(price)
    if ticks is None:
        raise broken(Reason.OFF_TICK, figures)
    if ticks > _MOST_TICKS:
        raise broken(Reason.ABOVE_MAX_PRICE, figures)
    return ticks


def lots_of(quantity: Decimal, figures: Figures) -> int:
    """Raises RefusedError in the venue's words for a quantity that is no multiple of the step, or none."""
    lots = figures.lots(quantity)
    if lots is None:
        raise broken(Reason.OFF_STEP, figures)
    if lots == 0:
        raise broken(Reason.BELOW_MIN_QUANTITY, figures)
    if lots > _MOST_LOTS:
        raise broken(Reason.ABOVE_MAX_QUANTITY, figures)
    return lots


def broken(reason: Reason, figures: Figures) -> RefusedError:
    """The venue's words for a filter that is broken."""
    found = refusal(reason, figures.instrument)
    assert found is not None
    return RefusedError(*found)
