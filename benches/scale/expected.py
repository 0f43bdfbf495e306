"""What a run has to come to, computed from the parameters of the trees and from nothing that the server or oneway says.

`server/tree.rs` has the same rules in Rust; a mistake in one of the two shows as a wrong count.
"""

from dataclasses import asdict, dataclass, replace
from typing import Optional

# As in server/tree.rs.
SHARES_OF = 10_000
STRIDE = 7_919
FILE, MASK = ord("-"), (1 << 64) - 1


@dataclass(frozen=True)
class Shape:
    """The parameters of a tree, as the server takes them."""

    entries: int
    per_dir: int = 200
    fan_out: int = 40
    wide: int = 0
    smallest: int = 0
    largest: int = 100_000
    seed: int = 1
    missing: int = 0
    resized: int = 0
    redated: int = 0
    extra: int = 0

    def words(self):
        """Returns the server's arguments."""
        return [word for name, value in asdict(self).items() for word in [f"--{name.replace('_', '-')}", str(value)]]

    def but(self, **differences):
        """Returns the same tree with differences."""
        return replace(self, **differences)

    @property
    def dirs(self):
        return self.numbered_dirs + (1 if self.wide else 0)

    @property
    def files(self):
        """Files of the tree that has no differences."""
        return self.entries - self.dirs

    @property
    def numbered_dirs(self):
        others = self.entries - (self.wide + 1 if self.wide else 0)
        return -(-max(0, others - self.per_dir) // (self.per_dir + 1))

    def ends(self):
        """Returns where the shares of the four differences end."""
        ends, end = [], 0
        for share in [self.missing, self.resized, self.redated, self.extra]:
            end += share
            ends.append(end)
        return ends


@dataclass(frozen=True)
class Expected:
    """What the summary of a run has to say. `changes` are all that are more than 0; `bytes` are `None` where the server's own count of
    its tree tells."""

    changes: dict
    scanned: int
    unchanged: int
    bytes: Optional[int]


def same(shape):
    """Both sides have this tree."""
    return Expected({}, shape.entries, shape.files, 0)


def all_new(shape):
    """The destination has nothing. Bytes are not computed here, which would take minutes for ten million files."""
    return Expected({"create_dir": shape.dirs, "copy": shape.files}, shape.entries, 0, None)


def differing(shape):
    """The destination has this tree, the source the same without differences; what is extra is deleted."""
    ends = shape.ends()
    missing, resized, redated, extra = (
        count(shape.files, start, end) for start, end in zip([0, *ends], ends)
    )
    changes = {"copy": missing, "replace": resized + redated, "delete": extra}
    sent = sum(size_of(shape, number) for number in numbers(shape.files, 0, ends[2]))
    changes = {deed: n for deed, n in changes.items() if n}
    return Expected(changes, shape.entries + extra, shape.files - count(shape.files, 0, ends[2]), sent)


def count(files, start, end):
    """Returns how many of the first `files` numbers have a share from `start` to before `end`."""
    rounds, rest = divmod(files, SHARES_OF)
    return rounds * (end - start) + sum(start <= number * STRIDE % SHARES_OF < end for number in range(rest))


def numbers(files, start, end):
    """Yields these numbers."""
    inverse = pow(STRIDE, -1, SHARES_OF)
    for share in range(start, end):
        yield from range(share * inverse % SHARES_OF, files, SHARES_OF)


def size_of(shape, number):
    random = mix(mix(shape.seed ^ FILE << 56) ^ number)
    return shape.smallest + (random >> 32) % (shape.largest - shape.smallest + 1)


def mix(value):
    value = value + 0x9E3779B97F4A7C15 & MASK
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
    return value ^ value >> 31
