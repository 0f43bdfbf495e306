"""The line between clients and server: loopback in a network namespace of this run's own, or a long line.

In a namespace of its own nothing outside is reached or disturbed, and its settings are free: sockets in TIME_WAIT are kept
few, since ProFTPD uses no passive port again that is in that state and 10,000 transfers would use up all there are.
"""

import ctypes
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

NAMESPACE = "wan-srv"
NEAR, FAR = "10.99.0.1", "10.99.0.2"


@dataclass(frozen=True)
class Line:
    """Where a server listens, and what its command line begins with to get there."""

    address: str
    prefix: tuple = ()


def enter_namespace():
    """Moves this process to namespaces of its own; where it may not, all goes over the machine's loopback."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        why = os.strerror(ctypes.get_errno())
        print(f"no network namespace of its own, so on this machine's loopback: {why}", file=sys.stderr)
        return
    # Names of network namespaces are files there, so those of two runs don't meet.
    sh("mount --make-rprivate /; mount -t tmpfs tmpfs /run")
    sh(SETTLE)


@contextmanager
def loopback():
    """The line that takes no time."""
    yield Line("127.0.0.1")


@contextmanager
def far(rtt, program):
    """A line to a second namespace, on which a round trip takes `rtt`."""
    try:
        if program:
            subprocess.run([program, "up", "--rtt", rtt], check=True)
        else:
            sh(NETEM_UP, half=f"{milliseconds(rtt) / 2}ms")
        sh(f"ip netns exec {NAMESPACE} sh -c '{SETTLE}'")
        yield Line(FAR, ("ip", "netns", "exec", NAMESPACE))
    finally:
        if program:
            subprocess.run([program, "down"], check=True)
        else:
            sh(NETEM_DOWN)


def milliseconds(text):
    return float(text.removesuffix("ms")) if text.endswith("ms") else float(text.removesuffix("s")) * 1000


def sh(script, **variables):
    subprocess.run(["sh", "-euc", script], check=True, env=os.environ | variables)


CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000

SETTLE = "ip link set lo up; echo 1000 >/proc/sys/net/ipv4/tcp_max_tw_buckets"

NETEM_UP = f"""
ip netns add {NAMESPACE}
ip link add wan0 type veth peer name wan1 netns {NAMESPACE}
ip address add {NEAR}/24 dev wan0
ip -n {NAMESPACE} address add {FAR}/24 dev wan1
ip link set wan0 up
ip -n {NAMESPACE} link set wan1 up
if ! tc qdisc add dev wan0 root netem delay $half limit 100000; then
    echo 'this kernel has no netem: give a program that makes a long line, with --link' >&2
    exit 1
fi
ip netns exec {NAMESPACE} tc qdisc add dev wan1 root netem delay $half limit 100000
"""

NETEM_DOWN = f"""
ip link delete wan0 2>/dev/null || true
ip netns delete {NAMESPACE} 2>/dev/null || true
"""
