"""What was measured as Markdown."""

import datetime
import os
import platform
import re
import shlex
import sys
from pathlib import Path


def section(result):
    """Returns the table of one work on one server."""
    clients = sorted(result["clients"], key=lambda client: client["median"]["wall"] if client["median"] else float("inf"))
    floor, peer = floor_of(result), best_peer(result)
    lines = [
        f"### {heading(result)}",
        "",
        "| client | sessions | wall | from–to | ÷ floor | ÷ best peer | CPU | peak memory |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for client in clients:
        name = f"**{client['name']}**" if client["name"] == "oneway" else client["name"]
        figures = client["median"]
        if client["failures"] or not figures:
            lines.append(f"| {name} | {client['sessions']} | {'; '.join(client['failures'])} |" + " |" * 5)
            continue
        walls = [run["wall"] for run in client["runs"]]
        cells = [
            name,
            client["sessions"],
            seconds(figures["wall"]),
            f"{min(walls):.2f}–{max(walls):.2f}",
            ratio(client, floor),
            ratio(client, peer),
            seconds(figures["cpu"]),
            f"{figures['memory'] / 1e6:.0f} MB",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def summary(report):
    """Returns oneway's standing in all works in one table."""
    lines = [
        "| work | server | oneway | best peer | ÷ best peer | goal | floor | ÷ floor | goal |",
        "| --- | --- | --: | --- | --: | --: | --: | --: | --: |",
    ]
    for result in report["results"]:
        oneway, floor, peer = client_named(result, "oneway"), floor_of(result), best_peer(result)
        goals = {name: f"≤ {goal:.2f}" for name, goal in result["goals"].items()}
        cells = [
            where(result),
            result["server"],
            wall(oneway),
            f"{peer['name']} {wall(peer)}" if peer else "–",
            ratio(oneway, peer),
            goals.get("peer", "–"),
            wall(floor),
            ratio(oneway, floor),
            goals.get("floor", "–"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def run_of(report):
    """Returns everything that is to be told of one run."""
    machine = report["machine"]
    head = [
        f"Measured on {machine['date']}, oneway {machine['version']}, {machine['processors']} × {machine['processor']},"
        f" {machine['memory']} GB of memory, Linux {machine['kernel']}, load before the run {machine['load']}, by",
        "",
        "```sh",
        shlex.join(report["command"]),
        "```",
        "",
        summary(report),
    ]
    return "\n".join(head + [section(result) for result in report["results"]])


def update(file, reports):
    """Replaces what stands between the markers in a file."""
    page = "\n".join(map(run_of, reports))
    text, count = re.subn(
        r"(<!-- figures -->\n).*(<!-- /figures -->)",
        lambda found: f"{found[1]}\n{page}\n{found[2]}",
        file.read_text(),
        flags=re.DOTALL,
    )
    if count != 1:
        sys.exit(f"{file} has no place for figures between `<!-- figures -->` and `<!-- /figures -->`")
    file.write_text(text)


def machine(version):
    """Returns what figures depend on."""
    processor = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "date": datetime.date.today().isoformat(),
        "version": version,
        "processors": os.cpu_count(),
        "processor": processor[1] if processor else platform.machine(),
        "memory": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "kernel": platform.release(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def heading(result):
    return f"{where(result)}, {result['server']}"


def where(result):
    title = result["title"][0].upper() + result["title"][1:]
    return f"{title}, round trip {result['round_trip'] * 1000:.0f} ms" if result["far"] else title


def client_named(result, name):
    found = [client for client in result["clients"] if client["name"] == name]
    return found[0] if found and not found[0]["failures"] else None


def floor_of(result):
    return client_named(result, "floor")


def best_peer(result):
    peers = [client for client in result["clients"] if client["is_peer"] and not client["failures"]]
    return min(peers, key=lambda peer: peer["median"]["wall"], default=None)


def ratio(client, other):
    return f"{client['median']['wall'] / other['median']['wall']:.2f}" if client and other else "–"


def wall(client):
    return seconds(client["median"]["wall"]) if client else "–"


def seconds(value):
    return f"{value:.2f} s"
