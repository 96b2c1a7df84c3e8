"""Settings of the program itself: where things lie. From the environment, then `.env`, then these defaults."""

import os
from pathlib import Path

import pydantic
from dotenv import dotenv_values
from pydantic_settings import BaseSettings, SettingsConfigDict

from truewind import log
from truewind.errors import ConfigError, suggest
from truewind.storage.database import DEFAULT

PREFIX = "TRUEWIND_"
# Read by name where they act: before any settings file could be, or secrets, which no file of ours shall hold.
ENVIRONMENT_ONLY = (
    *("TRUEWIND_CACHE", "TRUEWIND_KERNELS", "TRUEWIND_SHARED"),
    *("TRUEWIND_BINANCE_KEY", "TRUEWIND_BINANCE_SECRET"),
    *("TRUEWIND_ALPACA_KEY", "TRUEWIND_ALPACA_SECRET"),
    "TRUEWIND_IB",
)


class AppSettings(BaseSettings):
    """lake: folder or URL of the market data. runs: folder of finished backtests. logs, log_level: see `log`.

    database: file or URL (postgresql://…) of the ledger of trials; "off": nothing is recorded.
    network: where venues are: mainnet, testnet, or the address of a local exchange. state: folder of what sessions keep
    for the next: breakers that have tripped.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    lake: str = "data"
    runs: Path = Path("runs")
    database: str = DEFAULT
    state: Path = Path("state")
    logs: Path = Path("logs")
    log_level: str = "INFO"
    network: str = "mainnet"


def known_names() -> list[str]:
    """Every variable that truewind reads."""
    return [PREFIX + name.upper() for name in AppSettings.model_fields] + list(ENVIRONMENT_ONLY)


def load() -> AppSettings:
    """The settings in force, with logging started as they say. Raises ConfigError for a misspelt name in `.env`."""
    settable = [PREFIX + name.upper() for name in AppSettings.model_fields]
    for name in dotenv_values(".env"):
        if name.upper().startswith(PREFIX) and name.upper() not in settable:
            remedy = (
                "Set it in the environment: it is not read from .env"
                if name.upper() in ENVIRONMENT_ONLY
                else suggest(name.upper(), settable)
            )
            raise ConfigError(f".env: unknown setting {name}", remedy=remedy, name=name)
    try:
        settings = AppSettings()
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{PREFIX}{str(first['loc'][0]).upper()}: {first['msg']}") from None
    log.setup(settings.logs, settings.log_level)
    return settings


def unknown_in_environment() -> dict[str, str]:
    """Variables that look like ours but are not, each with a remedy: almost surely misspelt."""
    known = known_names()
    return {name: suggest(name, known) for name in sorted(os.environ) if name.startswith(PREFIX) and name not in known}
