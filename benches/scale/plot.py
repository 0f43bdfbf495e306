"""Figures as a picture: time and processor time for each entry, and peak memory, over the number of entries, both axes logarithmic.

One file that is read in light and in dark: the colours follow `prefers-color-scheme`, where a page doesn't say otherwise.
"""

import math
from html import escape

import works

# Works in the order of the legend. Colours go by place in it, as pairs for light and dark grounds that people who see colours
# otherwise can tell apart, and with a marker of its own for each.
COLOURS = [
    ("#2a78d6", "#3987e5"),
    ("#1baf7a", "#199e70"),
    ("#b8860b", "#c98500"),
    ("#4a3aa7", "#9085e9"),
    ("#e34948", "#e66767"),
    ("#6b6a63", "#a3a29b"),
]
MARKERS = ["circle", "square", "diamond", "triangle", "cross", "fallen"]

WIDTH, TOP, LEFT, BETWEEN, RIGHT = 1080, 56, 64, 84, 24
PANEL_HEIGHT = 330

# What ten million entries may take.
GOAL_MB = 400


def svg(rows):
    """Returns the picture."""
    names = [work.name for work in works.WORKS if work.is_drawn and any(row.work == work.name for row in rows)]
    rows = [row for row in rows if row.work in names]
    panels = [
        ("Time for each entry", "µs", lambda row: row.micros, None),
        ("Client's processor time for each", "µs", lambda row: row.cpu_micros, None),
        ("Peak memory", "MB", lambda row: row.peak / 1e6, GOAL_MB),
    ]
    legend_rows = math.ceil(len(names) / 3)
    height = TOP + PANEL_HEIGHT + 64 + legend_rows * 22 + 12
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="Time for each entry, processor time, and peak memory over the number of entries" font-family="system-ui, sans-serif">',
        style(len(names)),
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
    ]
    width = (WIDTH - LEFT - RIGHT - BETWEEN * (len(panels) - 1)) / len(panels)
    for i, described in enumerate(panels):
        out += panel(LEFT + i * (width + BETWEEN), width, described, rows, names)
    for i, name in enumerate(names):
        x, y = LEFT + i % 3 * 320, TOP + PANEL_HEIGHT + 72 + i // 3 * 22
        out.append(f'<path class="line s{i}" d="M{x - 12} {y - 4}h24"/>{marker(i, x, y - 4)}')
        out.append(f'<text class="ink" x="{x + 20}" y="{y}">{escape(title_of(name))}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def panel(left, width, described, rows, names):
    """Returns one of the plots."""
    title, unit, value, goal = described
    across = Scale([row.entries for row in rows], left, left + width)
    up = Scale([value(row) for row in rows] + ([goal] if goal else []), TOP + PANEL_HEIGHT, TOP)
    out = [f'<text class="title" x="{left}" y="28">{title}</text>']
    for at, is_decade in up.ticks():
        y = up.place(at)
        out.append(f'<path class="{"grid" if is_decade else "fine"}" d="M{left:.1f} {y:.1f}h{width:.1f}"/>')
        if is_decade or up.is_short():
            text = f"{at:g} {unit}"
            out.append(f'<text class="quiet" x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for at, is_decade in across.ticks():
        x = across.place(at)
        if is_decade:
            out.append(f'<path class="grid" d="M{x:.1f} {TOP}v{PANEL_HEIGHT}"/>')
            out.append(f'<text class="quiet" x="{x:.1f}" y="{TOP + PANEL_HEIGHT + 20}" text-anchor="middle">{power(at)}</text>')
    if goal:
        y = up.place(goal)
        out.append(f'<path class="goal" d="M{left:.1f} {y:.1f}h{width:.1f}"/>')
        out.append(f'<text class="quiet" x="{left + 6:.1f}" y="{y - 6:.1f}">goal for 10⁷: {goal} {unit}</text>')
    out.append(
        f'<text class="quiet" x="{left + width / 2:.1f}" y="{TOP + PANEL_HEIGHT + 42}" text-anchor="middle">entries</text>'
    )
    for i, name in enumerate(names):
        points = [
            (across.place(row.entries), up.place(value(row)), row)
            for row in sorted(rows, key=lambda row: row.entries)
            if row.work == name
        ]
        out.append(f'<path class="line s{i}" d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points)}"/>')
        for x, y, row in points:
            tip = f"{title_of(name)}, {row.entries:,} entries: {value(row):.3g} {unit}"
            out.append(f"<g><title>{escape(tip)}</title>{marker(i, x, y)}</g>")
    return out


class Scale:
    """A logarithmic axis from a place to another, from one round number to another."""

    def __init__(self, values, start, end):
        steps = [step * 10**decade for decade in range(-4, 13) for step in (1, 2, 5)]
        self.low = max(step for step in steps if step <= min(values) * 1.0001)
        self.high = min(step for step in steps if step >= max(values) * 0.9999)
        if self.low == self.high:
            self.high = self.low * 10
        self.start, self.end = start, end

    def place(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.end - self.start)

    def is_short(self):
        """Returns whether there is room to name what lies between decades, too."""
        return self.high / self.low <= 1000

    def ticks(self):
        """Yields round numbers, and whether each is a power of ten."""
        for decade in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
            for step in (1, 2, 5):
                at = step * 10.0**decade
                if self.low * 0.9999 <= at <= self.high * 1.0001:
                    yield at, step == 1


def marker(i, x, y):
    shape = MARKERS[i % len(MARKERS)]
    if shape == "circle":
        return f'<circle class="mark f{i}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    ways = {
        "square": "m-4 -4h8v8h-8z",
        "diamond": "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
        "triangle": "m0 -5l5 9h-10z",
        "fallen": "m0 5l5 -9h-10z",
        "cross": "m-5 -1.8h3.2v-3.2h3.6v3.2h3.2v3.6h-3.2v3.2h-3.6v-3.2h-3.2z",
    }
    return f'<path class="mark f{i}" d="M{x:.1f} {y:.1f}{ways[shape]}"/>'


def style(series):
    """Returns the colours, for light and for dark grounds."""
    def rules(dark):
        ground, ink, quiet, grid, fine = (
            ("#1a1a19", "#f5f4ef", "#b5b3aa", "#4a4944", "#2e2d2a")
            if dark
            else ("#fcfcfb", "#0b0b0b", "#52514e", "#c9c8c2", "#ebeae5")
        )
        lines = [
            f".ground{{fill:{ground}}}.ink{{fill:{ink};font-size:13px}}.title{{fill:{ink};font-size:15px;font-weight:600}}",
            f".quiet{{fill:{quiet};font-size:12px}}.grid{{stroke:{grid}}}.fine{{stroke:{fine}}}.goal{{stroke:{quiet}}}.mark{{stroke:{ground};stroke-width:1.5}}",
        ]
        for i in range(series):
            colour = COLOURS[i % len(COLOURS)][dark]
            lines.append(f".s{i}{{stroke:{colour}}}.f{i}{{fill:{colour}}}")
        return "".join(lines)

    return (
        f"<style>.line{{fill:none;stroke-width:2}}.grid,.fine,.goal{{fill:none}}.goal{{stroke-dasharray:5 4}}{rules(False)}"
        f"@media(prefers-color-scheme:dark){{{rules(True)}}}</style>"
    )


def title_of(name):
    return next(work.title for work in works.WORKS if work.name == name)


def power(value):
    """Returns a power of ten as people write it."""
    exponent = round(math.log10(value))
    return f"10{str(exponent).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
