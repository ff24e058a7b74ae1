# SPDX-License-Identifier: MIT
"""A stock client (libstrophe) as an object: send stanzas, wait for stanzas."""
import os
import queue
import subprocess
import threading
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from lablib import emitted
from lablib.process import PATIENCE, Failed

C = "{jabber:client}"


class Waiting:
    """What a test asks of any client: send stanzas, wait for stanzas. A subclass puts lines "connected JID",
    "stanza XML", "disconnected WHY" into `queue` and has `send`."""

    def __init__(self, jid, patience):
        self.patience = patience
        self.jid = jid
        self.full_jid = None
        self.seen = []
        self.queue = queue.Queue()

    def _begin(self, presence):
        word = "stanza"
        while word == "stanza":  # what the library asked for itself while it logged in
            word, _, rest = self._next().partition(" ")
        if word != "connected":
            raise Failed(f"{self.jid} cannot log in: {rest}")
        self.full_jid = rest
        if presence:
            self.announce()

    def _arrived(self, line):
        if line.startswith("stanza "):
            emitted.note(line.partition(" ")[2])
        self.queue.put(line)

    def announce(self):
        """Initial presence; it has come back when this returns, and says our full JID for certain."""
        ident = f"p{os.urandom(6).hex()}"
        self.send(f"<presence id='{ident}'/>")
        own = self.wait(lambda s: s.tag == C + "presence" and s.get("id") == ident, "its own presence")
        self.full_jid = own.get("from")

    def settle(self, to=None):
        """Whatever was on its way from the server when this was called has been seen when it returns."""
        self.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to)

    def _next(self):
        try:
            return self.queue.get(timeout=self.patience)
        except queue.Empty:
            raise Failed(f"{self.jid}: nothing came within {self.patience} s") from None

    def message(self, to, body, kind="chat", extra="", ident=None):
        mark = f" id={quoteattr(ident)}" if ident else ""
        self.send(f"<message to={quoteattr(to)} type='{kind}'{mark}><body>{escape(body)}</body>{extra}</message>")

    def wait(self, test, what="a stanza"):
        """The next stanza (seen earlier and not yet taken, or to come) for which test(element) holds."""
        for i, stanza in enumerate(self.seen):
            if test(stanza):
                return self.seen.pop(i)
        while True:
            try:
                word, _, rest = self._next().partition(" ")
            except Failed as e:
                others = "\n  ".join(ET.tostring(s, encoding="unicode") for s in self.seen[-8:])
                raise Failed(f"{e}, waiting for {what}; came instead:\n  {others}") from None
            if word == "disconnected":
                raise Failed(f"{self.jid} was disconnected: {rest}")
            # libstrophe does not print the stream's default namespace
            stanza = ET.fromstring(f"<stream xmlns='jabber:client'>{rest}</stream>")[0]
            if test(stanza):
                return stanza
            self.seen.append(stanza)

    def wait_body(self, part, sender=None):
        """A message whose body contains `part`, from a bare or full JID if given."""
        def fits(s):
            body = s.findtext(C + "body")
            return (s.tag == C + "message" and body is not None and part in body
                    and (sender is None or s.get("from", "").split("/")[0] == sender.split("/")[0]))
        return self.wait(fits, f"a message with {part!r}" + (f" from {sender}" if sender else ""))

    def iq(self, kind, payload, to=None):
        ident = f"q{os.urandom(6).hex()}"
        address = f" to={quoteattr(to)}" if to else ""
        self.send(f"<iq type='{kind}' id='{ident}'{address}>{payload}</iq>")
        return self.wait(lambda s: s.tag == C + "iq" and s.get("id") == ident and s.get("type") in ("result", "error"),
                         f"the answer to {payload[:60]}")

    def tell(self, to, line):
        """Writes a line and returns the body of the answer."""
        self.message(to, line)
        return self.wait(lambda s: s.tag == C + "message" and s.get("from") == to and s.findtext(C + "body") is not None,
                         f"an answer to {line!r}").findtext(C + "body")


class Client(Waiting):
    """libstrophe. Logged in when the constructor returns; `patience` bounds every wait, in seconds."""

    def __init__(self, program, jid, password, address, ca, patience=PATIENCE, presence=True):
        host, port = address.rsplit(":", 1)
        super().__init__(jid, patience)
        self.process = subprocess.Popen([str(program), jid, host, port, str(ca)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1, env=dict(os.environ, CLIENT_PASSWORD=password))
        threading.Thread(target=self._read, daemon=True).start()
        self._begin(presence)

    def _read(self):
        for line in self.process.stdout:
            self._arrived(line.rstrip("\n"))
        self.queue.put("disconnected 0 - the client ended")

    def send(self, xml):
        self.process.stdin.write(xml + "\n")

    def close(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.write("quit\n")
            except BrokenPipeError:
                pass
            try:
                self.process.wait(timeout=self.patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode
