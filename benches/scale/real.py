"""vsftpd over a tree of real files, and where the time of a run goes that has nothing to do there.

The tree stands once: it is the source as a local directory and the destination as what vsftpd shows of it, so both are the same
whatever happens, and a million files take no more than a million inodes. All of it is in the page cache after the first run, which
is not told.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import figures
import line
import process
import servers
import works

# Bytes that a small file takes on common file systems, its inode included, and what is to be left over.
BYTES_EACH, BYTES_LEFT, INODES_LEFT = 4096 + 256, 2 << 30, 100_000


@dataclass(frozen=True)
class Way:
    """A way to find out that there's nothing to do."""

    name: str
    title: str
    words: tuple
    # All of it is fetched to an empty directory instead, which takes long and as many inodes again.
    fetches: bool = False


WAYS = [
    Way("listings", "listings alone, `--modify-window 1m`", ("diff", "--no-state", "--modify-window", "1m")),
    Way("times", "with MDTM for each file", ("diff", "--no-state")),
    Way("remember", "sync that writes receipts", ("sync", "--state", "{state}")),
    Way("remembered", "diff that reads receipts", ("diff", "--state", "{state}")),
    Way("fetch", "sync that fetches all, empty files", ("sync", "--no-state"), fetches=True),
]

# What both sides take by themselves, with nothing done about it. The server's is what `benches/peers/floor.c` does: STAT of each directory, many
# at a time on eight sessions, thrown away.
SERVER, DISK = '"$FLOOR" list "$HOST" "$PORT" "$USER" "$PASSWORD" 8 "$DIRS" "$TREE" /', 'find "$TREE" -printf "%s %T@\\n" > "$DIRS.found"'
FLOORS = {
    "the server's listings, thrown away": SERVER,
    "the disk's entries by `find`, with a `stat` of each": DISK,
    "both of these at once": f"{SERVER} & {DISK}; wait",
}

# Larger trees are not fetched.
MOST_FETCHED = 200_000


def measure(oneway, options, head):
    """Prints a row for each way, and with `--profile` where the time goes. `head` stands above the table where that is kept."""
    if os.geteuid() != 0:
        sys.exit("vsftpd takes root")
    entries = options.entries[-1]
    failed = False
    with tempfile.TemporaryDirectory(prefix="oneway-scale-", dir=options.dir) as place:
        place = Path(place)
        # The server's user passes through it.
        place.chmod(0o755)
        check_room(place, entries * (2 if entries <= MOST_FETCHED else 1))
        made = time.monotonic()
        make_tree(place / "tree", entries, options.dirs)
        print(f"{entries:,} entries made in {time.monotonic() - made:.0f} s", file=sys.stderr)
        way_there = line.far(options.rtt, options.link) if options.rtt else line.loopback()
        with way_there as there, servers.start("vsftpd", there, place, place / "tree", None) as server:
            print(f"round trip {server.round_trip * 1000:.2f} ms", file=sys.stderr)
            client = Client(oneway, place, server, options)
            ways = [way for way in WAYS if not options.work or way.name in options.work.split(",")]
            client.run(WAYS[0])
            lines = [
                "| run | wall | µs/entry | client user + system | vsftpd user + system | processors busy | peak memory |",
                "| --- | --: | --: | --: | --: | --: | --: |",
            ]
            print(*lines, sep="\n", flush=True)
            for title, script in FLOORS.items() if not options.work or "floors" in options.work.split(",") else []:
                runs = [client.floor(script) for _ in range(options.runs)]
                lines.append(row(title, median(runs), entries))
                print(lines[-1], flush=True)
            for way in [way for way in ways if not way.fetches or entries <= MOST_FETCHED]:
                # What writes begins anew each time, and takes long.
                runs = [client.run(way) for _ in range(options.runs if way.words[0] == "diff" else 1)]
                took = median([took for took, _ in runs])
                failures = [failure for _, failures in runs for failure in failures]
                lines.append(row(way.title, took, entries) if took else f"| {way.title} | took too long |")
                print(lines[-1], flush=True)
                for failure in failures:
                    print(f"{way.title}: {failure}", file=sys.stderr)
                    failed = True
            if options.profile:
                for way in [way for way in ways if not way.fetches and way.words[0] == "diff"]:
                    client.profile(way)
    if options.update and not failed:
        figures.put(options.update, "real", f"{head}\n" + "\n".join(lines))
    return 1 if failed else 0


