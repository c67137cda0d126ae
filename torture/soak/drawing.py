"""Draws what the process used over time: curves below one another."""

from collections.abc import Callable, Sequence
from html import escape

from bench.plots import STYLE, text
from torture.soak.samples import Sample

WIDTH, PANEL, GAP, LEFT, RIGHT, TOP = 900, 130, 44, 70, 20, 60

Value = Callable[[Sample], float]
PANELS: tuple[tuple[str, Value], ...] = (
    ("resident memory, MB", lambda sample: sample.rss / 1e6),
    ("descriptors", lambda sample: sample.descriptors),
    ("threads", lambda sample: sample.threads),
    ("processor time, seconds since the start of the process", lambda sample: sample.cpu),
)


def draw(samples: Sequence[Sample], title: str) -> str:
    """The whole SVG; a new process begins a new line."""
    height = TOP + len(PANELS) * (PANEL + GAP)
    longest = max((sample.at for sample in samples), default=1.0)
    drawn = []
    for number, (name, value) in enumerate(PANELS):
        drawn += _panel(samples, name, value, TOP + number * (PANEL + GAP) + 14, longest)
    bottom = height - GAP + 32
    for minutes in _ticks(longest / 60):
        drawn.append(text(_x(minutes * 60, longest), bottom, f"{minutes:g} min", "middle"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 10}" role="img">'
    style = f"<title>{escape(title)}</title><style>{STYLE}</style>"
    return "\n".join([head, style, f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>', *drawn, "</svg>\n"])


def _panel(samples: Sequence[Sample], name: str, value: Value, top: int, longest: float) -> list[str]:
    most = 1.15 * max((value(sample) for sample in samples), default=1.0) or 1.0
    bottom = top + PANEL
    drawn = [text(LEFT, top - 6, name)]
    for level in _ticks(most):
        y = bottom - PANEL * level / most
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(text(LEFT - 8, y + 4, f"{level:g}", "end"))
    drawn.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    for life in sorted({sample.life for sample in samples}):
        points = [(_x(one.at, longest), bottom - PANEL * value(one) / most) for one in samples if one.life == life]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline class="s{life % 2}" points="{path}"/>')
    return drawn


def _x(at: float, longest: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * at / longest


def _ticks(most: float) -> list[float]:
    """Some round numbers from 0 up to `most`."""
    step = next(
        (base * 10.0**power for power in range(-2, 7) for base in (1, 2, 5) if most / (base * 10.0**power) <= 6), most
    )
    return [round(step * number, 3) for number in range(int(most / step) + 1)]
