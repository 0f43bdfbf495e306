"""The servers: vsftpd and ProFTPD as `tests/set-up` unpacks them, each with one user whose tree is the one served."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

DAEMONS = Path(__file__).resolve().parents[2] / "target/daemons"
# The same as in tests/set-up, which makes vsftpd's password database.
USER, PASSWORD = "mirror", "s3cret-%41/@:"
# Debian's user `daemon`, whose home directory always exists: vsftpd wants to go there first.
UID = 1


@contextmanager
def start(software, line, place, root, tls):
    """Starts a server at the line's far end, and ends it with its sessions."""
    server = Server(software, line, place, root, tls)
    try:
        server.wait_until_up()
        yield server
    finally:
        server.stop()


class Server:
    """A running server."""

    def __init__(self, software, line, place, root, tls):
        self.software = software
        self.host = line.address
        # Sessions of the servers before may still be in TIME_WAIT on theirs.
        self.port = Server.next_port = Server.next_port + 1
        self.root = root
        self.tls = certificate(place) if tls else None
        self.transfer_log = place / f"{software}-{self.port}.transfers"
        self.said = place / f"{software}-{self.port}.said"
        conf = place / f"{software}-{self.port}.conf"
        arguments = SOFTWARE[software](self, place, conf)
        conf.chmod(0o600)
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [*line.prefix, program(software), *arguments],
                env={"PATH": os.environ["PATH"], "TZ": "UTC", "LD_LIBRARY_PATH": str(DAEMONS / software / "lib")},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    next_port = 2120

    def transfers(self):
        """Returns how many files went either way so far, complete or not."""
        return self.transfer_log.read_bytes().count(b"\n") if self.transfer_log.exists() else 0

    def connect_seconds(self):
        """Opens a session, ends it, and returns how long it took to connect."""
        with socket.socket() as connection:
            began = time.perf_counter()
            connection.connect((self.host, self.port))
            seconds = time.perf_counter() - began
            # One that is closed before it's taken is noticed by the server at any time later.
            connection.recv(1000)
            connection.sendall(b"QUIT\r\n")
            while connection.recv(1000):
                pass
        return seconds

    def wait_until_idle(self):
        """Waits for the sessions' processes to be gone, so that all is logged."""
        wait(lambda: not descendants(self.process.pid), f"{self.software} has sessions left")
        time.sleep(REST_SECONDS.get(self.software, 0))

    def wait_until_up(self):
        wait(self.answers, f"{self.software} doesn't answer")
        self.round_trip = min(self.connect_seconds() for _ in range(3))
        self.wait_until_idle()

    def answers(self):
        if self.process.poll() is not None:
            sys.exit(f"{self.software} did not start: {self.said.read_text(errors='replace')}")
        try:
            self.connect_seconds()
        except ConnectionRefusedError:
            return False
        return True

    def end_sessions(self):
        """Ends what a client that failed has left behind."""
        self.end(descendants(self.process.pid))

    def stop(self):
        # Sessions are processes in sessions of their own and would outlive the listener.
        sessions = descendants(self.process.pid)
        self.process.kill()
        self.process.wait()
        self.end(sessions)

    def end(self, pids):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), f"{self.software} doesn't end")


def program(software):
    """Returns the program: unpacked, or installed."""
    unpacked, installed = DAEMONS / software / "usr/sbin" / software, Path("/usr/sbin") / software
    if not unpacked.exists() and not installed.exists():
        sys.exit(f"there is no {software}: run tests/set-up as root")
    return unpacked if unpacked.exists() else installed


def wait(condition, complaint, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            sys.exit(complaint)
        time.sleep(0.005)


def descendants(pid):
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [each for child in map(int, children) for each in [child, *descendants(child)]]


def certificate(place):
    """Returns the files of a certificate that nobody vouches for, and its key."""
    files = place / "server.pem", place / "server.key"
    if not files[0].exists():
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=peers"]
        subprocess.run([*words, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
        files[1].chmod(0o600)
    return files


# Data connections have to go on with the control connection's TLS session, as both demand where nobody says otherwise.
VSFTPD_TLS = """ssl_enable=YES
rsa_cert_file={}
rsa_private_key_file={}
ssl_ciphers=HIGH
require_ssl_reuse=YES
"""
PROFTPD_TLS = """ModulePath {}
LoadModule mod_tls.c
TLSEngine on
TLSRSACertificateFile {}
TLSRSACertificateKeyFile {}
"""


def vsftpd(server, place, conf):
    empty = place / "empty"
    empty.mkdir(exist_ok=True)
    text = f"""listen=YES
listen_address={server.host}
listen_port={server.port}
background=NO
anonymous_enable=NO
local_enable=YES
guest_enable=YES
guest_username=daemon
virtual_use_local_privs=YES
pam_service_name=oneway-tests
session_support=NO
local_root={server.root}
chroot_local_user=YES
allow_writeable_chroot=YES
secure_chroot_dir={empty}
write_enable=YES
local_umask=022
max_clients=0
delay_failed_login=0
xferlog_enable=YES
xferlog_std_format=YES
xferlog_file={server.transfer_log}
# Neither is at home in containers, and an own network per session takes longer than the session.
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
"""
    conf.write_text(text + (VSFTPD_TLS.format(*server.tls) if server.tls else ""))
    return [conf]


def proftpd(server, place, conf):
    # Sessions that log in together wait for the scoreboard's lock, some of them for 0.2 s or 0.4 s and others not at all:
    # without it the figures of short runs are steady.
    users = place / "users"
    users.write_text(f"{USER}:{PASSWORD_HASH}:{UID}:{UID}::{server.root}:/bin/false\n")
    users.chmod(0o600)
    text = f"""ServerName "peers"
ServerType standalone
DefaultAddress {server.host}
SocketBindTight on
Port {server.port}
UseIPv6 off
UseReverseDNS off
User daemon
Group daemon
PidFile {place}/proftpd-{server.port}.pid
ScoreboardFile none
SystemLog {place}/proftpd-{server.port}.log
TransferLog {server.transfer_log}
WtmpLog off
DelayEngine off
AuthPAM off
AuthOrder mod_auth_file.c
AuthUserFile {users}
RequireValidShell off
DefaultRoot {server.root}
Umask 022
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
MaxInstances none
TimesGMT on
"""
    modules = DAEMONS / "proftpd/usr/lib/proftpd"
    conf.write_text(text + (PROFTPD_TLS.format(modules, *server.tls) if server.tls else ""))
    return ["--nodaemon", "--quiet", "--config", conf]


# ProFTPD takes no new session for 0.4 s after one has ended, or for longer after several.
REST_SECONDS = {"proftpd": 0.5}

# Each writes a server's configuration and returns the arguments to start it with.
SOFTWARE = {"vsftpd": vsftpd, "proftpd": proftpd}

# Of PASSWORD, made by `openssl passwd -5`.
PASSWORD_HASH = "$5$oneway$DxKZ5Yz59u6MgeELueMzrl2XTWBjKWQXqkVM9ijp1wD"
