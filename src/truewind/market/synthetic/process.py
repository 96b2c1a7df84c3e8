"""Minute by minute: regimes, volatility, returns and activity, as arrays over the whole history.

A minute's return is  σ·season·(√ρ·e^M·F + √(1−ρ)·e^(M+O)·E) + jumps + drift,  where F (common) and E (own) are
Student-t shocks, M and O log-volatilities. M is a Markov chain of regimes plus waves of several half-lives, whose sum
forgets as slowly as real volatility does (Corsi 2009, "A simple approximate long-memory model of realized
volatility"); O is a symbol's own. Volume follows the same latent activity (Tauchen and Pitts 1983, "The price
variability-volume relationship on speculative markets"), so that it moves with |return|.

Every array has a random stream of its own, and nothing looks at the whole sample: a longer history begins with the
shorter one, to the bit.
"""

import hashlib
import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from truewind.domain.timeframe import MINUTE_US
from truewind.market.synthetic.config import MINUTES_PER_DAY, SyntheticConfig, listing
from truewind.market.synthetic.flow import JUMP, LEAN, LEVEL, LOTS, MOVE, SIGMA, SIZE
from truewind.numerics.jit import kernel

Floats = NDArray[np.float64]
MINUTES_PER_YEAR = 365 * MINUTES_PER_DAY
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY
HOUR = 60

# Regimes: calm, normal, stressed. Mean stay in minutes, where they lead, volatility, and how often jumps come.
STAY = np.array([60.0 * HOUR, 36.0 * HOUR, 8.0 * HOUR])
NEXT = np.array([[0.0, 0.95, 0.05], [0.65, 0.0, 0.35], [0.15, 0.85, 0.0]])
REGIME_VOLATILITY = np.array([0.7, 1.0, 2.0])
REGIME_JUMPS = np.array([0.5, 1.0, 4.0])

# Waves of log-volatility: half-life in minutes and share of its variance; the last three are common to all symbols.
OWN_WAVES = ((5.0, 0.15), (12.0 * HOUR, 0.15))
COMMON_WAVES = ((5.0, 0.3), (3.0 * HOUR, 0.2), (6.0 * 24 * HOUR, 0.2))
AFTERSHOCK = 6.0  # a jump lifts the middle wave by this many of its shocks: markets stay nervous after news
# Waves of log-volume that volatility does not explain, and of the takers' leaning: half-life and standard deviation.
VOLUME_WAVES = ((4.0, 0.35), (36.0 * HOUR, 0.2))
LEAN_WAVES = ((0.5, 0.05), (10.0, 0.03))
DRIFT_WAVE = 5.0 * 24 * HOUR

# Mean |5m return| by hour (UTC) and weekday (from Monday) relative to the average, as BTC, ETH, SOL and XRP had it in
# 2024, rounded: Asia's open, Europe, the US session; quiet weekends.
HOURS = (1.06, 1.08, 0.96, 0.84, 0.81, 0.81, 0.83, 0.87, 0.94, 0.88, 0.86, 0.86,
         1.07, 1.20, 1.36, 1.26, 1.22, 1.13, 1.09, 1.04, 1.08, 1.03, 0.95, 0.82)  # fmt: skip
WEEKDAYS = (1.10, 1.13, 1.12, 1.06, 1.08, 0.74, 0.77)
VOLUME_SEASON = 1.4  # volume's season is the volatility's to this power


def stream(seed: int, symbol: str, purpose: str, block: int = 0) -> np.random.Generator:
    """The random stream of one purpose: Philox keyed by seed, symbol and purpose, its counter by the block of time."""
    key = hashlib.blake2b(f"{seed}|{symbol}|{purpose}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little"), counter=[0, 0, 0, block]))


class Market(msgspec.Struct, frozen=True):
    """What all symbols share, one value a minute."""

    season: Floats
    log_volatility: Floats
    jump_rate: Floats  # probability of a jump in the minute
    shock: Floats  # unit variance
    jump: Floats  # unit variance over time
    drift: Floats  # log return


