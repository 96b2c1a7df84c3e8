"""Where Binance is: its own addresses, those of its test network, or a local exchange.

Sources: Binance's API documents of spot and USD-M futures ("General Info", "Testnet") and the page of its public data.
"""

from urllib.parse import urlsplit

import msgspec

from truewind.errors import ConfigError


class Hosts(msgspec.Struct, frozen=True):
    """Addresses without a closing slash. *_ws: streams by `/ws/…` and `/stream?streams=…`; archive: files of the past.

    An empty address: that network has none.
    """

    spot_rest: str
    spot_ws: str
    spot_ws_api: str
    usdm_rest: str
    usdm_ws: str
    archive: str


MAINNET = Hosts(
    spot_rest="https://api.binance.com",
    spot_ws="wss://stream.binance.com:9443",
    spot_ws_api="wss://ws-api.binance.com:443/ws-api/v3",
    usdm_rest="https://fapi.binance.com",
    usdm_ws="wss://fstream.binance.com",
    archive="https://data.binance.vision",
)
TESTNET = Hosts(
    spot_rest="https://testnet.binance.vision",
    spot_ws="wss://stream.testnet.binance.vision:9443",
    spot_ws_api="wss://ws-api.testnet.binance.vision/ws-api/v3",
    usdm_rest="https://demo-fapi.binance.com",
    usdm_ws="wss://fstream.binancefuture.com",
    archive="",
)


def local_hosts(port: int, name: str = "127.0.0.1") -> Hosts:
    """A local exchange: spot on `port`, USD-M futures on the next one, the archive on the one after that."""
    spot, usdm, archive = (f"{name}:{port + i}" for i in range(3))
    return Hosts(
        spot_rest=f"http://{spot}",
        spot_ws=f"ws://{spot}",
        spot_ws_api=f"ws://{spot}/ws-api/v3",
        usdm_rest=f"http://{usdm}",
        usdm_ws=f"ws://{usdm}",
        archive=f"http://{archive}",
    )


def hosts(network: str) -> Hosts:
    """The addresses of "mainnet", "testnet", or of the local exchange at "http://127.0.0.1:9100".

    Raises ConfigError for what is none of these.
    """
    named = {"mainnet": MAINNET, "testnet": TESTNET}.get(network)
    if named is not None:
        return named
    try:
        parts = urlsplit(network)
        if parts.scheme == "http" and parts.hostname and parts.port:
            return local_hosts(parts.port, parts.hostname)
    except ValueError:
        pass
    raise ConfigError(
        f"No network '{network}'",
        remedy="Write mainnet, testnet, or the address of a local exchange, as in http://127.0.0.1:9100",
        network=network,
    )
