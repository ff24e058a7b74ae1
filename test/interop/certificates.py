#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A renewed certificate is shown to who comes, without a restart; who is there stays. One that cannot be used is
named in the log, and the one before goes on."""
import os
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.authority import Authority  # noqa: E402
from lablib.suite import hold  # noqa: E402

HERE = "montague.example"
ROMEO, BENVOLIO = f"romeo@{HERE}", f"benvolio@{HERE}"


def shown(t):
    """The serial number of what a new connection is shown; the connection stays."""
    raw = t.raw(HERE)
    raw.secure(HERE)
    return raw.sock.getpeercert()["serialNumber"], raw


def renew(t):
    """As certbot's hook does: each file is moved over the old one."""
    folder = Path(t.lab.community(HERE)["config"]).parent
    fresh = folder / "renewed"
    fresh.mkdir(exist_ok=True)
    for path in Authority(Path(t.lab.state["ca"]).parent).issue(HERE, fresh):
        path.rename(folder / path.name)


def said(t, pattern):
    log = Path(t.lab.community(HERE)["log"])
    return suite.wait_for(lambda: re.search(pattern, log.read_text(errors="replace")), pattern)


def hang_up(t):
    os.kill(t.lab.community(HERE)["pid"], signal.SIGHUP)


def renewed(t):
    """two live through a renewal; a third sees the new certificate, on STARTTLS and over direct TLS"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    before, witness = shown(t)
    romeo, benvolio = t.strophe(ROMEO), t.strophe(BENVOLIO)
    renew(t)
    said(t, f"certificate of {HERE}: read anew")
    after, late = shown(t)
    hold(after != before, f"the old certificate is still shown ({before})")
    hold(witness.sock.getpeercert()["serialNumber"] == before, "the witness has changed")
    romeo.message(BENVOLIO, "still here")
    benvolio.wait_body("still here", ROMEO)
    hold(late.auth_plain("romeo", t.lab.account("romeo", HERE)["password"]).tag.endswith("success"), "no login by the new one")
    slix = t.slix(BENVOLIO, direct_tls=True)
    romeo.message(BENVOLIO, "and there")
    slix.wait_body("and there", ROMEO)


def unusable(t):
    """garbage in its place: the log names the file, new connections go on with what was read; SIGHUP alone changes nothing"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    before, _ = shown(t)
    chain = Path(t.lab.community(HERE)["config"]).parent / f"{HERE}.pem"
    good = chain.read_text()
    chain.write_text("no certificate\n")
    said(t, f"error certificate of {HERE}: {chain}: .*; the one before stays")
    hang_up(t)
    said(t, "SIGHUP: the configuration and the certificates are looked at")
    hold(shown(t)[0] == before, "another certificate is shown")
    chain.write_text(good)
    said(t, f"certificate of {HERE}: read anew")
    hold(shown(t)[0] == before, "another certificate is shown")


if __name__ == "__main__":
    suite.main(__doc__, renewed, unusable)
