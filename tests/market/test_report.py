"""A report sums what its files say, and is plain JSON."""

import json

from truewind.errors import FormatError
from truewind.market.report import FileReport, ImportReport, Refusal
from truewind.market.validate import Finding
from truewind.storage.schema import SeriesKey


def file(name: str, timeframe: str, **changes) -> FileReport:
    values = {
        "file": name,
        "format": "columns",
        "key": SeriesKey("bars", "kraken", "BTCUSD", timeframe),
        "read": 10,
        "stored": 5,
        "duplicates": 2,
        "replaced": 1,
        "quarantined": {"high_low": 2},
        "warnings": [Finding("gap", 3, 1_704_067_200_000_000, 1_704_067_260_000_000, "3 bars missing")],
        "first_us": 1_704_067_200_000_000,
        "last_us": None,
    }
    return FileReport(**(values | changes))


def test_totals_are_sums_over_files_by_hand():
    refused = Refusal.of("c.csv", FormatError("c.csv is empty", remedy="Fetch it again"))
    report = ImportReport(
        files=[file("a.csv", "1m"), file("a.csv", "5m", quarantined={"high_low": 1, "off_grid": 1})],
        refused=[refused],
        instruments=[],
        notes=[],
    )
    assert report.totals == {
        "files": 1,
        "series": 2,
        "refused": 1,
        "read": 20,
        "stored": 10,
        "duplicates": 4,
        "replaced": 2,
        "quarantined": 4,
    }
    assert report.quarantined == {"high_low": 3, "off_grid": 1}
    assert report.warnings == {"gap": 6}
    assert refused == Refusal("c.csv", "c.csv is empty", "Fetch it again")


def test_the_report_is_json_with_readable_times():
    report = ImportReport(files=[file("a.csv", "1m")], refused=[], instruments=[], notes=[])
    plain = json.loads(json.dumps(report.as_dict()))["files"][0]
    assert (plain["first"], plain["last"]) == ("2024-01-01 00:00:00", None)
    assert plain["key"]["symbol"] == "BTCUSD"
    assert plain["warnings"] == [
        {
            "check": "gap",
            "count": 3,
            "first": "2024-01-01 00:00:00",
            "last": "2024-01-01 00:01:00",
            "detail": "3 bars missing",
        }
    ]
