"""The clients: how each is told to mirror a tree, with as many sessions as it can have."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from servers import PASSWORD, USER


@dataclass(frozen=True)
class Programs:
    """What was built for this: oneway, the floor, and what times a client."""

    oneway: Path
    floor: Path
    timed: Path


@dataclass(frozen=True)
class Job:
    """What a client is to do. `remote` is the server's path, `local` this side's; `work` says which way."""

    work: object
    host: str
    port: int
    remote: str
    local: Path
    sessions: int
    # Names what is in the tree, for the floor.
    list: Path
    software: str
    programs: object

    @property
    def url(self):
        return f"{'ftpes' if self.work.tls else 'ftp'}://{USER}:{quote(PASSWORD, safe='')}@{self.host}:{self.port}{self.remote}"

    def from_to(self, remote, local):
        return [local, remote] if self.work.push else [remote, local]


def floor(job):
    deed = "list" if job.work.same else "push" if job.work.push else "pull"
    words = [job.programs.floor, deed, job.host, job.port, USER, PASSWORD, job.sessions, job.list, job.local, job.remote]
    return words + ["vsftpd"] * (job.software == "vsftpd")


def floor_whole(job):
    """With what makes a copy a checked, dated and whole one."""
    return [*floor(job), "whole"]


def oneway(job, *more):
    if job.work.tls:
        more = [*more, "--insecure"]
    return [job.programs.oneway, "sync", "-j", job.sessions, "--progress", "never", *more, *job.from_to(job.url, job.local)]


def oneway_window(job):
    return oneway(job, "--modify-window", "1m")


def oneway_active(job):
    return oneway(job, "--active")


def lftp(job, settings="", options=""):
    """As it comes, but for the number of sessions."""
    if job.work.tls:
        settings += " set ssl:verify-certificate no; set ftp:ssl-force yes; set ftp:ssl-protect-data yes;"
    where = f"open -p {job.port} -u {USER},{quote_lftp(PASSWORD)} {job.host}"
    what = "{} {}".format(*job.from_to(job.remote, job.local))
    direction = "-R" if job.work.push else ""
    return ["lftp", "--norc", "-c", f"{settings} {where}; mirror {direction} --parallel={job.sessions} {options} {what}"]


def lftp_tuned(job):
    settings = "set ftp:sync-mode off; set ftp:use-stat no; set ftp:use-site-utime no; set ftp:use-site-chmod no;"
    return lftp(job, settings + " set ftp:use-quit no; set mirror:order '';", "--no-perms --no-umask")


def rclone(job, *more):
    """As it comes, but for the number of sessions."""
    words = ["rclone", "sync", "--transfers", job.sessions, "--checkers", job.sessions, *more]
    return words + job.from_to(f":ftp:{job.remote}", job.local)


def rclone_tuned(job):
    # Its several streams for one big file are more than its FTP does, and end in 426.
    one_stream = ["--multi-thread-streams", 0]
    return rclone(job, "--size-only", "--no-update-modtime", "--buffer-size", 0, "--use-mmap", *one_stream)


def ncftp(job):
    connection = ["-V", "-R", "-u", USER, "-p", PASSWORD, "-P", job.port]
    if job.work.push:
        # It makes the last part of the local path below the remote one.
        return ["ncftpput", *connection, job.host, Path(job.remote).parent, job.local]
    return ["ncftpget", *connection, job.host, job.local.parent, job.remote]


def wget(job):
    # As -m, without keeping the listings.
    return ["wget", "-q", "-r", "-N", "-l", "inf", "-nH", "--cut-dirs=1", "-P", job.local, f"{job.url}/"]


def curl(job):
    name, url = "file.bin", job.url.replace("ftpes:", "ftp:")
    curl = ["curl", "-sS", *(["-k", "--ssl-reqd"] if job.work.tls else [])]
    if job.work.push:
        return [*curl, "-T", job.local / name, f"{url}/{name}"]
    return [*curl, "-o", job.local / name, f"{url}/{name}"]


@dataclass(frozen=True)
class Client:
    """One client. `can` says for which works."""

    name: str
    command: object
    can: object = lambda work: True
    sessions: int | None = None
    package: str | None = None
    programs: tuple = ()
    is_peer: bool = True

    def argv(self, job):
        return [str(word) for word in self.command(job)]


def is_copy(work):
    # With one session and four round trips a file they take minutes on a long line.
    return not work.same and not work.far and not work.tls


CLIENTS = [
    Client("floor", floor, lambda work: not work.tls, is_peer=False),
    Client("floor, whole", floor_whole, lambda work: not work.tls and not work.same, is_peer=False),
    Client("oneway", oneway, is_peer=False),
    Client("oneway, window 1m", oneway_window, lambda work: work.same, is_peer=False),
    Client("oneway, active", oneway_active, lambda work: work.far and not work.same and not work.push, is_peer=False),
    Client("lftp", lftp, package="lftp", programs=("lftp",)),
    Client("lftp, tuned", lftp_tuned, package="lftp", programs=("lftp",)),
    Client("rclone", rclone, package="rclone", programs=("rclone",)),
    Client("rclone, tuned", rclone_tuned, package="rclone", programs=("rclone",)),
    Client("ncftp", ncftp, is_copy, 1, "ncftp", ("ncftpget", "ncftpput")),
    Client("wget", wget, lambda work: not work.push and not work.far and not work.tls, 1, "wget", ("wget",)),
    Client("curl", curl, lambda work: work.tree == "big", 1, "curl", ("curl",)),
]


def install(chosen):
    """Installs the chosen clients that are missing, where that is possible; without, they are left out."""
    missing = {client.package for client in chosen if not is_there(client)}
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        quietly = {"stdout": sys.stderr, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], **quietly)
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", *sorted(missing)], **quietly)
    for client in chosen:
        if not is_there(client):
            print(f"left out: {client.name} is not installed", file=sys.stderr)
    return [client for client in chosen if is_there(client)]


def is_there(client):
    return all(shutil.which(program) for program in client.programs)


def environment(home, job):
    """Returns an environment in which no client finds settings of whoever runs this."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "RCLONE_CONFIG": "",
        "RCLONE_FTP_HOST": job.host,
        "RCLONE_FTP_PORT": str(job.port),
        "RCLONE_FTP_USER": USER,
        "RCLONE_FTP_PASS": obscured(),
        "RCLONE_FTP_EXPLICIT_TLS": str(job.work.tls).lower(),
        "RCLONE_FTP_NO_CHECK_CERTIFICATE": str(job.work.tls).lower(),
    }


@cache
def obscured():
    """Returns the password as rclone wants it."""
    if not shutil.which("rclone"):
        return ""
    return subprocess.run(["rclone", "obscure", PASSWORD], check=True, capture_output=True, text=True).stdout.strip()


def quote_lftp(text):
    return "'" + text.replace("'", "\\'") + "'"
