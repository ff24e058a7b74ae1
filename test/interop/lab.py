#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command test/lab: up, stop, kill, start, down; what lab.json holds; that each does what it says and no more."""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import process, suite  # noqa: E402
from lablib.client import Client  # noqa: E402
from lablib.events import Heard  # noqa: E402
from lablib.lab import ROOT  # noqa: E402
from lablib.raw import Raw  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402

COMMUNITY = {"domain", "c2s", "c2s_tls", "s2s", "http", "pid", "config", "store", "log"}


def lab(*args, fails=False):
    done = subprocess.run([sys.executable, str(ROOT / "test" / "lab"), *map(str, args)], capture_output=True, text=True, timeout=300)
    hold((done.returncode != 0) == fails, f"test/lab {' '.join(map(str, args))} ended with {done.returncode}: {done.stderr}")
    return done


def read(folder):
    return json.loads((folder / "lab.json").read_text())


def log_in(t, state, jid):
    account = next(a for a in state["accounts"] if a["jid"] == jid)
    c = next(c for c in state["communities"] if c["domain"] == jid.split("@")[1])
    program = ROOT / "build" / t.preset / "test" / "client" / "strophe-client"
    return t.keep(Client(program, jid, account["password"], c["c2s"], state["ca"], patience=suite.PATIENCE))


def is_there(pid):
    return process.birth(pid) is not None  # a zombie that nobody has collected yet is not there


def answers(address):
    try:
        with socket.create_connection(address.rsplit(":", 1), timeout=5):
            return True
    except OSError:
        return False


def up_lab(t, *args):
    folder = t.folder / "up"
    t.closing.append(lambda: lab("down", folder) if (folder / "lab.json").exists() else None)
    lab("up", folder, "--preset", t.preset, *args)
    return folder


def no_reports(state, gentle):
    for c in state["communities"]:
        found = suite.Case.reports(c["domain"], c["log"])
        hold(not found, "\n".join(found))
        if c["domain"] in gentle:
            hold("stopped" in process.tail(c["log"], 3), f"{c['domain']}'s log does not end with a gentle stop:\n{process.tail(c['log'])}")


def up_and_down(t):
    """two communities by default, two accounts and an admin each; lab.json is complete; down stops just these"""
    folder = up_lab(t)
    state = read(folder)
    for name in ("ca", "dns", "communities", "accounts", "mail_dir", "provider_log"):
        hold(name in state, f"lab.json has no {name}")
    hold([c["domain"] for c in state["communities"]] == ["montague.example", "capulet.example"], "other domains")
    addresses = set()
    for c in state["communities"]:
        hold(COMMUNITY <= set(c), f"{COMMUNITY - set(c)} is missing in {c['domain']}")
        for name, port in (("c2s", "5222"), ("c2s_tls", "5223"), ("s2s", "5269"), ("http", "5280")):
            host, _, given = c[name].rpartition(":")
            hold(host.startswith("127.") and given == port, f"{name} is {c[name]}")
            hold(answers(c[name]), f"nothing answers on {name} {c[name]}")
            addresses.add(host)
        hold(is_there(c["pid"]), f"no process {c['pid']}")
        for name in ("config", "store", "log"):
            hold(Path(c[name]).is_file(), f"no file {c[name]}")
    hold(len(addresses) == 2, f"addresses: {addresses}")
    hold(Path(state["ca"]).is_file() and Path(state["mail_dir"]).is_dir() and Path(state["provider_log"]).is_file(), "a file is missing")
    for domain in ("montague.example", "capulet.example"):
        mine = [a for a in state["accounts"] if a["jid"].endswith("@" + domain)]
        hold(sorted(a["admin"] for a in mine) == [False, False, True], f"{domain} has {mine}")
        hold(all(set(a) >= {"jid", "password", "admin"} for a in mine), "an account lacks a field")
    romeo, juliet = log_in(t, state, "user1@montague.example"), log_in(t, state, "user1@capulet.example")
    text = token()
    romeo.message("user1@capulet.example", text)
    romeo.wait(lambda s: s.find("{urn:causeway:contact:1}contact") is not None, "the notice to a stranger")
    for client in (romeo, juliet):
        client.close()
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        lab("up", folder, fails=True)
        lab("down", folder)
        hold(bystander.poll() is None, "down stopped a process that is not its own")
    finally:
        bystander.kill()
        bystander.wait()
    for identity in state["processes"].values():
        hold(not process.is_alive(identity), f"process {identity['pid']} is left")
    for c in state["communities"]:
        hold(not answers(c["c2s"]), f"{c['c2s']} still answers")
        hold(Path(c["store"]).is_file(), "the store is gone")
    no_reports(state, {"montague.example", "capulet.example"})
    lab("down", folder, fails=True)


