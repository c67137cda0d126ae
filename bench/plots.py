"""Draws SVG plots with plain Python; they read well on light and on dark paper."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from bench.bars import figure
from bench.report import HEADINGS
from bench.results import Row

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 56, 56
SERIES = [*HEADINGS, "floor"]
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #ddd } .axis { stroke: #888 } polyline { fill: none; stroke-width: 2 }
  .s0 { fill: #c2410c } .s1 { fill: #1d4ed8 } .s2 { fill: #7aa7f0 } .s3 { fill: #6b8e23 } .s4 { fill: #999 }
  polyline.s0, polyline.s1, polyline.s2, polyline.s3, polyline.s4 { fill: none }
  polyline.s0 { stroke: #c2410c } polyline.s1 { stroke: #1d4ed8 } polyline.s2 { stroke: #7aa7f0 }
  polyline.s3 { stroke: #6b8e23 } polyline.s4 { stroke: #999 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .grid { stroke: #3a3a3a } .axis { stroke: #888 }
    .s0 { fill: #fb923c } .s1 { fill: #60a5fa } .s2 { fill: #33569c } .s3 { fill: #a3c44a } .s4 { fill: #777 }
    polyline.s0 { stroke: #fb923c } polyline.s1 { stroke: #60a5fa } polyline.s2 { stroke: #33569c }
    polyline.s3 { stroke: #a3c44a } polyline.s4 { stroke: #777 }
  }
"""

Values = Mapping[str, Mapping[str, float]]
"""By group or position, by series."""


def plots(rows: Sequence[Row]) -> dict[str, str]:
    """File names with their SVG; a plot of which nothing was measured is left out."""
    drawn = {}
    for rtt in sorted({row.rtt for row in rows}):
        near = [row for row in rows if row.rtt == rtt]
        drawn[f"wall-{rtt}ms.svg"] = bars(f"Wall time in seconds, RTT {rtt} ms", {row.key: walls(row) for row in near})
        growth = {row.messages: walls(row) for row in near if row.key.startswith("W3b")}
        drawn[f"growth-wall-{rtt}ms.svg"] = lines(
            f"Nothing changed: wall time in seconds by messages in the mailbox, RTT {rtt} ms", growth
        )
    drawn["octets.svg"] = bars("Octets both ways", {row.key: octets(row) for row in rows if octets(row)})
    grown = {row.messages: octets(row) for row in rows if row.key.startswith("W3b")}
    drawn["growth-octets.svg"] = lines("Nothing changed: octets both ways by messages in the mailbox", grown)
    return {name: svg for name, svg in drawn.items() if svg}


def walls(row: Row) -> dict[str, float]:
    """Seconds by series, the floor included."""
    found = {name: wall for name in HEADINGS if (wall := row.wall(name)) is not None}
    return found | ({"floor": row.floor.larger} if row.floor else {})


def octets(row: Row) -> dict[str, float]:
    """Octets both ways by series."""
    return {name: found for name in HEADINGS if (found := figure(row, name, "octets")) is not None}


class Scale:
    """A logarithmic axis over all decades that the values touch."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        """Pixels from `begin` to `end`."""
        self.low = math.floor(math.log10(min(values)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values))))
        self.begin, self.end = begin, end

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def decades(self) -> list[float]:
        """The powers of ten."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def bars(title: str, groups: Values) -> str:
    """Grouped bars on a logarithmic scale."""
    values = [value for group in groups.values() for value in group.values() if value > 0]
    if not values:
        return ""
    y = Scale(values, HEIGHT - BOTTOM, TOP)
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    thick = room * 0.84 / len(SERIES)
    drawn = grid(y)
    for place, (name, group) in enumerate(groups.items()):
        start = LEFT + place * room + room * 0.08
        for index, series in enumerate(SERIES):
            if (value := group.get(series, 0)) > 0:
                top = y(value)
                drawn.append(
                    f'<rect class="s{index}" x="{start + index * thick:.1f}" y="{top:.1f}" width="{thick * 0.9:.1f}" '
                    f'height="{HEIGHT - BOTTOM - top:.1f}"><title>{escape(name)}, {series}: {value:.4g}</title></rect>'
                )
        drawn.append(text(start + room * 0.42, HEIGHT - BOTTOM + 18, name, "middle"))
    return picture(title, drawn, {series for group in groups.values() for series in group})


def lines(title: str, points: Mapping[int, Mapping[str, float]]) -> str:
    """A line for each series over numbers of messages, both axes logarithmic."""
    values = [value for group in points.values() for value in group.values() if value > 0]
    if not values or len(points) < 2:
        return ""
    y, x = Scale(values, HEIGHT - BOTTOM, TOP), Scale(list(points), LEFT + 20, WIDTH - RIGHT - 20)
    drawn = grid(y)
    for index, series in enumerate(SERIES):
        found = [(x(at), y(group[series])) for at, group in sorted(points.items()) if group.get(series, 0) > 0]
        if found:
            path = " ".join(f"{left:.1f},{top:.1f}" for left, top in found)
            drawn.append(f'<polyline class="s{index}" points="{path}"/>')
            drawn += [f'<circle class="s{index}" cx="{left:.1f}" cy="{top:.1f}" r="4"/>' for left, top in found]
    drawn += [text(x(at), HEIGHT - BOTTOM + 18, f"{at:,}", "middle") for at in sorted(points)]
    return picture(title, drawn, {series for group in points.values() for series in group})


def grid(y: Scale) -> list[str]:
    """Lines and labels of the decades."""
    drawn = []
    for value in y.decades():
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        drawn.append(text(LEFT - 8, y(value) + 4, f"{value:,.0f}" if value >= 1 else f"{value:g}", "end"))
    return drawn


def picture(title: str, drawn: Sequence[str], used: set[str]) -> str:
    """The whole SVG with its title and a key to the series that were used."""
    key = []
    for place, series in enumerate(series for series in SERIES if series in used):
        left = LEFT + place * 150
        key.append(f'<rect class="s{SERIES.index(series)}" x="{left}" y="34" width="12" height="12"/>')
        key.append(text(left + 18, 44, HEADINGS.get(series, series)))
    axis = f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
            f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>',
            *drawn,
            axis,
            *key,
            "</svg>\n",
        ]
    )


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """A label."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
