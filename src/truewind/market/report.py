"""The report of an import: what became of every file and every row."""

from collections import Counter
from typing import Any

import msgspec

from truewind.domain.clock import iso
from truewind.errors import TruewindError
from truewind.market.validate import Finding
from truewind.storage.schema import SeriesKey


class FileReport(msgspec.Struct, frozen=True, kw_only=True):
    """One series of one file. read = stored + duplicates + replaced + the sum of quarantined.

    stored: rows that are new in the lake. duplicates: rows that the file has twice or the lake had already.
    replaced: rows that took the place of stored ones with other values. assumed: what neither file nor user said.
    """

    file: str
    format: str
    key: SeriesKey
    read: int
    stored: int
    duplicates: int
    replaced: int
    quarantined: dict[str, int]
    warnings: list[Finding]
    first_us: int | None
    last_us: int | None
    assumed: list[str] = []


class Refusal(msgspec.Struct, frozen=True):
    """A file that was not imported: why, and what would make it importable."""

    file: str
    reason: str
    remedy: str = ""

    @classmethod
    def of(cls, file: str, error: TruewindError) -> "Refusal":
        return cls(file, error.message, error.remedy or "")


class ImportReport(msgspec.Struct, frozen=True):
    """files: what was imported, in the order of the work. refused: what was not. instruments: notes on them."""

    files: list[FileReport]
    refused: list[Refusal]
    instruments: list[str]
    notes: list[str]

    @property
    def totals(self) -> dict[str, int]:
        """Sums over all files."""
        sums = {
            name: sum(getattr(f, name) for f in self.files) for name in ("read", "stored", "duplicates", "replaced")
        }
        return {
            "files": len({f.file for f in self.files}),
            "series": len({f.key for f in self.files}),
            "refused": len(self.refused),
            **sums,
            "quarantined": sum(self.quarantined.values()),
        }

    @property
    def quarantined(self) -> dict[str, int]:
        """Quarantined rows by reason, over all files."""
        return dict(sum((Counter(f.quarantined) for f in self.files), Counter()))

    @property
    def warnings(self) -> dict[str, int]:
        """Findings by check, over all files."""
        counts: Counter[str] = Counter()
        for report in self.files:
            counts.update({finding.check: finding.count for finding in report.warnings})
        return dict(counts)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; times as UTC text."""
        return {
            "totals": self.totals,
            "quarantined": self.quarantined,
            "warnings": self.warnings,
            "instruments": self.instruments,
            "notes": self.notes,
            "files": [_file(report) for report in self.files],
            "refused": [msgspec.to_builtins(refusal) for refusal in self.refused],
        }


def finding_dict(finding: Finding) -> dict[str, Any]:
    """A finding as plain values; times as UTC text."""
    return {
        "check": finding.check,
        "count": finding.count,
        "first": _time(finding.first_us),
        "last": _time(finding.last_us),
        "detail": finding.detail,
    }


def _file(report: FileReport) -> dict[str, Any]:
    plain = msgspec.to_builtins(report)
    plain["warnings"] = [finding_dict(finding) for finding in report.warnings]
    plain["first"], plain["last"] = _time(plain.pop("first_us")), _time(plain.pop("last_us"))
    return dict(plain)


def _time(ts_us: int | None) -> str | None:
    return None if ts_us is None else iso(ts_us)
