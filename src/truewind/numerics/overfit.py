"""Overfitting: does what was best in one part of the past stay good in the rest of it, and could the best of so many
trials be as good by luck?

All functions take returns of trials side by side, (periods, trials), in the order of time, one period a row.
"""

import math
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from truewind.numerics.bootstrap import block_length, draw_counts
from truewind.numerics.jit import kernel
from truewind.numerics.performance import NAN, NO_VARIATION, Floats

_TOGETHER = 256  # pairs of splits at a time: memory
_BINS = 512
_SEED = 42


class Overfit(NamedTuple):
    """What combinatorially symmetric cross-validation found; all Sharpe ratios are of one period.

    probability: PBO, the share of splits in which the trial that was best in sample came out at or below the median of
    all trials out of sample. NaN, with `reason`, where it is not defined.
    logits: of each split, ln(ω / (1 − ω)) where ω is the chosen trial's rank out of sample over (trials + 1).
    inside, outside: Sharpe ratios of the chosen trial in and out of sample, of each split; slope: of outside on inside
    (least squares; below 0, the better it looked the worse it did).
    loss: share of splits in which the chosen one lost out of sample. dominates: whether choosing gave a better
    distribution of Sharpe ratios out of sample than a trial at random: of "first" or "second" order, or "none".
    trials: how many took part; left_out: how many had returns that are not defined.
    """

    probability: float
    logits: Floats
    inside: Floats
    outside: Floats
    slope: float
    loss: float
    dominates: str
    trials: int
    left_out: int
    reason: str = ""


def cscv(returns: NDArray[np.floating], blocks: int = 16) -> Overfit:
    """Combinatorially symmetric cross-validation: every choice of half the blocks is once the sample to choose in.

    Bailey, D. H., Borwein, J. M., López de Prado, M. and Zhu, Q. J. (2017), "The Probability of Backtest Overfitting",
    Journal of Computational Finance 20(4). 16 blocks make 12,870 splits. Blocks differ by one period at most, so that
    none is left out. Where a trial does not vary in a half its Sharpe ratio there counts as 0: it did nothing. Of
    equally good trials in sample the first is chosen; equal ones out of sample share their mean rank. A trial with
    a return that is not finite takes no part. Raises ValueError for a number of blocks that is odd or below 2.
    """
    if blocks < 2 or blocks % 2:
        raise ValueError(f"An even number of blocks is needed, not {blocks}")
    table = np.asarray(returns)
    sound = np.isfinite(table).all(axis=0)
    trials, left_out = int(sound.sum()), int((~sound).sum())
    reason = _unfit(len(table), trials, blocks)
    if reason:
        return Overfit(NAN, _none(), _none(), _none(), NAN, NAN, "none", trials, left_out, reason)
    table = table[:, sound].astype(np.float64)
    if not (table.std(axis=0) > NO_VARIATION).any():
        reason = "no trial's returns vary"
        return Overfit(NAN, _none(), _none(), _none(), NAN, NAN, "none", trials, left_out, reason)
    sums, squares, counts, means = _blocked(table, blocks)
    first = _halves(blocks)
    pairs = len(first)
    logits, inside, outside = np.empty(2 * pairs), np.empty(2 * pairs), np.empty(2 * pairs)
    edges = _edges(table, counts)
    everyone, chosen = np.zeros(_BINS + 2), np.zeros(_BINS + 2)
    for start in range(0, pairs, _TOGETHER):
        part = first[start : start + _TOGETHER]
        one = _sharpes(part, sums, squares, counts, means)
        other = _sharpes(1.0 - part, sums, squares, counts, means)
        for step, (seen, unseen) in enumerate(((one, other), (other, one))):
            rows = slice(step * pairs + start, step * pairs + start + len(part))
            _judge(seen, unseen, edges, logits[rows], inside[rows], outside[rows], everyone, chosen)
    return Overfit(
        probability=float(np.mean(logits <= 0.0)),
        logits=logits,
        inside=inside,
        outside=outside,
        slope=_slope(inside, outside),
        loss=float(np.mean(outside < 0.0)),
        dominates=_dominance(chosen, everyone),
        trials=trials,
        left_out=left_out,
    )


class Superior(NamedTuple):
    """Chances that the best of all trials is as good by luck as the one judged, where none truly beats the benchmark.

    best: the trial with the greatest statistic. statistic: of the trial that is judged, √periods · mean over its
    long-run deviation. consistent, lower, upper: p-values of Hansen's test for superior
    predictive ability: `consistent` is the one to use, the others bound it. reality: that of White's reality check,
    which does not studentise and lets poor trials hide a good one. NaN, with `reason`, where not defined.
    """

    best: int
    statistic: float
    consistent: float
    lower: float
    upper: float
    reality: float
    trials: int
    left_out: int
    reason: str = ""


