"""The trees, made once: the same on both sides, so that either can be the source, and both together are a run that has
nothing to do. They are the same in every run but for their times, which are recent, as in most mirrors: a listing tells
them to the minute.
"""

import os
import random
import shutil
import time
from dataclasses import dataclass

from servers import UID

# Of the directories, every so many-th is at the top and the others are in it.
BRANCH = 40


@dataclass(frozen=True)
class Shape:
    """How many files and directories a tree has, and from where to where its files' sizes go, in bytes."""

    files: int
    dirs: int
    smallest: int
    largest: int

    def paths(self):
        """Returns the paths, directories with `/` behind them and before what is in them."""
        for i in range(self.dirs):
            top, below = divmod(i, BRANCH)
            folder = f"d{top:03}/e{below:02}/" if below else f"d{top:03}/"
            yield folder
            for j in range(i * self.files // self.dirs, (i + 1) * self.files // self.dirs):
                yield f"{folder}page{j:06}.html"
        if not self.dirs:
            yield "file.bin"


def shapes(files, big_mib):
    """Returns the trees by name."""
    return {
        "small": Shape(files, at_least_one(files / 100), 1 << 10, 8 << 10),
        "flat": Shape(files * 10, at_least_one(files / 20), 1, 1000),
        "deep": Shape(at_least_one(files / 5), at_least_one(files / 5), 1, 1000),
        "short": Shape(at_least_one(files / 10), at_least_one(files / 1000), 1 << 10, 8 << 10),
        "few": Shape(20, 2, 1, 1000),
        "big": Shape(1, 0, big_mib << 20, big_mib << 20),
    }


def at_least_one(number):
    return max(1, round(number))


class Trees:
    """All trees: `served` is what the server shows as `/`, `local` is this side; `lists` name what is
    in them, and `home` is the clients' home directory."""

    def __init__(self, place, files, big_mib):
        self.shapes = shapes(files, big_mib)
        self.served, self.local = place / "served", place / "local"
        self.lists, self.home = place / "lists", place / "home"
        for directory in [self.served, self.local, self.lists, self.home]:
            directory.mkdir()
        os.chown(self.served, UID, UID)

    def title(self, work):
        """Returns what a work does, with its figures."""
        shape = self.shapes[work.tree]
        return work.title.format(files=f"{shape.files:,}", dirs=f"{shape.dirs:,}", mib=shape.largest >> 20)

    def make(self, name):
        """Makes a tree on both sides, unless it's there."""
        if (self.local / name).exists():
            return
        shape, now, numbers = self.shapes[name], int(time.time()), random.Random(name)
        # Long enough that no two files are alike, and nothing can be guessed or compressed.
        noise = numbers.randbytes(4 << 20)
        paths = list(shape.paths())
        (self.lists / name).write_text("".join(f"{path}\n" for path in paths))
        for number, path in enumerate(["", *paths]):
            size, start = numbers.randint(shape.smallest, shape.largest), numbers.randrange(len(noise) // 2)
            mtime = now - 30 * 86_400 - number
            for root in [self.local / name, self.served / name]:
                if path.endswith("/") or not path:
                    (root / path).mkdir()
                else:
                    with open(root / path, "wb") as file:
                        write_noise(file, noise[start:], size)
                    os.utime(root / path, (mtime, mtime))
            os.chown(self.served / name / path, UID, UID)

    def empty_destination(self, work):
        """Returns a directory for the tree with nothing in it, at the server or on this side."""
        into = (self.served if work.push else self.local) / "into"
        shutil.rmtree(into, ignore_errors=True)
        (into / work.tree).mkdir(parents=True)
        if work.push:
            for directory in [into, into / work.tree]:
                os.chown(directory, UID, UID)
        return into / work.tree


def write_noise(file, noise, size):
    while size > 0:
        size -= file.write(noise[:size])


def default_dir():
    """Returns a place in memory where the system has one, since it's not the disk that is timed."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
