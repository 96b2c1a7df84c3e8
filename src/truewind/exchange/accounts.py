"""Who may trade at the exchange, and whether a request is theirs: keys, signatures, timestamps, order counts.

Sources: "Request Security" and "Limits" of the spot API, "General Info" of USD-M futures.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from pydantic import Field, SecretStr, field_validator

from truewind.config import Settings
from truewind.exchange import replies
from truewind.exchange.orders import Orders, units
from truewind.exchange.replies import RefusedError
from truewind.venues.binance.endpoints import Allowance, Limits
from truewind.venues.binance.signing import PairKey, Secret, Signer, is_signed, signing_key, socket_payload

LOCAL_KEY = "truewind" * 8  # of the account that an exchange has where none are set: no secret at all
LOCAL_SECRET = "localhost" * 7 + "x"
_SPOT = {"USDT": Decimal(1_000_000), "BTC": Decimal(10), "ETH": Decimal(100)}
_USDM = {"USDT": Decimal(1_000_000)}
_KEY_FORM = re.compile(r"[A-Za-z0-9]{64}")
_WINDOW_MS, _LONGEST_WINDOW_MS = 5000, 60_000
_AHEAD_MS = 1000  # by which a client's clock may run ahead
_NAMES = {1: "SECOND", 60: "MINUTE", 86_400: "DAY"}


class AccountConfig(Settings):
    """One account: its key, and what it begins with."""

    key: str = Field(default=LOCAL_KEY, description="API key: 64 letters and digits")
    secret: SecretStr = Field(
        default=SecretStr(LOCAL_SECRET), description="of an HMAC key, or the public key's PEM (RSA, Ed25519)"
    )
    spot: dict[str, Decimal] = Field(default_factory=_SPOT.copy, description="amount by asset in the spot wallet")
    usdm: dict[str, Decimal] = Field(default_factory=_USDM.copy, description="amount by asset in the futures wallet")
    vip_level: int = Field(default=0, ge=0, le=9, description="level of its fees")

    @field_validator("key")
    @classmethod
    def _key(cls, key: str) -> str:
        if not _KEY_FORM.fullmatch(key):
            raise ValueError("a key is 64 letters and digits")
        return key


class Wallet(msgspec.Struct):
    """Units by asset; locked: set aside for open orders."""

    free: dict[str, int] = {}
    locked: dict[str, int] = {}

    def add(self, asset: str, amount: int) -> None:
        self.free[asset] = self.free.get(asset, 0) + amount

    def lock(self, asset: str, amount: int) -> None:
        """Set `amount` aside; a negative one is free again."""
        self.free[asset] = self.free.get(asset, 0) - amount
        self.locked[asset] = self.locked.get(asset, 0) + amount

    def assets(self) -> list[str]:
        return sorted(self.free.keys() | self.locked.keys())


class Futures(msgspec.Struct):
    """The futures side of an account. cash: wallet balance in units by asset, isolated margin included.

    leverage, isolated: by symbol, where they differ from 20 and cross. dual: hedge mode. multi: multi-assets mode.
    """

    cash: dict[str, int] = {}
    leverage: dict[str, int] = {}
    isolated: dict[str, bool] = {}
    dual: bool = False
    multi: bool = False


class Income(msgspec.Struct, frozen=True, kw_only=True):
    """Money that came to a futures account, or left it. kind: as the venue calls it; trade: id of the trade, or 0."""

    symbol: str
    kind: str
    amount: int
    asset: str
    time: int
    id: int
    trade: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A futures position as it is kept: lots, cost, wallet and realised profit of each leg; fees paid for it by leg."""

    symbol: str
    legs: list[list[int]]
    paid: dict[int, int]


