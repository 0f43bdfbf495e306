"""What was measured: as a table, as a CSV file, and from that as a plot."""

import csv
import re
import sys
from dataclasses import dataclass, field, fields
from typing import Optional

import plot
import works

# What times per entry are compared with.
COMPARED_WITH = 100_000


@dataclass
class Row:
    """A work with so many entries: seconds and bytes; `None` is what was not measured."""

    work: str
    entries: int
    wall: Optional[float] = None
    user: Optional[float] = None
    system: Optional[float] = None
    server: Optional[float] = None
    peak: Optional[int] = None
    anonymous: Optional[int] = None
    of_files: Optional[int] = None
    # Bytes of the report, plan or state that the work wrote.
    written: Optional[int] = None
    changes: int = 0
    failures: list = field(default_factory=list)

    @classmethod
    def of(cls, work, entries, took, failures):
        row = cls(work.name, entries, failures=failures)
        shape = works.shape(work, entries)
        row.changes = sum(work.expected(shape.but(**(work.differences or {}))).changes.values())
        if took:
            for name in ["wall", "user", "system", "server", "peak", "anonymous", "of_files"]:
                setattr(row, name, getattr(took, name))
        return row

    @property
    def micros(self):
        """Microseconds per entry."""
        return self.wall / self.entries * 1e6

    @property
    def cpu_micros(self):
        """Microseconds of the client's processor time per entry, which a busy machine changes less."""
        return (self.user + self.system) / self.entries * 1e6

    @property
    def title(self):
        return next((work.title for work in works.WORKS if work.name == self.work), self.work)

    @property
    def written_each(self):
        """Bytes written for each change; of a state, for each file."""
        count = self.changes or self.entries
        return self.written / count if self.written else None


def table(rows):
    """Returns all rows as Markdown, those of one work together."""
    names = [work.name for work in works.WORKS]
    rows = sorted(rows, key=lambda row: (names.index(row.work), row.entries))
    lines = [
        "| work | entries | wall | µs/entry | ÷ 10⁵ | client user + system | µs/entry | ÷ 10⁵ | servers | peak memory | anonymous | of files | written |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for row in rows:
        cells = [row.title, f"{row.entries:,}"]
        if row.failures or row.wall is None:
            cells += [f"**failed**: {'; '.join(row.failures)}", *[""] * 10]
        else:
            cells += [
                f"{row.wall:.2f} s",
                f"{row.micros:.2f}",
                ratio(row, rows, Row.micros.fget),
                f"{row.user:.2f} + {row.system:.2f} s",
                f"{row.cpu_micros:.2f}",
                ratio(row, rows, Row.cpu_micros.fget),
                f"{row.server:.2f} s",
                *(f"{size / 1e6:.0f} MB" if size else "–" for size in [row.peak, row.anonymous, row.of_files]),
                written(row),
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def ratio(row, rows, figure):
    """Returns a figure by that of the same work with a hundred thousand entries."""
    others = (other for other in rows if other.work == row.work and other.entries == COMPARED_WITH and other.wall)
    other = next(others, None)
    return f"{figure(row) / figure(other):.2f}" if other else "–"


def written(row):
    if row.written is None:
        return ""
    each = f"{row.written_each:.0f} B a {'change' if row.changes else 'file'}"
    return f"{row.written / 1e6:.1f} MB, {each}"


def line(row):
    """Returns a row for people who wait."""
    if row.failures or row.wall is None:
        return f"{row.work:18} {row.entries:>12,}  failed: {'; '.join(row.failures)}"
    return (
        f"{row.work:18} {row.entries:>12,} {row.wall:9.2f} s {row.micros:7.2f} µs/entry"
        f"  client {row.user:.2f}+{row.system:.2f} s, servers {row.server:.2f} s, {row.peak / 1e6:.0f} MB  {written(row)}"
    )


COLUMNS = [each.name for each in fields(Row) if each.name != "failures"]


def write(file, rows):
    """Writes the rows that are right as CSV."""
    with open(file, "w", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(COLUMNS)
        for row in rows:
            if not row.failures:
                values = (getattr(row, name) for name in COLUMNS)
                lines.writerow([f"{value:.3f}" if isinstance(value, float) else value for value in values])


def read(file):
    with open(file, newline="") as lines:
        return [Row(**{name: number(name, text) for name, text in each.items()}) for each in csv.DictReader(lines)]


def number(name, text):
    if name == "work":
        return text
    if not text:
        return None
    return float(text) if name in ["wall", "user", "system", "server"] else int(text)


def publish(page, rows, head=None):
    """Puts the table between the markers of a page, and the figures and their plot beside it. Without a head, the page's stays."""
    write(page.with_suffix(".csv"), rows)
    page.with_suffix(".svg").write_text(plot.svg([row for row in rows if not row.failures]))
    old = between(page, "figures")
    kept = old[: old.find("| work |")].strip() if "| work |" in old else ""
    put(page, "figures", f"{head or kept}\n\n{table(rows)}")


def between(page, name):
    """Returns what stands between two markers of a page."""
    found = re.search(pattern(name), page.read_text(), re.DOTALL)
    if not found:
        sys.exit(f"{page} has no place between `<!-- {name} -->` and `<!-- /{name} -->`")
    return found[2]


def put(page, name, text):
    """Replaces what stands there."""
    between(page, name)
    page.write_text(re.sub(pattern(name), lambda found: f"{found[1]}\n{text.strip()}\n\n{found[3]}", page.read_text(), flags=re.DOTALL))


def pattern(name):
    return rf"(<!-- {name} -->\n)(.*)(<!-- /{name} -->)"