def stop_kill_start(t):
    """one gateway is stopped, started, killed, started on its store; lab.json follows; others go on"""
    folder = up_lab(t, "--domain", "a.example", "--domain", "b.example", "--accounts", "1")
    first = read(folder)
    hold([a["jid"] for a in first["accounts"]] == ["user1@a.example", "admin@a.example", "user1@b.example", "admin@b.example"],
         "other accounts")
    a, b = (c["pid"] for c in first["communities"])
    for verb in ("stop", "kill"):
        before = read(folder)["communities"][0]["pid"]
        lab(verb, folder, "a.example")
        hold(not is_there(before), f"{before} is still there after {verb}")
        hold(read(folder)["communities"][0]["pid"] == 0, f"lab.json does not show the {verb}")
        lab(verb, folder, "a.example", fails=True)
        hold(read(folder)["communities"][1]["pid"] == b and is_there(b), "b.example was touched")
        lab("start", folder, "a.example")
        now = read(folder)
        hold(now["communities"][0]["pid"] not in (0, before), "no new pid")
        lab("start", folder, "a.example", fails=True)
        log_in(t, now, "user1@a.example").close()
    lab("stop", folder, "nosuch.example", fails=True)
    state = read(folder)
    lab("down", folder)
    no_reports(state, {"a.example", "b.example"})


def names_resolve(t):
    """the lab's resolver answers SRV for every community, and for nothing else"""
    folder = up_lab(t, "--domain", "a.example", "--accounts", "1")
    state = read(folder)
    host, port = state["dns"].rsplit(":", 1)

    def ask(name, kind):
        question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + bytes([0, kind, 0, 1])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.connect((host, int(port)))
            s.send(b"\0\7\1\0\0\1\0\0\0\0\0\0" + question)
            answer = s.recv(1024)
        return int.from_bytes(answer[6:8], "big"), answer
    for service, port_number in (("_xmpp-server", 5269), ("_xmpp-client", 5222), ("_xmpps-client", 5223)):
        count, answer = ask(f"{service}._tcp.a.example", 33)
        hold(count == 1 and port_number.to_bytes(2, "big") in answer, f"{service} has {count} answers")
    hold(ask("_xmpp-server._tcp.other.example", 33)[0] == 0, "it knows a domain that is not there")
    address = state["communities"][0]["c2s"].rsplit(":", 1)[0]
    hold(socket.inet_aton(address) in ask("xmpp.a.example", 1)[1], "the host has another address")
    features = Raw(state["communities"][0]["s2s"], state["ca"]).open("a.example", "jabber:server", "xmlns:db='jabber:server:dialback'")
    hold(features is not None, "the listener for servers opens no stream")


def waiting(t):
    """what tests wait by: a file in a folder that is made meanwhile, a line of a log, a thread; nothing is asked in between"""
    asked, heard = [], Heard()

    def do(what):
        """A thread that does it once the test has looked in vain."""
        looked = threading.Event()
        threading.Thread(target=lambda: (looked.wait(), what()), daemon=True).start()
        return looked

    def look(found, looked):
        asked.append(found)
        looked.set()
        return found

    def write():
        (t.folder / "new" / "er").mkdir(parents=True)
        (t.folder / "new" / "er" / "part").write_text("whole")
        (t.folder / "new" / "er" / "part").rename(t.folder / "new" / "er" / "file")
    looked = do(write)
    wait_for(lambda: look((t.folder / "new" / "er" / "file").exists(), looked), "the file")
    looked = do(lambda: heard.append("a word"))
    wait_for(lambda: look(bool(heard), looked), "the word")
    hold(len(asked) <= 12, f"it was asked {len(asked)} times")
    log = t.folder / "out.log"
    child = process.start(["sh", "-c", "echo one; read x < fifo; echo two; read x < fifo"], log, notify=False, cwd=make_fifo(t.folder))
    t.closing.append(lambda: process.end(child, signal.SIGKILL))
    process.wait_for_line(child, log, b"one")
    looked = do(lambda: (t.folder / "fifo").write_text("on\n"))
    looked.set()
    process.wait_for_line(child, log, b"two", len("one\n"))
    looked = do(lambda: (t.folder / "fifo").write_text("on\n"))
    looked.set()
    try:
        process.wait_for_line(child, log, b"three")
    except process.Failed as e:
        hold("b'three' is not in the log" in str(e), str(e))
    else:
        hold(False, "a line that never came")


def make_fifo(folder):
    os.mkfifo(folder / "fifo")
    return folder


if __name__ == "__main__":
    suite.main(__doc__, up_and_down, stop_kill_start, names_resolve, waiting)
