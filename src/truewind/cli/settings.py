"""Settings of the program itself: where things lie. From the environment, then `.env`, then these defaults."""

import os
from pathlib import Path

import pydantic
from dotenv import dotenv_values
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from truewind import log
from truewind.errors import ConfigError, suggest
from truewind.storage.database import DEFAULT

PREFIX = "TRUEWIND_"
# Read by name where they act: before any settings file could be, or secrets, which no file of ours shall hold.
ENVIRONMENT_ONLY = {
    "TRUEWIND_CACHE": "folder of compiled kernels; without it, truewind/ in the user's cache folder",
    "TRUEWIND_KERNELS": "python runs every kernel as plain Python, for a debugger; 100 times slower",
    "TRUEWIND_SHARED": "folder of recorded market data for the tests that need it; without it, ../shared",
    "TRUEWIND_BINANCE_KEY": "for margin tiers (truewind data refresh); a key that may only read",
    "TRUEWIND_BINANCE_SECRET": "its secret",
    "TRUEWIND_ALPACA_KEY": "for US equities by Alpaca",
    "TRUEWIND_ALPACA_SECRET": "its secret",
    "TRUEWIND_IB": "host:port of TWS or IB Gateway; without it, 127.0.0.1:4001",
}


class AppSettings(BaseSettings):
    """Where things lie. Each is TRUEWIND_ and its name in capitals, in the environment or in `.env`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    lake: str = Field(default="data", description="folder or URL of the market data")
    runs: Path = Field(default=Path("runs"), description="folder in which each backtest leaves its own")
    database: str = Field(
        default=DEFAULT, description="file or URL (postgresql://…) of the ledger of trials; off: nothing is recorded"
    )
    state: Path = Field(
        default=Path("state"), description="folder of breakers that have tripped, which outlive a session"
    )
    logs: Path = Field(default=Path("logs"), description="folder of the logs")
    log_level: str = Field(default="INFO", description="least level that is kept: DEBUG, INFO, WARNING or ERROR")
    network: str = Field(default="mainnet", description="mainnet, testnet, or the address of a local exchange")


def known_names() -> list[str]:
    """Every variable that truewind reads."""
    return [PREFIX + name.upper() for name in AppSettings.model_fields] + [*ENVIRONMENT_ONLY]


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
