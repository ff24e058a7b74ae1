#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Client libraries of JavaScript under node: xmpp.js over TCP and WebSocket, stanza.js over WebSocket and BOSH. Each logs in,
chats with slixmpp, is cut off, and goes on in the same stream. Fetched by npm (lablib/npm.py)."""
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import npm, suite  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.events import Heard  # noqa: E402
from lablib.lab import ROOT  # noqa: E402
from lablib.cable import Cable  # noqa: E402
from lablib.suite import hold, wait_for  # noqa: E402

HERE = "montague.example"
ROMEO, BENVOLIO = f"romeo@{HERE}", f"benvolio@{HERE}"
NODE = os.environ.get("CAUSEWAY_NODE") or shutil.which("node") or shutil.which("nodejs")


class Driven:
    """A driver of test/client beside the node_modules that it imports."""

    def __init__(self, t, script, **options):
        folder = npm.libraries()
        shutil.copy(ROOT / "test" / "client" / script, folder)
        self.heard, log = Heard(), open(t.folder / f"{script}.log", "w")
        env = dict(os.environ, NODE_EXTRA_CA_CERTS=t.lab.state["ca"])
        self.child = subprocess.Popen([NODE, str(folder / script), json.dumps(options)], env=env, text=True, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=log)
        log.close()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self.heard.append(json.loads(line))
        self.heard.append({"event": "ended"})

    def count(self, event):
        return sum(e["event"] == event for e in self.heard)

    def wait(self, event, number=1):
        def found():
            hold(not self.count("ended"), f"the client ended: {self.heard}")
            return self.count(event) >= number
        wait_for(found, f"'{event}', {number} times; there is {[e for e in self.heard]}")

    def bodies(self):
        return [e["body"] for e in self.heard if e["event"] == "message"]

    def say(self, to, body):
        self.child.stdin.write(json.dumps({"to": to, "body": body}) + "\n")
        self.child.stdin.flush()

    def close(self):
        self.child.stdin.close()
        try:
            self.child.wait(suite.PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise


def converse_with(t, script, service, scheme, path="", resumes=True, **options):
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    friend = t.slix(BENVOLIO)
    cable = t.keep(Cable(t.lab.community(HERE)[service]))
    where = f"{scheme}://{cable.address}{path}"
    one = t.keep(Driven(t, script, service=where, domain=HERE, jid=ROMEO, username="romeo", password=t.where(ROMEO)[1], **options))
    one.wait("online")
    full = next(e["jid"] for e in one.heard if e["event"] == "online")
    one.say(BENVOLIO, "wherefore")
    friend.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == "wherefore", "what was said in JavaScript")
    friend.send(f"<message to='{full}' type='chat'><body>therefore</body></message>")
    wait_for(lambda: one.bodies() == ["therefore"], "what the friend said")
    cable.cut()
    friend.send(f"<message to='{full}' type='chat'><body>while it was cut</body></message>")
    if resumes:
        one.wait("cut")
    cable.mend()
    wait_for(lambda: one.bodies() == ["therefore", "while it was cut"], "what was said meanwhile")
    if resumes:
        one.wait("resumed")
    hold(one.count("online") == 1, f"it began anew: {one.heard}")
    one.say(BENVOLIO, "and again")
    friend.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == "and again", "what was said after")


def xmpp_js_tcp(t):
    """xmpp.js over TCP with STARTTLS: chat, cut, resumed"""
    converse_with(t, "xmpp_js.mjs", "c2s", "xmpp")


def xmpp_js_websocket(t):
    """xmpp.js over WebSocket: chat, cut, resumed"""
    converse_with(t, "xmpp_js.mjs", "websocket_plain", "ws", "/xmpp-websocket")


def stanza_js_websocket(t):
    """stanza.js over WebSocket: chat, cut, resumed"""
    converse_with(t, "stanza_js.mjs", "websocket_plain", "ws", "/xmpp-websocket", transport="websocket")


def stanza_js_bosh(t):
    """stanza.js over BOSH: chat, its connections cut, and the session goes on"""
    converse_with(t, "stanza_js.mjs", "websocket_plain", "http", "/http-bind", transport="bosh", resumes=False)


if __name__ == "__main__":
    if not NODE:
        npm.or_skip(npm.missing_node)
    npm.or_skip(npm.libraries)
    suite.main(__doc__, xmpp_js_tcp, xmpp_js_websocket, stanza_js_websocket, stanza_js_bosh)
