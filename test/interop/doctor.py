#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`causeway doctor` against a lab: what is right is said to be right, and each thing that is broken is found, with
what to do about it, and exit status 1. DNS is the lab's own resolver."""
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.authority import Authority  # noqa: E402
from lablib.lab import find_program  # noqa: E402
from lablib.suite import hold  # noqa: E402

OURS, ELSE = "montague.example", "verona.example"
DNS = [  # a community of which the DNS has strange things to say
    f"srv-host=_xmpp-client._tcp.{ELSE},nowhere.{ELSE},5222,5,0",
    f"srv-host=_xmpps-client._tcp.{ELSE}",
    f"host-record=mail.{ELSE},{{network}}.1",
    f"srv-host=_xmpp-server._tcp.{ELSE},mail.{ELSE},2525,5,0",
    f"srv-host=_xmpp-server._tcp.rooms.{OURS},xmpp.{OURS},5269,5,0",
    f"srv-host=_xmpps-server._tcp.rooms.{OURS},xmpp.{OURS},5270,0,0",
]


def examine(t, config, expect):
    """Runs it; returns what it said."""
    done = subprocess.run([str(find_program(t.preset)), "doctor", "--config", str(config)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    hold(done.returncode == expect, f"exit status {done.returncode}, not {expect}:\n{said}")
    lines = done.stdout.split("\n")
    for i, line in enumerate(lines):  # each complaint is followed by a next step
        if line.startswith(("WRONG", "note")):
            hold(lines[i + 1].startswith("      -> "), f"no next step after: {line}")
    return said


def has(said, *parts):
    for part in parts:
        hold(re.search(part, said), f"{part!r} is not said in:\n{said}")


def changed(t, name, *changes):
    """The community's configuration with texts replaced, as a file beside it."""
    source = Path(t.lab.community(OURS)["config"])
    text = source.read_text()
    for old, new in changes:
        hold(old in text, f"{old!r} is not in the configuration")
        text = text.replace(old, new)
    path = source.with_name(name + ".conf")
    path.write_text(text)
    return path


def all_well(t):
    """a gateway that runs, with all its records: nothing is wrong, nothing worth a note"""
    t.make_lab([OURS], {OURS: ["romeo"]}, direct_s2s=True, dns=DNS)
    config = t.lab.community(OURS)["config"]
    has(examine(t, config, 0), "ok .* answers clients\n", "ok .* answers clients \\(direct TLS\\)", "ok .* answers servers \\(direct TLS\\)",
        "ok .*other servers, by STARTTLS", "ok .*admin@montague.example", "\n0 wrong, 0 worth a note")
    t.lab.stop(OURS)
    has(examine(t, config, 0), "nothing listens yet\n      -> start it", "nothing listens there yet", "\n0 wrong, [1-9]")


def in_the_dns(t):
    """records that are absent, lead nowhere, or to something else; a name server that is silent"""
    t.make_lab([OURS], {OURS: ["romeo"]}, dns=DNS)
    folder = Path(t.lab.community(OURS)["config"]).parent
    chain, key = Authority(Path(t.lab.state["ca"]).parent).issue(ELSE, folder)
    other = changed(t, "other", (f'community "{OURS}"', f'community "{ELSE}"'), (f'admins = {{ "admin@{OURS}" }}', ""),
                    (f"/{OURS}.pem", "/" + Path(chain).name), (f"/{OURS}.key", "/" + Path(key).name))
    t.lab.stop(OURS)
    has(examine(t, other, 1), f"WRONG .*leads to nowhere.{ELSE}, which has no address\n      -> add: nowhere.{ELSE}",
        f"WRONG _xmpps-client._tcp.{ELSE} says that the service is not there", "WRONG .*2525 .*does not answer as an XMPP server",
        "has no admins")
    third = changed(t, "third", (f'community "{OURS}"', 'community "mantua.example"'), (f'admins = {{ "admin@{OURS}" }}', ""))
    has(examine(t, third, 1), "WRONG certificate .* is not for mantua.example\n      -> get one that names mantua.example, rooms",
        r"WRONG there is no record _xmpp-client._tcp.mantua.example.*\n      -> add: _xmpp-client._tcp.mantua.example. 3600 IN SRV 5 0 5222")
    silent = changed(t, "silent", (t.lab.state["dns"].replace(":", "@"), t.lab.state["network"] + ".77@53"))
    has(examine(t, silent, 1), "WRONG .*cannot be asked for")


def on_this_machine(t):
    """ports that others have, files that everybody reads, a certificate that has no trust, an admin who is not there"""
    t.make_lab([OURS], {OURS: ["romeo"]})
    c = t.lab.community(OURS)
    key = Path(c["config"]).with_name(f"{OURS}.key")
    key.chmod(0o644)
    has(examine(t, c["config"], 1), f"WRONG key {key} can be read by everybody\n      -> chmod o= {key}")
    key.chmod(0o600)
    secret = key.with_name("auth_token")
    secret.chmod(0o644)
    has(examine(t, c["config"], 1), f"WRONG provider sms is off: .*secret_files: {secret}: can be read by everybody; chmod o= {secret}")
    secret.chmod(0o600)
    has(examine(t, changed(t, "admins", (f"admin@{OURS}", f"nurse@{OURS}")), 1),
        f"WRONG there is no account nurse@{OURS}.*\n      -> causeway account add nurse@{OURS}")
    strange = Authority(t.folder / "strange")
    has(examine(t, changed(t, "untrusted", (t.lab.state["ca"], str(strange.cert))), 1), "WRONG certificate .* is not trusted")
    t.lab.stop(OURS)
    with socket.create_server((c["address"], 5222)):
        has(examine(t, c["config"], 1), "WRONG something else answers on port 5222|WRONG port 5222 at .* is taken")
    has(examine(t, changed(t, "elsewhere", (f'address = "{c["address"]}" port = 5222', 'address = "192.0.2.1" port = 5222')), 1),
        "WRONG 192.0.2.1 is no address of this machine")
    has(examine(t, changed(t, "unfinished", ('service = "c2s" ', 'service = "c3s" ')), 1), "c3s")


if __name__ == "__main__":
    os.environ["PYTHONUNBUFFERED"] = "1"
    suite.main(__doc__, all_well, in_the_dns, on_this_machine)
