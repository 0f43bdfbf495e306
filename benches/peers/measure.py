"""One work on one server: rounds in which every client has its turn, each with its figures and its check."""

import os
import signal
import statistics
import subprocess

from clients import Job, environment


def measure(work, server, trees, chosen, options, programs):
    """Returns what was measured, as plain values."""
    trees.make(work.tree)
    can = [client for client in chosen if client.can(work)]
    runs = {client.name: [] for client in can}
    failures = {client.name: [] for client in can}
    for _ in range(options.runs):
        for client in can:
            # What failed once would fail again, and may take long to.
            if failures[client.name]:
                continue
            figures, failure = run(client, work, server, trees, options, programs)
            if failure:
                failures[client.name].append(failure)
            else:
                runs[client.name].append(figures)
    return {
        "work": work.name,
        "title": trees.title(work),
        "goals": work.goals if options.is_full_size else {},
        "server": server.software,
        "clients": [
            {
                "name": client.name,
                "is_peer": client.is_peer,
                "sessions": client.sessions or options.sessions,
                "failures": failures[client.name],
                "runs": runs[client.name],
                "median": median(runs[client.name]),
            }
            for client in can
        ],
    }


def run(client, work, server, trees, options, programs):
    """Runs a client once. Returns its figures, and why it or its result is wrong or `None`."""
    source = (trees.local if work.push else trees.served) / work.tree
    if work.same:
        local, remote, into = trees.local / work.tree, f"/{work.tree}", None
    else:
        into = trees.empty_destination(work)
        local, remote = (source, f"/into/{work.tree}") if work.push else (into, f"/{work.tree}")
    job = Job(
        work=work,
        host=server.host,
        port=server.port,
        remote=remote,
        local=local,
        sessions=client.sessions or options.sessions,
        list=trees.lists / work.tree,
        software=server.software,
        programs=programs,
    )
    transfers = server.transfers()
    argv = [programs.timed, trees.home / "figures", *client.argv(job)]
    failure = ended(argv, environment(trees.home, job), trees.home, options.limit)
    if failure:
        server.end_sessions()
    server.wait_until_idle()
    if failure:
        return None, failure
    wall, cpu, memory = map(float, (trees.home / "figures").read_text().split())
    figures = {"wall": wall, "cpu": cpu, "memory": memory}
    if work.same and server.transfers() != transfers:
        failure = f"{server.transfers() - transfers} files sent although there was nothing to do"
    elif into:
        failure = difference(source, into)
    return figures, failure


def ended(argv, env, home, limit):
    """Runs a command to its end. Returns why it failed, or `None`."""
    with open(home / "said", "w+b") as said:
        process = subprocess.Popen(
            argv, env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"took more than {limit:.0f} s"
        said.seek(0)
        last = said.read().decode(errors="replace").strip().splitlines()[-1:]
    return f"exit status {status}: {' '.join(last)}" if status else None


def difference(source, into):
    """Returns how the two trees differ, or `None`."""
    found = subprocess.run(["diff", "-rq", source, into], capture_output=True, text=True)
    lines = (found.stdout + found.stderr).splitlines()
    return f"{len(lines)} differences: {lines[0]}" if found.returncode else None


def median(runs):
    """Returns the median of each figure; `None` without runs."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]} if runs else None
