"""Risk rules: what the risk gate let pass, reduced and denied, and what became of the rest by hypothesis."""

import polars as pl

from truewind.analytics import figures
from truewind.analytics.document import Block, Column, Section, Table, Text
from truewind.analytics.report import Report

_RULES = (
    Column(label="Rule"),
    Column(label="Denied", kind="count"),
    Column(label="Reduced", kind="count"),
    Column(label="Followed", kind="count", meaning="Withheld orders whose outcome could be told"),
    Column(label="Would have made", kind="money", tone="sign"),
    Column(label="Winners", kind="fraction"),
    Column(label="Average R", kind="ratio", meaning="Mean result over the risk at the first stop"),
)
_ORDERS = (
    Column(label="Time (UTC)", kind="moment"),
    *(Column(label=label) for label in ("Symbol", "Side", "Rule")),
    Column(label="Withheld", kind="quantity"),
    Column(label="In", kind="price"),
    Column(label="Out", kind="price"),
    Column(label="Ended by"),
    Column(label="Result", kind="money", tone="sign"),
    Column(label="R", kind="ratio"),
)
_NOTE = (
    "Hypothetical: in at the next open or the limit, out at the stop, in even parts at the targets, at the end of the "
    "horizon or when the strategy changed its mind; fees and half the spread both ways, no funding. A rule whose "
    "withheld orders would have lost has saved that money. Of orders that came while a withheld one would have been "
    "open only the first is followed."
)


def section(report: Report) -> Section | None:
    """A sentence, a row a rule, and the orders; None where no rule was asked."""
    told, withheld = report.summary.get("risk"), report.withheld
    if told is None or withheld is None or not (told["approved"] + told["reduced"] + told["denied"]):
        return None
    total = told["approved"] + told["reduced"] + told["denied"]
    if not withheld.height:
        passed = Text(sentences=(f"All {total:,} orders that were to open or add passed.",))
        return Section(id="rules", title="What the risk rules did", blocks=(passed,))
    result = float(withheld["result"].fill_null(0.0).sum())
    sentence = (
        f"Of {total:,} orders that were to open or add {told['approved']:,} passed, {told['reduced']:,} were made "
        f"smaller and {told['denied']:,} denied. What was withheld would have {'lost' if result < 0 else 'made'} "
        f"{figures.money(abs(result))}: by this reckoning the rules {'saved' if result < 0 else 'cost'} it."
    )
    rules = tuple(
        (
            *(rule["rule"].replace("_", " "), rule["denied"], rule["reduced"], rule["followed"]),
            *(rule["result"], rule["win_rate"], rule["average_r"]),
        )
        for rule in told["rules"]
    )
    followed = withheld.filter(pl.col("result").is_not_null()).reverse()
    orders = tuple(
        (
            *(row["ts"], row["symbol"], "long" if row["side"] > 0 else "short", row["reason"].replace("_", " ")),
            *(row["withheld"], row["bought"], row["sold"], row["ended"], row["result"], row["r"]),
        )
        for row in followed.iter_rows(named=True)
    )
    blocks: list[Block] = [Text(sentences=(sentence,))]
    if rules:
        blocks.append(Table(name="rules", columns=_RULES, rows=rules, note=_NOTE))
    if orders:
        title = "Orders whose rest was followed"
        blocks.append(Table(name="withheld", title=title, columns=_ORDERS, rows=orders, folded=True))
    return Section(id="rules", title="What the risk rules did", blocks=tuple(blocks))
