"""Recommendations and limitations: what to do next, and what this report cannot know."""

from truewind.analytics import advice
from truewind.analytics.document import Section, Text
from truewind.analytics.report import Report

_NOTHING = "Nothing in these figures calls for a change. They are of the past all the same."


def section(report: Report) -> Section:
    """Two lists of sentences."""
    steps, limits = advice.next_steps(report), advice.limitations(report)
    return Section(
        id="recommendations",
        title="Recommendations and limitations",
        blocks=(
            Text(sentences=tuple(steps) or (_NOTHING,), bullets=bool(steps), title="What to do next"),
            Text(sentences=tuple(limits), bullets=True, title="What this report cannot know"),
        ),
    )
