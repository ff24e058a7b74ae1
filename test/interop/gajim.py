#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gajim, as Debian has it, on a display without a screen: a stranger's request is notified and shown, and a person
answers it by typing; its cable is cut, and nothing is lost or doubled. Screenshots stay in BUILD/captures/gajim-*.png."""
import json
import shutil
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.cable import Cable  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.desk import HELPER, Desk, cut_and_back  # noqa: E402
from lablib.peers import need  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402

CAPULET, MONTAGUE = "capulet.example", "montague.example"
JULIET, NURSE, MERCUTIO = f"juliet@{CAPULET}", f"nurse@{CAPULET}", f"mercutio@{MONTAGUE}"
CONTACT = "{urn:causeway:contact:1}contact"


class Gajim(Desk):
    name = "gajim"

    def __init__(self, t, jid, cable=None):
        self.cable = cable  # which it is behind; None: the gateway's own address
        super().__init__(t, jid)

    def begin(self, jid):
        address, password = self.t.where(jid)
        host, port = (self.cable.address if self.cable else address).split(":")
        local, domain = jid.split("@")
        certificate = Path(self.t.lab.community(domain)["config"]).with_name(f"{domain}.pem")
        (self.folder / "account.json").write_text(json.dumps({
            "certificate": str(self.folder / "peer.pem"),
            "app": {"use_keyring": False, "check_for_update": False, "ask_online_status": False, "remote_control": True},
            "account": {"name": local, "hostname": domain, "password": password, "savepass": True, "active": True, "autoconnect": True,
                        "use_custom_host": True, "custom_host": host, "custom_port": int(port), "custom_type": "START TLS"}}))
        shutil.copy(certificate, self.folder / "peer.pem")
        (self.folder / "peer.pem").chmod(0o644)
        self.run("/usr/bin/python3", HELPER, "settings", self.folder)
        self.start("gajim", need("gajim", "gajim"), "--config-path", str(self.folder / "config"), "-l", "nbxmpp=INFO")

    def open_chat(self, jid):
        self.run("gajim", "--config-path", self.folder / "config", f"xmpp:{jid}?message")

    def messages(self):
        """What its history has of messages, in order."""
        try:
            with sqlite3.connect(f"file:{self.folder / 'config' / 'logs.db'}?mode=ro", uri=True) as db:
                return [row[0] for row in db.execute("select message from logs where message is not null order by log_line_id")]
        except sqlite3.Error:
            return []  # not yet


def accepted(t):
    """the request is notified and shown; "accept 1", typed by a person, lets the stranger in; they talk"""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["mercutio"], CAPULET: ["juliet"]})
    desk, stranger = Gajim(t, JULIET), t.strophe(MERCUTIO)
    log = Path(t.lab.community(CAPULET)["log"])
    wait_for(lambda: f"{JULIET} logged in" in log.read_text(), "Gajim's log-in")
    asked = f"May I write to you? {token()}"
    stranger.message(JULIET, asked)
    stranger.wait(lambda s: s.find(CONTACT) is not None, "the notice to the stranger")
    note = desk.notified("would like to write to you")
    t.note(f"notified: {note}")
    desk.open_chat(CAPULET)
    desk.picture("asked")
    desk.type("accept 1")
    note = desk.notified("New message from mercutio")
    t.note(f"notified: {note}")
    desk.picture("accepted")
    desk.open_chat(MERCUTIO)
    answer = f"You may {token()}"
    desk.type(answer)
    got = stranger.wait_body(answer, JULIET)
    hold(got.tag == C + "message", "no message")
    desk.picture("answered")


def cut(t):
    """its cable is cut, it is written to meanwhile, and it comes back: all is there once, in order, and what it says arrives"""
    t.make_lab([CAPULET], {CAPULET: ["juliet", "nurse"]})
    cable = t.keep(Cable(t.where(JULIET)[0]))
    desk, friend = Gajim(t, JULIET, cable), t.terminal(NURSE)
    log = Path(t.lab.community(CAPULET)["log"])
    wait_for(lambda: f"{JULIET} logged in" in log.read_text(), "Gajim's log-in")
    cut_and_back(desk, friend, cable, JULIET, NURSE)


if __name__ == "__main__":
    suite.main(__doc__, accepted, cut)
