#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Dino, as Debian has it, on a display without a screen: it logs in unchanged, a stranger's request is a conversation with the community,
which a person answers by typing; they talk; its cable is cut, and nothing is lost or doubled. Screenshots stay in BUILD/captures/dino-*.png.

Dino asks the system's resolver and trusts the system's authorities, and no setting of it changes that: it runs in a mount namespace of
its own, in which /etc/hosts, /etc/resolv.conf and the system's authorities are the lab's. It keeps no account outside its database, which
it makes at its first start and the test fills in. What is on the screen in front of
somebody it does not notify, and its first conversation is: that it came is seen in its database."""
import os
import shutil
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.cable import Cable  # noqa: E402
from lablib.desk import Desk, cut_and_back  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.peers import need  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402

CAPULET, MONTAGUE = "capulet.example", "montague.example"
JULIET, NURSE, MERCUTIO = f"juliet@{CAPULET}", f"nurse@{CAPULET}", f"mercutio@{MONTAGUE}"
CONTACT = "{urn:causeway:contact:1}contact"


class Dino(Desk):
    name = "dino"

    def __init__(self, t, jid, cable=None):
        self.cable = cable  # which it is behind; None: the gateway's own address
        super().__init__(t, jid)

    def begin(self, jid):
        self.data = self.folder / "data"
        self.env.update(XDG_DATA_HOME=str(self.data), XDG_CONFIG_HOME=str(self.folder / "config"), XDG_CACHE_HOME=str(self.folder / "cache"))
        self.prepare_system(jid)
        first = self.start_dino("first")
        self.database = self.data / "dino" / "dino.db"
        wait_for(lambda: self.ask("select 1 from sqlite_master where name = 'account'"), "Dino's database")
        first.terminate()
        first.wait()
        password = self.t.where(jid)[1]
        with sqlite3.connect(self.database) as db:
            db.execute("insert into account (bare_jid, resourcepart, password, alias, enabled) values (?, 'desk', ?, '', 1)", (jid, password))
        self.give(self.data)
        self.start_dino("dino")

    def ask(self, query, *values):
        """Its database as it is at the moment; None: not yet."""
        try:
            with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as db:
                return db.execute(query, values).fetchone()
        except sqlite3.Error:
            return None

    def messages(self):
        """What its history has of messages, in order."""
        try:
            with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as db:
                return [row[0] for row in db.execute("select body from message order by id")]
        except sqlite3.Error:
            return []  # not yet

    def has_message(self, sender, like):
        wait_for(lambda: self.ask("select 1 from message join jid on jid.id = counterpart_id where bare_jid = ? and body like ?", sender, like),
                 f"{like!r} of {sender} in Dino")

    def prepare_system(self, jid):
        domain = jid.split("@")[1]
        address = self.cable.address.split(":")[0] if self.cable else self.t.lab.community(domain)["address"]
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{address} {domain}\n")
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        shutil.copy(self.t.lab.state["ca"], self.folder / "authorities.pem")
        script = self.folder / "inside.sh"
        script.write_text(f"""#!/bin/sh
mount --bind {self.folder}/hosts /etc/hosts && mount --bind {self.folder}/resolv.conf /etc/resolv.conf &&
mount --bind {self.folder}/authorities.pem /etc/ssl/certs/ca-certificates.crt || exit 1
exec {need("setpriv", "util-linux")} {"--reuid=nobody --regid=nogroup --clear-groups" if os.geteuid() == 0 else ""} "$@"
""")
        script.chmod(0o755)
        self.give(self.folder)

    def start_dino(self, log):
        inside = [need("unshare", "util-linux"), "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), str(self.folder / "inside.sh")]
        return self.start(log, *inside, need("dino-im", "dino-im"), as_user=False)

    def open_chat(self, jid):
        self.run(need("dino-im", "dino-im"), f"xmpp:{jid}?message")


def accepted(t):
    """the request is shown; "accept 1", typed by a person, lets the stranger in; they talk"""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["mercutio"], CAPULET: ["juliet"]})
    desk, stranger = Dino(t, JULIET), t.strophe(MERCUTIO)
    log = Path(t.lab.community(CAPULET)["log"])
    wait_for(lambda: f"{JULIET} logged in" in log.read_text(), "Dino's log-in")
    asked = f"May I write to you? {token()}"
    stranger.message(JULIET, asked)
    stranger.wait(lambda s: s.find(CONTACT) is not None, "the notice to the stranger")
    desk.has_message(CAPULET, f"%would like to write to you:%{asked}%accept 1%")
    desk.picture("asked")
    desk.type("accept 1")
    desk.has_message(MERCUTIO, asked)
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
    cable = t.keep(Cable(t.where(JULIET)[0], f"{t.lab.state['network']}.200:5222"))  # Dino asks for no other port
    desk, friend = Dino(t, JULIET, cable), t.terminal(NURSE)
    log = Path(t.lab.community(CAPULET)["log"])
    wait_for(lambda: f"{JULIET} logged in" in log.read_text(), "Dino's log-in")
    cut_and_back(desk, friend, cable, JULIET, NURSE)


if __name__ == "__main__":
    suite.main(__doc__, accepted, cut)
