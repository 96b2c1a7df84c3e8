"""Draws docs/architecture.svg from the import contracts in pyproject.toml and the way of a bar: `make docs`."""

import re
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).parent
PICTURE = DOCS / "architecture.svg"

# What a room is for, in a few words.
ROOMS = {
    "cli": "commands, one file a group",
    "exchange": "a Binance on your own machine",
    "live": "paper sessions and their audit",
    "backtest": "one run: data, engine, files",
    "research": "many runs: sweeps, validation",
    "engine": "the one path, in two lanes",
    "analytics": "figures, reports, the gate",
    "strategies": "decide",
    "risk": "limit: every order passes",
    "execution": "act: the simulated venue",
    "portfolio": "ledger, margin, what falls due",
    "market": "history, streams, checks",
    "features": "one step each, batch and stream",
    "storage": "lake, journal, ledger of trials",
    "venues": "rules of venues, protocols",
    "numerics": "shared kernels",
    "domain": "values and ports, no I/O",
    "config": "settings",
    "log": "JSON lines, secrets masked",
    "errors": "one tree",
}
WIDTH, FLOOR, GAP, LEFT = 760, 50, 8, 26
STYLE = """<style>
text{fill:#333}.name{font-weight:600}.about{fill:#666;font-size:11px}.floor{fill:#f3f3f0}
.room{fill:#fff;stroke:#999}.decides{stroke:#0072b2;stroke-width:2}.step{fill:#0072b2}.number{fill:#fff;font-size:10px}
.down{stroke:#999;fill:none}
@media(prefers-color-scheme:dark){text{fill:#ddd}.about{fill:#aaa}.floor{fill:#22252a}.room{fill:#2d3138;stroke:#777}
.decides{stroke:#56b4e9}.step{fill:#56b4e9}.number{fill:#111}}
</style>"""


def contracts() -> tuple[list[list[str]], set[str]]:
    """Rooms by floor, from the top; and those that decide, which know data and venues through ports only."""
    said = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers, ports = (next(c for c in said["contracts"] if c["type"] == kind) for kind in ("layers", "forbidden"))
    floors = [[room.strip().removeprefix("truewind.") for room in re.split("[|:]", row)] for row in layers["layers"]]
    return floors, {room.removeprefix("truewind.") for room in ports["source_modules"]}


def steps() -> dict[str, list[int]]:
    """Where a bar comes by: the sections of the page about its life, by the room that their headings name."""
    page = (DOCS / "life-of-a-bar.md").read_text(encoding="utf-8")
    found: dict[str, list[int]] = {}
    for number, room in re.findall(r"^## (\d+)\. .*: `(\w+)", page, re.MULTILINE):
        found.setdefault(room, []).append(int(number))
    return found


def picture() -> str:
    """The drawing. Raises KeyError for a room that has no words yet."""
    floors, deciding = contracts()
    way = steps()
    height = len(floors) * (FLOOR + GAP) + 24
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="13">',
        STYLE,
        f'<path class="down" d="M12 6V{height - 32}M7 {height - 40}l5 8l5 -8"/>',
    ]
    for row, rooms in enumerate(floors):
        y = row * (FLOOR + GAP)
        lines.append(f'<rect class="floor" x="{LEFT}" y="{y}" width="{WIDTH - LEFT}" height="{FLOOR}" rx="4"/>')
        width = (WIDTH - LEFT - GAP) / len(rooms)
        for column, room in enumerate(rooms):
            x = LEFT + GAP + column * width
            lines += _room(room, x, y + 5, width - GAP, way.get(room, []), decides=room in deciding)
    legend = "Imports point down only. Framed: the rooms that decide; data and venues reach them through ports. "
    lines.append(f'<text class="about" x="{LEFT}" y="{height - 8}">{legend}Numbers: the way of a bar.</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _room(room: str, x: float, y: float, width: float, way: list[int], *, decides: bool) -> list[str]:
    kind = "room decides" if decides else "room"
    lines = [
        f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{FLOOR - 10}" rx="4"/>',
        f'<text class="name" x="{x + 10:.1f}" y="{y + 17}">{room}</text>',
        f'<text class="about" x="{x + 10:.1f}" y="{y + 32}">{escape(ROOMS[room])}</text>',
    ]
    for place, number in enumerate(reversed(way)):
        middle = x + width - 14 - place * 20
        lines += [
            f'<circle class="step" cx="{middle:.1f}" cy="{y + 13}" r="8"/>',
            f'<text class="number" x="{middle:.1f}" y="{y + 16.5}" text-anchor="middle">{number}</text>',
        ]
    return lines


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE)
