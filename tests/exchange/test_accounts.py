"""Who may ask what: keys, signatures over raw bytes, timestamps, order counts. Codes are of the venue's `errors.md`."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from exchange.signed import Client
from truewind.exchange.accounts import LOCAL_KEY, LOCAL_SECRET
from truewind.venues.binance.signing import Secret, signed, signing_key

Trade = Callable[..., None]
ACCOUNT = "/api/v3/account"


def test_signatures_are_over_the_bytes_that_came(trade: Trade) -> None:
    async def test(client: Client) -> None:
        now = client.exchange.clock.told_us() // 1000
        # Odd order, escapes in either case, an empty value: signed as they are.
        for payload in (
            f"recvWindow=5000&timestamp={now}",
            f"timestamp={now}&x=%2f",
            f"timestamp={now}&omitZeroBalances=true",
        ):
            status, answer = await client.send("GET", ACCOUNT, signed(payload.encode(), client.signer))
            assert status == 200, answer
        whole = signed(f"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&timestamp={now}".encode(), client.signer)
        assert (await client.send("POST", "/api/v3/order/test", whole, in_body=True))[0] == 200
        status, answer = await client.send("GET", ACCOUNT, whole.replace(b"0.01", b"0.02"))
        assert (status, answer["code"]) == (400, -1022)
        assert (await client.send("GET", ACCOUNT, f"timestamp={now}".encode()))[1]["code"] == -1102
        assert (await client.send("GET", ACCOUNT, signed(b"", client.signer)))[1]["code"] == -1102

    trade(test)


@pytest.mark.parametrize(
    ("late_ms", "window", "code"),
    [(0, 5000, None), (4999, 5000, None), (5001, 5000, -1021), (20_000, 60_000, None), (-999, 5000, None),
     (-1000, 5000, -1021), (0, 60_001, -1131), (0, 0, -1131), (2, 1.5, -1021)],
)  # fmt: skip
def test_requests_are_good_for_a_while(trade: Trade, late_ms: int, window: float, code: int | None) -> None:
    async def test(client: Client) -> None:
        sent = client.exchange.clock.told_us() // 1000 - late_ms
        status, answer = await client.ask("GET", ACCOUNT, timestamp=sent, recvWindow=window)
        assert answer.get("code") == code, answer
        assert (status == 200) == (code is None)

    trade(test)


def test_keys_have_a_form_and_must_be_known(trade: Trade) -> None:
    async def test(client: Client) -> None:
        for key, code in (("", -2014), ("short", -2014), ("!" * 64, -2014), ("a" * 64, -2015)):
            client.key = key
            status, answer = await client.ask("GET", ACCOUNT)
            assert (status, answer["code"]) == (401, code)

    trade(test)


@pytest.mark.parametrize("make", [Ed25519PrivateKey.generate, lambda: generate_private_key(65537, 2048)])
def test_pairs_of_keys(trade: Trade, make) -> None:
    pair = make()
    public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    private = signing_key(Secret(pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())))

    async def test(client: Client) -> None:
        client.key, client.signer = "k" * 64, private
        assert (await client.do("GET", ACCOUNT))["canTrade"]

    trade(test, accounts=[{"key": "k" * 64, "secret": public}])


def test_orders_are_counted_by_account(trade: Trade) -> None:
    """Spot: 100 orders in 10 s ("rateLimits" of exchangeInfo)."""

    async def test(client: Client) -> None:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01}
        counts, refused = [], 0
        for _ in range(102):
            status, answer = await client.ask("POST", "/api/v3/order", **order, price=40000)
            if status == 200:
                counts.append(int(client.headers["X-MBX-ORDER-COUNT-10S"]))
                assert "X-MBX-ORDER-COUNT-1D" in client.headers
            else:
                assert (status, answer["code"]) == (429, -1015)
                assert int(client.headers["Retry-After"]) <= 10
                refused += 1
        assert counts[0] == 1
        assert max(counts) <= 100
        assert refused or counts.count(1) > 1  # unless a window of ours ended meanwhile
        rows = await client.do("GET", "/api/v3/rateLimit/order")
        assert [(row["interval"], row["intervalNum"], row["limit"]) for row in rows] == [
            ("SECOND", 10, 100),
            ("DAY", 1, 200_000),
        ]

    trade(test, limits=True)


def test_listen_keys_of_spot_are_no_more(trade: Trade) -> None:
    async def test(client: Client) -> None:
        assert (await client.ask("POST", "/api/v3/userDataStream"))[0] == 410

    trade(test)


def test_no_secret_is_shown(trade: Trade) -> None:
    async def test(client: Client) -> None:
        for shown in (repr(client.exchange.config), str(client.exchange.config.model_dump())):
            assert LOCAL_SECRET not in shown
            assert LOCAL_KEY in shown

    trade(test)
