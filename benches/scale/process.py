"""A client's run with what it took, and servers with what they took meanwhile."""

import os
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import servers

TICKS = os.sysconf("SC_CLK_TCK")

@dataclass
class Took:
    """What a process took: seconds, and bytes of memory at the most."""

    status: int
    wall: float
    user: float
    system: float
    # Of all servers together, and its user time.
    server: float
    server_user: float
    # All that is in memory, what it allocated, and what it maps of files; each at its own highest.
    peak: int
    anonymous: int
    of_files: int


def run(argv, environment, said, pids, limit):
    """Runs a program to its end, `said` being the file for all it prints and `pids` the servers it speaks to. `None` where it took longer than `limit`."""
    meter = Meter(pids)
    began = time.monotonic()
    process = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    highest = {"VmHWM": 0, "RssAnon": 0, "RssFile": 0}
    end = os.pidfd_open(process.pid)
    while (wall := time.monotonic() - began) < limit:
        # Often at first, so that there is something to tell of short runs, too.
        if select.select([end], [], [], min(0.02, max(0.001, wall / 50)))[0]:
            wall = time.monotonic() - began
            break
        for name, size in memory(process.pid).items():
            highest[name] = max(highest[name], size)
        meter.look()
    else:
        process.send_signal(signal.SIGKILL)
    os.close(end)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode == -signal.SIGKILL:
        return None
    meter.look()
    server_user, server_system = meter.since()
    # A process's highest starts with that of the one it was forked from, which says nothing of a smaller one.
    own = memory(os.getpid())["VmHWM"]
    peak = max(highest["VmHWM"], used.ru_maxrss * 1024 if used.ru_maxrss * 1024 > own else 0)
    return Took(
        status=process.returncode,
        wall=wall,
        user=used.ru_utime,
        system=used.ru_stime,
        server=server_user + server_system,
        server_user=server_user,
        peak=peak,
        anonymous=highest["RssAnon"],
        of_files=highest["RssFile"],
    )


def memory(pid):
    """Returns what a process has in memory, in bytes; nothing when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    fields = (line.split() for line in lines)
    return {field[0][:-1]: int(field[1]) * 1024 for field in fields if field and field[0] in FIELDS}


FIELDS = ["VmHWM:", "RssAnon:", "RssFile:"]


class Meter:
    """The processor time of processes and all that descend from them, also of those that end meanwhile."""

    def __init__(self, pids):
        self.pids, self.seen = pids, {}
        self.look()
        self.before = dict(self.seen)

    def look(self):
        for pid in [each for pid in self.pids for each in [pid, *servers.descendants(pid)]]:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            self.seen[pid] = int(fields[11]), int(fields[12])

    def since(self):
        """Returns user and system seconds since the beginning."""
        return [
            sum(times[i] - self.before.get(pid, (0, 0))[i] for pid, times in self.seen.items()) / TICKS for i in (0, 1)
        ]


@contextmanager
def server(program, *words):
    """Starts the server that makes things up, and ends it. Gives its process id and its port."""
    argv = [program, "serve", *words]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
