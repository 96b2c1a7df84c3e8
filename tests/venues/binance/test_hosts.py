"""Networks are named, or are a local exchange's address; nothing else is guessed."""

import pytest

from truewind.errors import ConfigError
from truewind.venues.binance.hosts import MAINNET, TESTNET, hosts


def test_networks_by_name_and_by_address() -> None:
    assert hosts("mainnet") is MAINNET
    assert hosts("testnet") is TESTNET
    local = hosts("http://127.0.0.1:9100")
    assert (local.spot_rest, local.spot_ws_api) == ("http://127.0.0.1:9100", "ws://127.0.0.1:9100/ws-api/v3")
    assert (local.usdm_rest, local.usdm_ws) == ("http://127.0.0.1:9101", "ws://127.0.0.1:9101")
    assert local.archive == "http://127.0.0.1:9102"


@pytest.mark.parametrize(
    "network", ["", "main", "http://127.0.0.1", "https://api.binance.com", "http://a:b", "127.0.0.1:9"]
)
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ConfigError, match="mainnet"):
        hosts(network)