class Account:
    """One account: its two markets share nothing but the key."""

    def __init__(self, number: int, config: AccountConfig) -> None:
        self.number = number
        self.key = config.key
        self.vip_level = config.vip_level
        self.signer: Signer = signing_key(Secret(config.secret.get_secret_value()))
        self.is_ed25519 = isinstance(self.signer, PairKey) and self.signer.is_ed25519
        self.wallet = Wallet({asset: units(amount) for asset, amount in config.spot.items()})
        self.futures = Futures({asset: units(amount) for asset, amount in config.usdm.items()})
        self.spot_orders, self.usdm_orders, self.algos = Orders(), Orders(), Orders()
        self.income: list[Income] = []
        self.held: dict[str, Held] = {}  # positions of before, until their desks are opened
        self.updated_ms = 0
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}

    def count_orders(self, market: str, limits: Limits, amount: int, now_us: int, *, enforced: bool) -> dict[str, str]:
        """Count orders against the account's allowances; the headers that tell it. Raises RefusedError (−1015)."""
        headers = {}
        for allowance in limits.orders:
            used = self._used(market, allowance, now_us) + amount
            if enforced and amount and used > allowance.limit:
                raise RefusedError(
                    -1015,
                    f"Too many new orders; current limit is {allowance.limit} orders per {_interval(allowance)}.",
                    429,
                    {"Retry-After": str(allowance.seconds - now_us // 1_000_000 % allowance.seconds)},
                )
            headers[f"X-MBX-ORDER-COUNT-{_short(allowance)}"] = str(used)
        for allowance in limits.orders:
            window = now_us // (allowance.seconds * 1_000_000)
            self._counts[market, allowance.seconds] = window, self._used(market, allowance, now_us) + amount
        return headers

    def order_limits(self, market: str, limits: Limits, now_us: int) -> list[dict[str, Any]]:
        """The allowances and what is used of them, as rateLimit/order tells it."""
        return [{**limit, "count": self._used(market, a, now_us)} for a, limit in _described(limits)]

    def _used(self, market: str, allowance: Allowance, now_us: int) -> int:
        window, used = self._counts.get((market, allowance.seconds), (-1, 0))
        return used if window == now_us // (allowance.seconds * 1_000_000) else 0


def _described(limits: Limits) -> list[tuple[Allowance, dict[str, Any]]]:
    found = []
    for allowance in limits.orders:
        seconds = max(s for s in _NAMES if allowance.seconds % s == 0)
        found.append(
            (
                allowance,
                {
                    "rateLimitType": "ORDERS",
                    "interval": _NAMES[seconds],
                    "intervalNum": allowance.seconds // seconds,
                    "limit": allowance.limit,
                },
            )
        )
    return found


def _interval(allowance: Allowance) -> str:
    seconds = max(s for s in _NAMES if allowance.seconds % s == 0)
    return f"{allowance.seconds // seconds} {_NAMES[seconds]}"


def _short(allowance: Allowance) -> str:
    seconds = max(s for s in _NAMES if allowance.seconds % s == 0)
    return f"{allowance.seconds // seconds}{_NAMES[seconds][0]}"


class Register:
    """All accounts, by key. speed: of the exchange's time; clients have their windows in their own."""

    def __init__(self, accounts: list[AccountConfig], speed: float = 1.0) -> None:
        self._speed = max(1.0, speed)
        self.accounts = [Account(i, config) for i, config in enumerate(accounts)]
        self._by_key = {account.key: account for account in self.accounts}

    def of_key(self, key: str) -> Account:
        """Raises RefusedError for a key that has not the form of one, or is not known."""
        if not _KEY_FORM.fullmatch(key):
            raise replies.bad_key()
        account = self._by_key.get(key)
        if account is None:
            raise replies.no_key()
        return account

    def check(self, account: Account, query: bytes, body: bytes, values: Mapping[str, str], told_us: int) -> None:
        """Whether the request is signed by the account's key, and of this moment. Raises RefusedError."""
        check_time(values, told_us, self._speed)
        if "signature" not in values or not values["signature"]:
            raise replies.missing("signature")
        if not is_signed(query, body, account.signer):
            raise bad_signature()

    def check_socket(self, params: Mapping[str, Any], told_us: int) -> Account:
        """As `of_key` and `check`, of a request over the WebSocket API."""
        account = self.of_key(str(params.get("apiKey", "")))
        check_time({name: str(value) for name, value in params.items()}, told_us, self._speed)
        signature = params.get("signature")
        if not signature:
            raise replies.missing("signature")
        if not account.signer.verify(socket_payload(params), str(signature)):
            raise bad_signature()
        return account


def bad_signature() -> RefusedError:
    return RefusedError(-1022, "Signature for this request is not valid.")


def check_time(values: Mapping[str, str], told_us: int, speed: float = 1.0) -> None:
    """Whether a request's timestamp (ms or µs) lies within its recvWindow.

    Raises RefusedError (−1102, −1021, −1131).
    """
    stamp = values.get("timestamp", "")
    if not stamp:
        raise replies.missing("timestamp")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 18:
        raise replies.illegal("timestamp", "^[0-9]{1,20}$")
    sent_us = int(stamp) * (1 if len(stamp) > 14 else 1000)
    window_ms = _window_ms(values.get("recvWindow"))
    if sent_us >= told_us + _AHEAD_MS * 1000 * speed:
        raise RefusedError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if told_us - sent_us > window_ms * 1000 * speed:
        raise RefusedError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _window_ms(text: str | None) -> float:
    if text is None:
        return _WINDOW_MS
    try:
        window = float(Decimal(text))
    except ArithmeticError:
        raise replies.illegal("recvWindow", "^[0-9]{1,20}$") from None
    if not 0 < window <= _LONGEST_WINDOW_MS:
        raise RefusedError(-1131, "recvWindow must be less than 60000.")
    return window
