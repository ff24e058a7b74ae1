#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's Prosody federates with Causeway both ways (lablib/federation.py)."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import federation, suite  # noqa: E402
from lablib.federation import OURS, ROMEO, TYBALT, VERONA, talk, two_servers  # noqa: E402
from lablib.peers import Prosody  # noqa: E402
from lablib.suite import befriend, hold  # noqa: E402


def direct_tls(t):
    """where DNS says that servers have TLS from the first byte, Prosody comes by it, and we go to Prosody by it"""
    if t.home != "causeway":
        return
    server = two_servers(t, direct_s2s=True)
    romeo, tybalt = t.slix(ROMEO), t.slix(TYBALT)
    befriend(romeo, tybalt)
    talk(tybalt, romeo)
    hold(re.search(r"[:#]5270\b", server.log.read_text()), f"{VERONA} did not use port 5270 of {OURS}")
    out = re.search(rf"connected to xmpp.{VERONA}, \S+:(\d+)", Path(t.lab.community(OURS)["log"]).read_text())
    hold(out and out[1] == "5270", f"{OURS} did not use port 5270 of {VERONA}, but {out and out[0]}")


if __name__ == "__main__":
    suite.main(__doc__, *federation.CASES, direct_tls, peer=Prosody)