def superior(
    returns: NDArray[np.floating],
    *,
    of: int | None = None,
    block: float = 0.0,
    draws: int = 2000,
    seed: int = _SEED,
) -> Superior:
    """Hansen's test for superior predictive ability, and White's reality check, of returns over a benchmark's.

    Hansen, P. R. (2005), "A Test for Superior Predictive Ability", Journal of Business & Economic Statistics 23(4);
    White, H. (2000), "A Reality Check for Data Snooping", Econometrica 68(5). The stationary bootstrap draws blocks
    of `block` periods on average (0: as `bootstrap.block_length` has it for the trial that is judged), the same for all
    trials, so that their correlations hold; long-run variances are those of that bootstrap, in closed form. A trial
    with a return that is not finite, or without variation, takes no part. A p-value is never 0: it counts the sample
    itself as one draw.

    of: the trial that is judged; None: the best, which is what the papers test. So one that was not the best is judged
    by how often luck alone would give one as good (Romano, J. P. and Wolf, M. (2005), "Stepwise Multiple Testing as
    Formalized Data Snooping", Econometrica 73(4), first step).
    """
    table = np.asarray(returns)
    sound = np.isfinite(table).all(axis=0)
    kept = np.flatnonzero(sound & (np.where(sound, table, 0.0).std(axis=0) > NO_VARIATION))
    left_out = table.shape[1] - len(kept)
    count = len(table)
    reason = ""
    if count < 3 or not len(kept):
        reason = "fewer than three periods" if count < 3 else "no trial's returns vary"
    elif of is not None and of not in kept:
        reason = "its returns do not vary, or are not defined"
    if reason:
        return Superior(-1, NAN, NAN, NAN, NAN, NAN, len(kept), left_out, reason)
    table = table[:, kept].astype(np.float64)
    means, root = table.mean(axis=0), math.sqrt(count)
    judged = int((means / table.std(axis=0)).argmax()) if of is None else int(np.searchsorted(kept, of))
    block = block or block_length(table[:, judged]).stationary
    spread = np.sqrt(_long_variances(table - means, 1.0 / block))
    drawn = (draw_counts(count, draws, block=block, seed=seed) @ (table - means)) / count  # means less the sample's
    scores = root * means / spread
    judged = int(scores.argmax()) if of is None else judged
    statistic = max(float(scores[judged]), 0.0)
    poor = -math.sqrt(2.0 * math.log(math.log(count)))
    found, turned = [], drawn * (root / spread)
    for kept_mean in (np.maximum(scores, 0.0), np.where(scores >= poor, scores, 0.0), scores):
        # A trial of g(mean) = mean is recentred to 0; one that is known to be poor keeps its distance.
        best = (turned + (scores - kept_mean)).max(axis=1)
        found.append(_share(np.maximum(best, 0.0) >= statistic))
    mean = float(means.max() if of is None else means[judged])
    reality = _share((root * drawn).max(axis=1) >= root * mean)
    lower, consistent, upper = found
    return Superior(int(kept[scores.argmax()]), statistic, consistent, lower, upper, reality, len(kept), left_out)


def _share(as_good: NDArray[np.bool_]) -> float:
    return (1.0 + float(as_good.sum())) / (1.0 + len(as_good))


def _long_variances(apart: Floats, begins: float) -> Floats:
    """Variance of √n · mean under the stationary bootstrap, of each column: Politis and Romano (1994), lemma 1.

    Never below a hundredth of the plain variance: a strong negative autocorrelation must not make a trial certain.
    """
    count = len(apart)
    plain = (apart * apart).mean(axis=0)
    found: Floats = plain.copy()
    for lag in range(1, count):
        weight = (1.0 - lag / count) * (1.0 - begins) ** lag + lag / count * (1.0 - begins) ** (count - lag)
        if weight < 1e-4:
            continue
        found += 2.0 * weight * np.einsum("ij,ij->j", apart[lag:], apart[:-lag]) / count
    np.maximum(found, 0.01 * plain, out=found)
    return found


def _unfit(periods: int, trials: int, blocks: int) -> str:
    if trials < 2:
        return f"{trials or 'no'} trial to choose from: overfitting is a matter of choosing"
    if periods < 2 * blocks:
        return f"{periods} periods do not make {blocks} blocks"
    return ""