class Client:
    """oneway with a tree and the server that shows it."""

    def __init__(self, oneway, place, server, options):
        self.oneway, self.place, self.server, self.options = oneway, place, server, options
        self.state, self.report, self.said = place / "state", place / "report", place / "said"
        self.into = place / "into"
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(place), "TMPDIR": str(place), "TZ": "UTC", "ONEWAY_PASSWORD": servers.PASSWORD
        }

    def argv(self, way):
        if way.words[0] == "sync":
            self.state.unlink(missing_ok=True)
        words = [word.format(state=self.state) for word in way.words]
        url = f"ftp://{servers.USER}@{self.server.host}:{self.server.port}/"
        if way.fetches:
            shutil.rmtree(self.into, ignore_errors=True)
            self.into.mkdir()
        places = [url, self.into] if way.fetches else [self.place / "tree", url]
        report = ["--report", f"json={self.report}", "--progress", "never"]
        return [self.oneway, *words, *places, *report, *self.options.words]

    def run(self, way):
        """Returns what a run took, and what is wrong with it."""
        self.report.unlink(missing_ok=True)
        argv = self.argv(way)
        with open(self.said, "wb") as said:
            took = process.run(argv, self.environment, said, [self.server.process.pid], self.options.limit)
        self.server.end_sessions() if took is None else self.server.wait_until_idle()
        summary = works.summary_of(self.report)
        failures = [] if took and took.status == 0 else [f"exit status {took.status if took else 'none'}"]
        entries = self.options.entries[-1]
        changes = entries if way.fetches else 0
        if summary is None or sum(summary["changes"].values()) != changes or summary["scanned"] != entries:
            failures.append(f"not what was to be found: {summary}; it said: {self.said.read_text()[-300:]}")
        return took, failures

    def floor(self, script):
        """Returns what a shell script of FLOORS took."""
        floor, dirs, tree = self.place / "floor", self.place / "dirs", self.place / "tree"
        if not floor.exists():
            source = Path(__file__).resolve().parents[1] / "peers/floor.c"
            subprocess.run(["cc", "-O2", "-pthread", "-o", floor, source], check=True)
            dirs.write_text("".join(f"{each.name}/\n" for each in sorted(tree.iterdir()) if each.is_dir()))
        names = {"FLOOR": floor, "DIRS": dirs, "TREE": tree, "HOST": self.server.host, "PORT": self.server.port}
        names |= {"USER": servers.USER, "PASSWORD": servers.PASSWORD}
        environment = self.environment | {name: str(value) for name, value in names.items()}
        with open(self.said, "wb") as said:
            took = process.run(["sh", "-c", script], environment, said, [self.server.process.pid], self.options.limit)
        self.server.wait_until_idle()
        if took is None or took.status != 0 or self.said.stat().st_size:
            sys.exit(f"{script}: {self.said.read_text()[-300:]}")
        return took

    def profile(self, way):
        """Prints where all processors' time went: by program, by the client's functions, and by vsftpd's."""
        data = self.place / "perf.data"
        record = ["perf", "record", "-q", "-a", "-e", "cpu-clock", "-F", "499", "-o", data, "--"]
        subprocess.run([*record, *self.argv(way)], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"\n### {way.title}\n")
        for title, words in [
            ("by program and library", ["--sort", "comm,dso"]),
            ("of oneway", ["--comm", "oneway", "--sort", "dso,symbol"]),
            ("of vsftpd", ["--comm", "vsftpd", "--sort", "dso,symbol"]),
        ]:
            said = subprocess.run(
                ["perf", "report", "-q", "--stdio", "--percent-limit", "0.7", "-i", data, *words], capture_output=True, text=True
            )
            lines = [re.sub(r"[-\s]*$", "", each) for each in said.stdout.splitlines() if each.strip()]
            print(f"{title}:", "", *lines[:28], "", sep="\n", flush=True)
        self.server.wait_until_idle()


def median(runs):
    """Returns the run of median length; `None` where one of them took too long."""
    return None if None in runs else sorted(runs, key=lambda took: took.wall)[len(runs) // 2]


def row(title, took, entries):
    busy = (took.user + took.system + took.server) / took.wall
    cells = [
        title,
        f"{took.wall:.2f} s",
        f"{took.wall / entries * 1e6:.2f}",
        f"{took.user:.2f} + {took.system:.2f} s",
        f"{took.server_user:.2f} + {took.server - took.server_user:.2f} s",
        f"{busy:.2f} of {os.cpu_count()}",
        f"{took.peak / 1e6:.0f} MB",
    ]
    return f"| {' | '.join(cells)} |"


def check_room(place, entries):
    """Ends the program where so many entries would fill the disk."""
    room = os.statvfs(place)
    inodes_needed, bytes_needed = entries + INODES_LEFT, entries * BYTES_EACH + BYTES_LEFT
    # Some file systems make inodes as they're needed, and tell of none.
    if room.f_files and room.f_favail < inodes_needed:
        sys.exit(f"{place} has {room.f_favail:,} inodes free and {inodes_needed:,} are needed; --dir chooses another place")
    if room.f_bavail * room.f_frsize < bytes_needed:
        sys.exit(f"{place} has less than {bytes_needed >> 20:,} MiB free; --dir chooses another place")


def make_tree(root, entries, dirs):
    """Makes directories with as many files each as they share, empty ones, a month old, no two of one time."""
    newest = int(time.time()) - 30 * 86_400
    files = entries - dirs
    for i in range(dirs):
        directory = root / f"d{i // 70:03}-{i % 70:02}"
        directory.mkdir(parents=True)
        for number in range(i * files // dirs, (i + 1) * files // dirs):
            path = f"{directory}/page{number:08}.html"
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
            os.utime(path, (newest - number % 2_000_000,) * 2)
