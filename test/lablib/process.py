# SPDX-License-Identifier: MIT
"""Processes that outlive the command which started them, ended by their own identity and no other's."""
import os
import random
import select
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from lablib.events import Watch

PATIENCE = int(os.environ.get("INTEROP_PATIENCE", "180"))  # seconds, for one event: far beyond every timer of the product


class Failed(Exception):
    """What went wrong, for a person."""


def birth(pid):
    """The kernel's start time of a process: with the pid it is an identity. None: no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def is_alive(identity):
    return bool(identity) and birth(identity["pid"]) == identity["birth"]


def reap(identity):
    """The exit status of a child of ours that has ended (minus the signal that ended it); None: no child of ours."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(identity["pid"], 0)[1])
    except ChildProcessError:
        return None


def end(identity, number, patience=PATIENCE):
    """Sends a signal and waits for the end; identity["status"] is then its exit status if it was our child.
    False: it was gone already."""
    if not is_alive(identity):
        if identity and "status" not in identity:
            identity["status"] = reap(identity)
        return False
    pidfd = os.pidfd_open(identity["pid"])
    try:
        os.kill(identity["pid"], number)
        if not select.select([pidfd], [], [], patience)[0]:
            raise Failed(f"process {identity['pid']} does not end after signal {number}")
    finally:
        os.close(pidfd)
    identity["status"] = reap(identity)
    return True


def ends_within(identity, seconds):
    """Waits for the end of a process, so long at most."""
    if not is_alive(identity):
        return True
    pidfd = os.pidfd_open(identity["pid"])
    try:
        return bool(select.select([pidfd], [], [], seconds)[0])
    finally:
        os.close(pidfd)


def tail(path, lines=15):
    try:
        return "\n".join(Path(path).read_text(errors="replace").split("\n")[-lines - 1:])
    except OSError:
        return ""


def wait_for_port(identity, address, log, patience=PATIENCE):
    """For programs that report to nobody, nor to a log that is written at once: the first accepted connection is the
    event, and is asked for until it comes, for the kernel tells nobody of a socket that begins to listen."""
    host, port = address.rsplit(":", 1)
    limit = time.monotonic() + patience
    while time.monotonic() < limit and is_alive(identity):
        try:
            with socket.create_connection((host, int(port)), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise Failed(f"nothing accepts on {address}; the log {log} ends with:\n{tail(log)}")


def wait_for_line(identity, log, words, offset=0, patience=PATIENCE):
    """For programs that report to their log, which is read from that offset on: each write to it is an event."""
    limit = time.monotonic() + patience
    pidfd = os.pidfd_open(identity["pid"])
    try:
        with Watch(log.parent, deep=False) as watch:
            while not (log.exists() and words in log.read_bytes()[offset:]):
                if not is_alive(identity) or not watch.wait(limit - time.monotonic(), pidfd):
                    raise Failed(f"{words} is not in the log {log}, which ends with:\n{tail(log)}")
    finally:
        os.close(pidfd)


def size_of(log):
    """Where what is written from now on begins."""
    return log.stat().st_size if log.exists() else 0


def claim(name):
    """A name that one process of this machine has: until the socket that is returned is closed, or the process ends. None: it
    is another's. What is looked for and found free is claimed first, so that two tests never find the same."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.bind(f"\0causeway-test-{name}")
    except OSError:
        sock.close()
        return None
    return sock


def free_ports(host):
    """(the first of 32 ports that nobody uses there, on UDP and TCP; its claim). Below those that the kernel gives to
    connections, or one of these might have it the next moment."""
    for _ in range(200):
        first = random.randrange(20000, 32000, 32)
        held = claim(f"ports-{first}")
        try:
            for port in range(first, first + 32 if held else first):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    with socket.socket(socket.AF_INET, kind) as s:
                        s.bind((host, port))
            if held:
                return first, held
        except OSError:
            held.close()
    raise Failed(f"no free ports on {host or 'this machine'}")


def start(command, log, env=None, notify=True, cwd=None, patience=PATIENCE, user=None):
    """Starts `command` with its output in `log`. With `notify` it must report READY=1 to NOTIFY_SOCKET, as
    to a service manager; that event is waited for. Returns the identity."""
    env = dict(os.environ if env is None else env)
    sock = None
    folder = None
    if notify:
        folder = tempfile.TemporaryDirectory(prefix="lab-")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(os.path.join(folder.name, "ready"))
        env["NOTIFY_SOCKET"] = os.path.join(folder.name, "ready")
    with open(log, "ab") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd,
                                 start_new_session=True, user=user, group=user, extra_groups=None if user is None else [])
    identity = {"pid": child.pid, "birth": birth(child.pid)}
    if notify:
        pidfd = os.pidfd_open(child.pid)
        try:
            ready = select.select([sock, pidfd], [], [], patience)[0]
            if sock not in ready or b"READY=1" not in sock.recv(4096):
                if not ready:
                    end(identity, signal.SIGKILL)
                raise Failed(f"{command[0]} did not start; its log {log} ends with:\n{tail(log)}")
        finally:
            os.close(pidfd)
            sock.close()
            folder.cleanup()
    return identity