@lru_cache(maxsize=4)
def _halves(blocks: int) -> Floats:
    """Half of the splits, a row each with 1 for a block in sample: those with block 0. The rest are their opposites."""
    chosen = list(combinations(range(1, blocks), blocks // 2 - 1))
    made = np.zeros((len(chosen), blocks))
    made[:, 0] = 1.0
    if blocks > 2:
        made[np.arange(len(chosen))[:, None], np.array(chosen)] = 1.0
    return made


def _blocked(table: Floats, blocks: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Of each block and trial the sums and sums of squares about the trial's mean, of each block its periods."""
    means = table.mean(axis=0)
    apart = table - means
    edges = np.linspace(0, len(table), blocks + 1).round().astype(int)
    sums = np.add.reduceat(apart, edges[:-1], axis=0)
    squares = np.add.reduceat(apart * apart, edges[:-1], axis=0)
    return sums, squares, np.diff(edges).astype(np.float64), means


def _sharpes(chosen: Floats, sums: Floats, squares: Floats, counts: Floats, means: Floats) -> Floats:
    """Of each half and trial the Sharpe ratio: (halves, trials)."""
    periods = (chosen @ counts)[:, None]
    mean = chosen @ sums
    mean /= periods
    spread = chosen @ squares
    _divide(mean, spread, periods[:, 0], means)
    return mean


@kernel
def _divide(mean: Floats, spread: Floats, periods: Floats, means: Floats) -> None:
    """Turn means into Sharpe ratios; 0 where nothing varies, but for the rounding of sums of squares."""
    for i in range(mean.shape[0]):
        count = periods[i]
        for j in range(mean.shape[1]):
            variance = (spread[i, j] - count * mean[i, j] * mean[i, j]) / (count - 1.0)
            scale = spread[i, j] / count
            mean[i, j] = (mean[i, j] + means[j]) / math.sqrt(variance) if variance > 1e-12 * scale else 0.0


@kernel
def _judge(
    seen: Floats,
    unseen: Floats,
    edges: Floats,
    logits: Floats,
    inside: Floats,
    outside: Floats,
    everyone: Floats,
    chosen: Floats,
) -> None:
    """Of each split the chosen trial and its rank out of sample; count all Sharpe ratios there into bins."""
    low, step = edges[0], edges[1] - edges[0]
    bins = len(edges) - 1
    trials = seen.shape[1]
    for i in range(seen.shape[0]):
        best = 0
        for j in range(1, trials):
            if seen[i, j] > seen[i, best]:
                best = j
        value = unseen[i, best]
        below = equal = 0
        for j in range(trials):
            other = unseen[i, j]
            below += other < value
            equal += other == value
            at = int(min(max((other - low) / step + 1.0, 0.0), bins + 1.0))
            everyone[at] += 1.0
        chosen[int(min(max((value - low) / step + 1.0, 0.0), bins + 1.0))] += 1.0
        rank = (below + 0.5 * (equal + 1)) / (trials + 1.0)
        logits[i] = math.log(rank / (1.0 - rank))
        inside[i], outside[i] = seen[i, best], value


def _edges(table: Floats, counts: Floats) -> Floats:
    """Bins that hold what Sharpe ratios of half the periods come to: those of the whole, give or take five errors."""
    spread = table.std(axis=0, ddof=1)
    whole = np.divide(table.mean(axis=0), spread, out=np.zeros_like(spread), where=spread > NO_VARIATION)
    room = 5.0 / math.sqrt(counts.sum() / 2.0)
    return np.linspace(float(whole.min()) - room, float(whole.max()) + room, _BINS + 1)


def _dominance(chosen: Floats, everyone: Floats) -> str:
    """Whether a distribution in bins lies above another: "first" order, else "second" order, else "none".

    A thousandth is allowed for: bins are coarse and splits overlap.
    """
    mine, all_ = np.cumsum(chosen) / chosen.sum(), np.cumsum(everyone) / everyone.sum()
    if np.array_equal(mine, all_):
        return "none"
    if (mine <= all_ + 1e-3).all():
        return "first"
    return "second" if (np.cumsum(mine) <= np.cumsum(all_) + 1e-3 * len(mine)).all() else "none"


def _slope(inside: Floats, outside: Floats) -> float:
    apart = inside - inside.mean()
    square = float(apart @ apart)
    return float(apart @ (outside - outside.mean())) / square if square > 0 else NAN


def _none() -> Floats:
    return np.empty(0)
