"""Validation: what came of asking everything that can be asked of the run (`truewind validate`)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from truewind.analytics import walked
from truewind.analytics.document import Block, Column, HeatMap, Histogram, Section, Table, Text
from truewind.analytics.figures import percent
from truewind.analytics.report import Report
from truewind.analytics.walked import number

_BINS = 12
_MARKETS = (
    ("permuted", "Permuted markets", "Does it earn as much where bars come in another order?"),
    ("noise", "Noise", "… and where there is no drift either?"),
)


def section(report: Report) -> Section | None:
    """The answers one by one, then what they were read from; None where nobody has asked."""
    found = report.validation
    if not found or "space" not in found:
        return None
    blocks: list[Block] = [_asked(found)]
    for part in (_walk, _choice, _overfit, _stability):
        blocks += part(found)
    if found.get("quick"):
        blocks.append(
            Text(sentences=("A first look with small samples (--quick): ask again without it.",), tone="warning")
        )
    return Section(id="validation", title="Validation", blocks=tuple(blocks))


def _asked(found: Mapping[str, Any]) -> Table:
    """Every question in a row: what was asked, what was found."""
    stable = found["stability"]
    rows = [
        ("Walk-forward", "Do settings that are chosen on the past earn afterwards?", _of_walk(found["walkforward"])),
        ("Choice on many paths (CPCV)", "… and had the past come in another order?", _of_choice(found["choice"])),
        ("Overfitting (PBO)", "Is what was best in one half of the past good in the other?", _of_overfit(found)),
        ("Best of so many (SPA)", "How often would luck alone give one as good as this run?", _of_superior(found)),
        ("Stability", "Do settings next to these earn, too?", stable.get("sentence") or _untold(stable)),
        ("Look-ahead", "Does the past move when the future is changed?", found["lookahead"]["said"]),
    ]
    rows.append(("Shocks", "Does it stand worse costs, latency and funding, and a gap?", _of_stress(found)))
    for name, title, question in _MARKETS:
        said = " ".join(found[name]["said"]) if found.get(name) else _untold({"reason": found.get(f"{name}_reason")})
        rows.append((title, question, said))
    space = found["space"]
    tried = f"{space['trials']:,} settings were tried on all data" if space["trials"] else "No settings were tried"
    failed = f"; {space['failed']:,} of them could not be run" if space.get("failed") else ""
    slow = f", in the event lane, since {space['slow']}" if space.get("slow") else ""
    return Table(
        name="validation",
        title="What was asked",
        columns=(Column(label="Test"), Column(label="Question"), Column(label="What was found")),
        rows=tuple(rows),
        note=f"{tried}{failed}{slow}. The gate's verdict on all this stands under Luck and overfitting.",
    )


def _untold(part: Mapping[str, Any]) -> str:
    return f"Not tested: {part['reason']}."


def _of_walk(walk: Mapping[str, Any]) -> str:
    return _untold(walk) if walk["reason"] else " ".join(walked.verdict(walk)[:2])


def _of_choice(choice: Mapping[str, Any]) -> str:
    if choice["reason"]:
        return _untold(choice)
    median, hindsight = (f"{number(choice[name]):.2f}" for name in ("median", "hindsight"))
    return (
        f"On {len(choice['sharpes'])} paths the Sharpe ratio is {median} in the median, and "
        f"{percent(choice['loss'])} of them lose money; the best trial shows {hindsight} in hindsight."
    )


def _of_overfit(found: Mapping[str, Any]) -> str:
    overfit = found["overfit"]
    if overfit["reason"]:
        return _untold(overfit)
    return (
        f"In {percent(overfit['probability'])} of {overfit['splits']:,} splits it came out below the median of all; it "
        f"lost money in {percent(overfit['loss'])}."
    )


def _of_superior(found: Mapping[str, Any]) -> str:
    best = found["superior"]
    if best["reason"]:
        return _untold(best)
    return (
        f"With a chance of {percent(best['consistent'])} among {best['trials']:,} trials (Hansen's test; White's "
        f"reality check says {percent(best['reality'])})."
    )


def _of_stress(found: Mapping[str, Any]) -> str:
    ran = [run for run in found.get("stress") or () if run["net_return"] is not None]
    if not ran:
        return _untold({"reason": "no shock could be run"})
    worst = min(ran, key=lambda run: number(run["net_return"]))
    kept = sum(number(run["net_return"]) > 0.0 for run in ran[1:])
    return (
        f"Under {kept} of {len(ran) - 1} shocks it still makes money; the worst is “{worst['name']}” with "
        f"{percent(number(worst['net_return']))}. The table stands under Risk and stress."
    )


def _walk(found: Mapping[str, Any]) -> list[Block]:
    walk = found["walkforward"]
    return [] if walk["reason"] else list(walked.blocks(walk)[1:])


def _choice(found: Mapping[str, Any]) -> list[Block]:
    choice = found["choice"]
    sharpes = np.array([number(value) for value in choice.get("sharpes", ())])
    sharpes = sharpes[np.isfinite(sharpes)]
    if choice["reason"] or not len(sharpes):
        return []
    marks = [("median", number(choice["median"])), ("best in hindsight", number(choice["hindsight"]))]
    edges = np.histogram_bin_edges(np.append(sharpes, marks[1][1]), bins=_BINS)
    counts, _ = np.histogram(sharpes, bins=edges)
    return [
        Histogram(
            title=f"Sharpe ratio of {len(sharpes)} paths, chosen anew in each of {choice['splits']} splits",
            edges=edges,
            counts=counts.astype(np.float64),
            kind="ratio",
            marks=tuple(marks),
            note=f"{choice['groups']} groups of days, {choice['tested']} tested at a time; {choice['chosen']} trials "
            f"were chosen at least once. Positions last {number(choice['held_days']):.1f} more days on average, so "
            f"that {percent(number(choice['purged']))} of the days outside of a test were not learned from. Paths "
            "share days: they are no independent samples.",
        )
    ]


def _overfit(found: Mapping[str, Any]) -> list[Block]:
    overfit = found["overfit"]
    if overfit["reason"]:
        return []
    slope = number(overfit["slope"])
    tail = "the better a trial looked, the worse it did" if slope < 0.0 else "what looked better did better"
    return [
        Histogram(
            title="Where the best of one half stood in the other",
            edges=np.array(overfit["edges"]),
            counts=np.array(overfit["counts"], np.float64),
            kind="ratio",
            marks=(("median", 0.0),),
            note="Logit of its rank out of sample, over all splits: right of the median it was better than most. "
            f"Sharpe ratios out of sample against in sample have a slope of {slope:.2f}: {tail}.",
        )
    ]


def _stability(found: Mapping[str, Any]) -> list[Block]:
    return [
        HeatMap(
            title=each["title"],
            rows=tuple(each["rows"]),
            columns=tuple(each["columns"]),
            values=np.array([[number(value) for value in row] for row in each["values"]]),
            kind=each["kind"],
            row_label=each["row_label"],
            column_label=each["column_label"],
            marked=None if each["marked"] is None else (each["marked"][0], each["marked"][1]),
            note=each["note"],
        )
        for each in found["stability"].get("surfaces", ())
    ]
