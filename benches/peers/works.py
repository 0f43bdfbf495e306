"""What is timed. `tree` names a tree of trees.py; a work whose `same` is set finds both sides equal already."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Work:
    """One work. `goals` are the ratios of oneway's wall time to those of the floor and of the best peer, at most."""

    name: str
    title: str
    tree: str
    push: bool
    same: bool = False
    far: bool = False
    tls: bool = False
    goals: dict = field(default_factory=dict)


def both_ways(name, title, tree, **more):
    return [
        Work(f"{name}-pull", f"{title}, pulled", tree, push=False, **more),
        Work(f"{name}-push", f"{title}, pushed", tree, push=True, **more),
    ]


WORKS = [
    *both_ways("small", "{files} files of 1–8 KiB in {dirs} directories", "small", goals={"floor": 1.20, "peer": 0.65}),
    *both_ways("big", "one file of {mib} MiB", "big", goals={"peer": 1.05}),
    Work("tls-big-pull", "one file of {mib} MiB over TLS, pulled", "big", push=False, tls=True, goals={"peer": 0.90}),
    Work("tls-big-push", "one file of {mib} MiB over TLS, pushed", "big", push=True, tls=True),
    *both_ways("tls-small", "{files} files of 1–8 KiB in {dirs} directories over TLS", "small", tls=True),
    *both_ways("noop-flat", "nothing to do, {files} files in {dirs} directories", "flat", same=True, goals={"peer": 0.50}),
    *both_ways("noop-deep", "nothing to do, {files} files in {dirs} directories", "deep", same=True),
    Work("rtt-pull", "{files} files of 1–8 KiB, pulled", "short", push=False, far=True, goals={"peer": 0.72}),
    Work("rtt-push", "{files} files of 1–8 KiB, pushed", "short", push=True, far=True, goals={"peer": 0.55}),
    *both_ways(
        "rtt-noop-deep",
        "nothing to do, {files} files in {dirs} directories",
        "deep",
        same=True,
        far=True,
        goals={"peer": 0.05},
    ),
    *both_ways("rtt-noop-few", "nothing to do, {files} files in {dirs} directories", "few", same=True, far=True),
]
