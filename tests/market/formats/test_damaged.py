"""Damaged files of other tools: refused, or their bad rows quarantined, never half a file, never a crash."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from profiles import examples
from truewind.errors import FormatError
from truewind.market.files.container import Encoding, Member
from truewind.market.formats import read_known
from truewind.market.importing import import_files
from truewind.market.place import Options
from truewind.market.universe import observe
from truewind.storage.lake import Lake

FILES = {
    "kraken": "nautilus/kraken_rest_trades.json.gz",
    "bars": "nautilus/kraken_rest_ohlc.json.gz",
    "tardis": "nautilus/tardis__bitmex_trades_XBTUSD.csv",
    "book": "nautilus/tardis__binance-futures_book_snapshot_25_BTCUSDT.csv",
    "lean": "lean/cryptofuture/binance/margin_interest/btcusd.csv",
}


def damaged(data: bytes, edits: list[tuple[int, bytes]]) -> bytes:
    """`data` with pieces written over it, and then cut where the last of them ends every third time."""
    changed = bytearray(data)
    for at, piece in edits:
        changed[at % len(changed) : at % len(changed) + len(piece)] = piece
    return bytes(changed[: edits[-1][0] % len(changed)] if edits and edits[-1][0] % 3 == 0 else changed)


EDITS = st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=6)), min_size=1, max_size=8)


@pytest.mark.parametrize("name", FILES)
@given(edits=EDITS)
@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_readers_read_or_refuse(shared, name, edits):
    file = FILES[name]
    data = (shared / file).read_bytes()
    data = gzip.decompress(data) if file.endswith(".gz") else data
    member = Member(shared / file, "", damaged(data, edits), Encoding.TEXT, 0)
    try:
        parts = read_known(member, Options()) or []
    except FormatError:
        return
    for part in parts:
        assert {"ts", "__row__"} <= set(part.rows.columns)


@pytest.mark.parametrize("name", ["kraken", "tardis", "book", "lean"])
def test_every_row_of_a_damaged_twin_is_accounted_for(shared, tmp_path, name):
    """Numbers of every tenth line become words: as many rows as the clean file has, some of them quarantined."""
    file = FILES[name]
    data = (shared / file).read_bytes()
    text = (gzip.decompress(data) if file.endswith(".gz") else data).decode()
    path = tmp_path / Path(*Path(file).parts[:-1]) / Path(file).name.removesuffix(".gz")
    path.parent.mkdir(parents=True)
    if name == "kraken":
        reply = json.loads(text)
        for row in reply["result"]["XBTUSDT"][::10]:
            row[3] = "?"
        path.write_text(json.dumps(reply))
    else:
        lines = text.splitlines()
        for i in range(len(lines) - 1, 1, -5):
            lines[i] = lines[i][: lines[i].rindex(",")] + ",?"
        path.write_text("\n".join(lines) + "\n")
    clean = import_files(Lake(tmp_path / "a"), [shared / file])
    report = import_files(Lake(tmp_path / "b"), [path])
    assert report.refused == []
    assert sum(one.read for one in report.files) == sum(one.read for one in clean.files)
    for one in report.files:
        assert one.read == one.stored + one.duplicates + one.replaced + sum(one.quarantined.values())
    assert sum(report.quarantined.values()) > 0


ENTRY = st.dictionaries(
    st.sampled_from(["symbol", "status", "onboardDate", "deliveryDate", "filters", "baseAsset", "quoteAsset"]),
    st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2)),
)


@given(st.lists(st.one_of(ENTRY, st.integers(), st.text(max_size=3)), max_size=4))
@examples(100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exchange_information_of_nonsense_is_refused_and_nothing_is_kept(tmp_path_factory, symbols):
    lake = Lake(tmp_path_factory.getbasetemp() / "never")
    with pytest.raises(FormatError):
        observe(lake, "binance_usdm", {"symbols": symbols}, 0)
    assert lake.records("listings").is_empty()