def market_minutes(config: SyntheticConfig) -> Market:
    """The common factor of all symbols."""
    n, seed = config.minutes, config.seed
    present = stationary()
    states = regimes(stream(seed, "", "regime").random(n), STAY, np.cumsum(NEXT, axis=1), np.cumsum(present))
    level = math.sqrt(float(present @ REGIME_VOLATILITY**2))
    intensity = REGIME_JUMPS / float(present @ REGIME_JUMPS)
    jump_rate = (intensity * config.jumps_per_day / MINUTES_PER_DAY)[states]
    jump = _jumps(config, "", jump_rate)
    spread = config.volatility_spread
    waves = _waves(config, "", "volatility", [(h, spread * math.sqrt(s)) for h, s in COMMON_WAVES], jump)
    variance = spread**2 * sum(share for _, share in COMMON_WAVES)
    return Market(
        season=season(config),
        log_volatility=np.log(REGIME_VOLATILITY / level)[states] + waves - variance,
        jump_rate=jump_rate,
        shock=_shocks(config, ""),
        jump=jump,
        drift=_waves(config, "", "drift", [(DRIFT_WAVE, config.drift / MINUTES_PER_YEAR)]),
    )


def symbol_minutes(config: SyntheticConfig, market: Market, symbol: str) -> Floats:
    """One symbol's minutes (n × 7, columns as in `flow`): the common factor and its own shocks."""
    n, rho, spread, about = config.minutes, config.correlation, config.volatility_spread, listing(symbol)
    annual = config.volatility * about.volatility
    minute = annual * math.sqrt((1.0 - config.jump_share) / MINUTES_PER_YEAR)
    own_jump = _jumps(config, symbol, market.jump_rate)
    own = _waves(config, symbol, "volatility", [(h, spread * math.sqrt(s)) for h, s in OWN_WAVES], own_jump)
    own = np.exp(own - spread**2 * sum(share for _, share in OWN_WAVES))
    common = np.exp(market.log_volatility)
    sigma = minute * market.season * common * np.sqrt(rho + (1.0 - rho) * own**2)
    move = (
        minute
        * market.season
        * common
        * (math.sqrt(rho) * market.shock + math.sqrt(1.0 - rho) * own * _shocks(config, symbol))
        + market.drift
    )
    jump = (
        annual * math.sqrt(config.jump_share / MINUTES_PER_YEAR)
        * (math.sqrt(rho) * market.jump + math.sqrt(1.0 - rho) * own_jump)
    )  # fmt: skip
    level = np.empty(n)
    level[0] = math.log(about.price)
    np.cumsum(move[:-1] + jump[:-1], out=level[1:])
    level[1:] += level[0]

    surprise = np.minimum(np.abs(move + jump) / sigma, 15.0)
    activity = sigma / (minute * market.season)
    busy = 1.12 * activity**1.15 * market.season**VOLUME_SEASON * (0.55 + 0.55 * surprise)
    busy *= np.exp(
        _waves(config, symbol, "volume", VOLUME_WAVES) + 0.25 * stream(config.seed, symbol, "v").standard_normal(n)
    )
    lot_worth = float(about.lot_size) * np.exp(level)
    size = about.trade / lot_worth * busy**0.15 * np.exp(0.2 * stream(config.seed, symbol, "size").standard_normal(n))
    states = np.empty((n, 7))
    states[:, LEVEL] = level
    states[:, MOVE] = move
    states[:, JUMP] = jump
    states[:, SIGMA] = sigma
    states[:, LOTS] = about.turnover / MINUTES_PER_DAY * busy / lot_worth
    states[:, SIZE] = np.maximum(size, 1.0)
    states[:, LEAN] = _waves(config, symbol, "lean", LEAN_WAVES)
    return states


