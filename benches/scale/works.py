"""What oneway is made to do, and what has to come out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import expected
from expected import Expected, Shape

# One per cent of all files differs.
ONE_PER_CENT = {"missing": 40, "resized": 30, "redated": 20, "extra": 10}


@dataclass(frozen=True)
class Work:
    """One work. It has a server for each side, or an empty directory for the destination.

    `words` are oneway's, with `{state}` for the state file, `{plan}` for a plan and `{report}` for a report.
    """

    name: str
    title: str
    words: tuple
    expected: Callable[[Shape], Expected]
    status: int
    # How the destination's tree differs from the source's; `None` for an empty directory.
    differences: Optional[dict]
    listing: str = "mlsd"
    is_wide: bool = False
    # The file whose size is told for each change, or for each file.
    writes: Optional[str] = None
    # It goes on with the servers, the state and the plan of the one before it.
    goes_on: bool = False
    # It is in the plot.
    is_drawn: bool = False
    # It is told no places, since its plan has them.
    has_places: bool = True
    # Bytes of the largest file.
    largest: int = 100_000
    # Its files are really made.
    fetches: bool = False
    # The largest tree that it can be done with.
    most: float = 1e9
    # Both sides are made up in the process that is measured, which is `store/` and not `oneway`.
    in_memory: bool = False


DIFF = ("diff", "--no-state")
PLAN = ("plan", "--no-state", "-o", "{plan}")
# Of a work in memory.
FILES = ("{report}", "{plan}")
WORKS = [
    Work("same", "diff, both sides the same", DIFF, expected.same, 0, {}, is_drawn=True),
    Work("one-percent", "diff, 1 % differs", (*DIFF, "--delete"), expected.differing, 1, ONE_PER_CENT, writes="report"),
    Work("missing", "diff, all missing", DIFF, expected.all_new, 1, None, writes="report"),
    Work("plan-one-percent", "plan, 1 % differs", (*PLAN, "--delete"), expected.differing, 0, ONE_PER_CENT, writes="plan", is_drawn=True),
    # No plan file is larger than 1 GiB.
    Work("plan-missing", "plan, all missing", PLAN, expected.all_new, 0, None, writes="plan", most=3e6),
    Work(
        "apply-missing",
        "apply -n, all missing",
        ("apply", "-n", "--no-state", "{plan}"),
        expected.all_new,
        0,
        None,
        goes_on=True,
        has_places=False,
        most=3e6,
    ),
    Work(
        "plan-shards",
        "plan in 16 shares, all missing",
        (*PLAN, "--shards", "16"),
        expected.all_new,
        0,
        None,
        writes="plan",
        is_drawn=True,
    ),
    Work("pull", "sync, all missing, to 100 B each", ("sync", "--no-state"), expected.all_new, 0, None, largest=100, fetches=True, most=1e6),
    Work("remember", "sync, the same, first", ("sync", "--state", "{state}"), expected.same, 0, {}, writes="state"),
    Work(
        "remembered",
        "diff, the same, receipts",
        ("diff", "--state", "{state}"),
        expected.same,
        0,
        {},
        writes="state",
        goes_on=True,
    ),
    Work("wide", "diff, the same, one directory", DIFF, expected.same, 0, {}, is_wide=True, is_drawn=True),
    Work("memory-same", "no server: diff, both sides the same", ("diff", *FILES), expected.same, 0, {}, in_memory=True, is_drawn=True),
    Work(
        "memory-one-percent",
        "no server: plan, 1 % differs",
        ("plan", *FILES, "--delete"),
        expected.differing,
        0,
        ONE_PER_CENT,
        writes="plan",
        in_memory=True,
    ),
    Work("memory-missing", "no server: diff, all missing", ("diff", *FILES), expected.all_new, 1, None, writes="report", in_memory=True),
    Work("minutes", "diff, the same, LIST and MDTM", DIFF, expected.same, 0, {}, listing="list", is_drawn=True),
]


def shape(work, entries):
    """Returns the source's tree."""
    return Shape(entries, wide=entries - 1 if work.is_wide else 0, largest=work.largest)


def failures(work, shape, took, report, total_bytes):
    """Returns what is wrong with a run."""
    wanted = work.expected(shape.but(**(work.differences or {})))
    if took is None:
        return ["took too long"]
    wrong = [] if took.status == work.status else [f"exit status {took.status}, not {work.status}"]
    summary = summary_of(report)
    if summary is None:
        return [*wrong, "there is no summary"]
    if warnings := [line for line in tail(report) if line.get("event") == "warning"]:
        wrong.append(f"a warning: {warnings[0]['text']}")
    wanted_bytes = total_bytes if wanted.bytes is None else wanted.bytes
    changes = {deed: n for deed, n in summary["changes"].items() if n}
    pairs = [
        ("changes", changes, wanted.changes),
        ("scanned", summary["scanned"], wanted.scanned),
        ("bytes", summary["bytes"], wanted_bytes),
        ("failed", summary["failed"], 0),
        ("unchanged", summary["unchanged"], wanted.unchanged),
    ]
    return wrong + [f"{name} {found}, not {right}" for name, found, right in pairs if found != right]


def summary_of(report):
    last = tail(report)[-1:]
    return last[0] if last and last[0].get("event") == "summary" else None


def tail(report):
    """Returns what can be read of the last lines of a report."""
    if not Path(report).exists():
        return []
    with open(report, "rb") as file:
        file.seek(max(0, file.seek(0, 2) - 65536))
        lines = file.read().splitlines()
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