def stationary() -> Floats:
    """Long-run share of time in each regime: visits (left eigenvector of NEXT) × mean stay."""
    visits = np.linalg.matrix_power(NEXT, 1 << 12)[0]
    share = visits * STAY
    return np.asarray(share / share.sum())


def season(config: SyntheticConfig) -> Floats:
    """Relative volatility of each minute by time of day and day of week; its mean square over a week is one."""
    minute = np.arange(MINUTES_PER_WEEK, dtype=np.float64)
    by_hour = np.interp(minute % MINUTES_PER_DAY, np.arange(24) * HOUR + HOUR / 2, HOURS, period=MINUTES_PER_DAY)
    # Weekdays pass into each other over six hours around midnight.
    nodes = (np.arange(7)[:, None] * MINUTES_PER_DAY + np.array([3 * HOUR, 21 * HOUR])).ravel()
    by_day = np.interp(minute, nodes, np.repeat(WEEKDAYS, 2), period=MINUTES_PER_WEEK)
    week = by_hour * by_day
    week /= math.sqrt(float(np.mean(week**2)))
    monday = (config.start_us // MINUTE_US + 3 * MINUTES_PER_DAY) % MINUTES_PER_WEEK  # 1970 began on a Thursday
    return np.asarray(np.take(week, np.arange(monday, monday + config.minutes), mode="wrap"))


@kernel
def regimes(uniform: Floats, stay: Floats, following: Floats, present: Floats) -> NDArray[np.int8]:
    """States of a Markov chain, one a minute.

    stay: mean minutes in a state; following, present: cumulative probabilities of the next and of the first state.
    """
    states = np.empty(len(uniform), np.int8)
    state = 0
    while state < len(stay) - 1 and uniform[0] >= present[state]:
        state += 1
    states[0] = state
    for t in range(1, len(uniform)):
        leave = 1.0 / stay[state]
        if uniform[t] < leave:
            spot = uniform[t] / leave  # uniform again, given that the state is left
            target = 0
            while target < len(stay) - 1 and spot >= following[state, target]:
                target += 1
            state = target
        states[t] = state
    return states


@kernel
def add_wave(shocks: Floats, persistence: float, spread: float, total: Floats) -> None:
    """Add a stationary AR(1) of standard deviation `spread` to `total`: w(t) = p·w(t−1) + spread·√(1−p²)·shock(t)."""
    fresh = spread * math.sqrt(1.0 - persistence * persistence)
    wave = spread * shocks[0]
    total[0] += wave
    for t in range(1, len(shocks)):
        wave = persistence * wave + fresh * shocks[t]
        total[t] += wave


def _waves(config: SyntheticConfig, symbol: str, purpose: str, waves: Any, jump: Floats | None = None) -> Floats:
    """Sum of AR(1) waves, each (half-life in minutes, standard deviation). Jumps push the second wave up."""
    total = np.zeros(config.minutes)
    for k, (half_life, spread) in enumerate(waves):
        shocks = stream(config.seed, symbol, f"{purpose} {k}").standard_normal(config.minutes)
        if k == 1 and jump is not None:
            shocks += AFTERSHOCK * (jump != 0.0)
        add_wave(shocks, 0.5 ** (1.0 / half_life), spread, total)
    return total


def _shocks(config: SyntheticConfig, symbol: str) -> Floats:
    degrees = config.tail_index
    draws = stream(config.seed, symbol, "shock").standard_t(degrees, config.minutes)
    return np.asarray(draws * math.sqrt((degrees - 2.0) / degrees))


def _jumps(config: SyntheticConfig, symbol: str, rate: Floats) -> Floats:
    """Compound Poisson with Laplace sizes, of unit variance a minute on average; mostly zero."""
    happens = stream(config.seed, symbol, "jump time").random(config.minutes) < rate
    size = stream(config.seed, symbol, "jump size").laplace(size=config.minutes)
    return np.asarray(np.where(happens, size * math.sqrt(0.5 * MINUTES_PER_DAY / config.jumps_per_day), 0.0))
