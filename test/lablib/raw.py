# SPDX-License-Identifier: MIT
"""XMPP by hand: every byte is the test's own, so that what no library would send can be sent, and what a
library hides (acknowledgements, the end of a stream) can be seen."""
import base64
import collections
import hashlib
import hmac
import os
import select
import socket
import ssl
import threading
import time
import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

from lablib import emitted
from lablib.process import PATIENCE, Failed

STREAM = "{http://etherx.jabber.org/streams}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
SASL2 = "{urn:xmpp:sasl:2}"
BIND2 = "{urn:xmpp:bind:0}"
SM = "{urn:xmpp:sm:3}"
C = "{jabber:client}"


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def name_of(element):
    return element.tag.rpartition("}")[2]


def condition(error):
    """The first defined condition inside a stream error, a stanza error or a SASL failure."""
    for child in error.iter():
        if "urn:ietf:params:xml:ns:xmpp-" in child.tag and name_of(child) not in ("text", "failure"):
            return name_of(child)
    return None


class Ended(Failed):
    """The peer closed the stream or the connection."""


class Raw:
    """A connection; nothing is sent that was not asked for. `source`: an address of loopback to come from."""

    def __init__(self, address, ca=None, patience=PATIENCE, source=None):
        host, port = address.rsplit(":", 1)
        self.ca = str(ca) if ca else None
        self.patience = patience
        sock = socket.create_connection((host, int(port)), timeout=patience, source_address=(source, 0) if source else None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self._begin(sock)

    def _begin(self, sock):
        self.sock = sock
        self.lock = threading.Lock()     # one thread may read while another writes; TLS bears only one at a time
        self.writing = threading.Lock()  # held over a whole text: two threads' texts must not be mixed
        self.owed = collections.deque()  # texts, as functions, of a thread that must not wait until it may write
        self.domain = None
        self.shows = None                # (certificate, key) of its own
        self.jid = None
        self.features = None
        self.restart()

    def restart(self):
        self.parser = ET.XMLPullParser(events=("start", "end"))
        self.depth = 0
        self.root = None
        self.ready = []

    def _ready(self, wish, deadline):
        """Waits until the socket can be read or written."""
        left = deadline - time.monotonic()
        if left <= 0 or self.sock.fileno() < 0:
            raise Failed(f"nothing came within {self.patience} s")
        lists = select.select([self.sock] if wish == "read" else [], [self.sock] if wish == "write" else [], [], left)
        if not any(lists):
            raise Failed(f"the socket could not {wish} for {self.patience} s")

    def send(self, text):
        """`text` may be a function that gives it when its turn has come."""
        with self.writing:
            self._send(text() if callable(text) else text)
        self.send_soon()

    def send_soon(self, *texts):
        """From the thread that reads, which must go on reading: sent now, or by the thread that writes when it is done."""
        self.owed.extend(texts)
        while self.owed and self.writing.acquire(blocking=False):
            try:
                self._send(self.owed.popleft()())
            except IndexError:  # another was quicker
                pass
            finally:
                self.writing.release()

    def _send(self, text):
        data = memoryview(text if isinstance(text, bytes) else text.encode())
        deadline = time.monotonic() + self.patience
        while data:
            try:
                with self.lock:
                    data = data[self.sock.send(data):]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._ready("write", deadline)
            except ssl.SSLWantReadError:
                self._ready("read", deadline)

    def _take(self, deadline):
        """Reads once; finished elements go to `ready`."""
        while True:
            try:
                with self.lock:
                    data = self.sock.recv(65536)
                break
            except (BlockingIOError, ssl.SSLWantReadError):
                self._ready("read", deadline)
            except ssl.SSLWantWriteError:
                self._ready("write", deadline)
            except (ConnectionError, ssl.SSLError, ValueError) as e:
                raise Ended(f"the connection broke: {e}") from None
        if not data:
            raise Ended("the connection was closed")
        self.parser.feed(data)
        for event, element in self.parser.read_events():
            if event == "start":
                self.depth += 1
                if self.depth == 1:
                    self.root = element
                    self.ready.append(("open", element))
            else:
                self.depth -= 1
                if self.depth == 1:
                    emitted.note_element(element)
                    self.ready.append(("element", element))
                    self.root.remove(element)
                elif self.depth == 0:
                    self.ready.append(("close", element))

    def _event(self):
        deadline = time.monotonic() + self.patience
        while not self.ready:
            self._take(deadline)
        return self.ready.pop(0)

    def next(self):
        """The next element of the stream. Ended when there is none any more."""
        kind, element = self._event()
        if kind == "open":
            return self.next()
        if kind == "close":
            raise Ended("the stream was closed")
        return element

    def open(self, domain, ns="jabber:client", extra="", version="1.0"):
        """Our header and theirs; returns the features (None if the peer offers an error instead, kept for next())."""
        self.domain = domain
        self.restart()
        self.send(f"<?xml version='1.0'?><stream:stream xmlns='{ns}' xmlns:stream='http://etherx.jabber.org/streams'"
                  f" to={quoteattr(domain)} version='{version}' {extra}>")
        return self._opened()

    def _opened(self):
        element = self.next()
        if element.tag == STREAM + "features":
            self.features = element
            return element
        self.ready.insert(0, ("element", element))
        return None

    def wrap(self):
        context = ssl.create_default_context(cafile=self.ca)
        if self.shows:
            context.load_cert_chain(*self.shows)
        self.sock.settimeout(self.patience)
        try:
            self.sock = context.wrap_socket(self.sock, server_hostname=self.domain)
            self.sock.setblocking(False)
        except ssl.SSLError as e:
            raise Failed(f"TLS: {e}") from None

    def starttls(self):
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        answer = self.next()
        if name_of(answer) != "proceed":
            raise Failed(f"STARTTLS was answered by {ET.tostring(answer)}")
        self.wrap()

    def secure(self, domain):
        """To the features inside TLS."""
        if self.open(domain) is None:
            raise Failed(f"no features: {condition(self.next())}")
        self.starttls()
        return self.open(domain)

    def auth_plain(self, user, password):
        self.send(f"<auth xmlns='{SASL[1:-1]}' mechanism='PLAIN'>{b64(chr(0) + user + chr(0) + password)}</auth>")
        return self.next()

    def auth_external(self, authzid=""):
        """By the certificate that it shows (XEP-0178)."""
        self.send(f"<auth xmlns='{SASL[1:-1]}' mechanism='EXTERNAL'>{b64(authzid) or '='}</auth>")
        return self.next()

    def authenticate_external(self, authzid, inside=""):
        """The same by XEP-0388."""
        self.send(f"<authenticate xmlns='{SASL2[1:-1]}' mechanism='EXTERNAL'><initial-response>{b64(authzid) or '='}</initial-response>"
                  f"{inside}</authenticate>")
        answer = self.next()
        self.jid = answer.findtext(SASL2 + "authorization-identifier")
        return answer

    def auth_scram(self, user, password, mechanism="SCRAM-SHA-256", spoil=False):
        """Returns success or failure; with `spoil` the proof is wrong though the password may be right."""
        return self._scram(user, password, mechanism, spoil, SASL, lambda first: (
            f"<auth xmlns='{SASL[1:-1]}' mechanism='{mechanism}'>{first}</auth>"))

    def authenticate(self, user, password, inside="", mechanism="SCRAM-SHA-256", spoil=False):
        """The same by XEP-0388, with what else is wanted `inside` of the request. Features are awaited after a
        success, unless the stream was resumed."""
        answer = self._scram(user, password, mechanism, spoil, SASL2, lambda first: (
            f"<authenticate xmlns='{SASL2[1:-1]}' mechanism='{mechanism}'><initial-response>{first}</initial-response>"
            f"{inside}</authenticate>"))
        if answer.tag == SASL2 + "success":
            self.jid = answer.findtext(SASL2 + "authorization-identifier")
            if answer.find(SM + "resumed") is None:
                self.features = self.next()
        return answer

    def show_token(self, user, token, inside, count=None, more=""):
        """One round trip by XEP-0484, unbound (HT-SHA-256-NONE)."""
        proof = hmac.new(token.encode(), b"Initiator", hashlib.sha256).digest()
        counted = f" count='{count}'" if count else ""
        self.send(f"<authenticate xmlns='{SASL2[1:-1]}' mechanism='HT-SHA-256-NONE'>"
                  f"<initial-response>{b64(user.encode() + bytes(1) + proof)}</initial-response>"
                  f"<fast xmlns='urn:xmpp:fast:0'{counted}{more}/>{inside}</authenticate>")
        answer = self.next()
        if answer.tag == SASL2 + "success":
            if base64.b64decode(answer.findtext(SASL2 + "additional-data")) != hmac.new(token.encode(), b"Responder", hashlib.sha256).digest():
                raise Failed("the server's own proof is wrong")
            self.jid = answer.findtext(SASL2 + "authorization-identifier")
            if answer.find(SM + "resumed") is None:
                self.features = self.next()
        return answer

    def _scram(self, user, password, mechanism, spoil, ns, begin):
        digest = {"SCRAM-SHA-1": hashlib.sha1, "SCRAM-SHA-256": hashlib.sha256, "SCRAM-SHA-512": hashlib.sha512}[mechanism]
        first = f"n={user},r={b64(os.urandom(12))}"
        self.send(begin(b64("n,," + first)))
        challenge = self.next()
        if challenge.tag != ns + "challenge":
            return challenge
        server_first = base64.b64decode(challenge.text).decode()
        said = dict(part.split("=", 1) for part in server_first.split(","))
        if said.get("h") not in (None, self.advertised(digest, ns)):
            raise Failed(f"XEP-0474: what was offered was changed on its way: {server_first}")
        salted = hashlib.pbkdf2_hmac(digest().name, password.encode(), base64.b64decode(said["s"]), int(said["i"]))
        client_key = hmac.new(salted, b"Client Key", digest).digest()
        final = f"c={b64('n,,')},r={said['r']}"
        whole = f"{first},{server_first},{final}".encode()
        signature = hmac.new(digest(client_key).digest(), whole, digest).digest()
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        if spoil:
            proof = bytes([proof[0] ^ 1]) + proof[1:]
        self.send(f"<response xmlns='{ns[1:-1]}'>{b64(final + ',p=' + b64(proof))}</response>")
        answer = self.next()
        if name_of(answer) in ("success", "continue"):
            server_key = hmac.new(salted, b"Server Key", digest).digest()
            expected = "v=" + b64(hmac.new(server_key, whole, digest).digest())
            shown = answer.text if ns == SASL else answer.findtext(ns + "additional-data")
            if base64.b64decode(shown or "").decode() != expected:
                raise Failed("the server's own proof is wrong")
        return answer

    def advertised(self, digest, ns=SASL):
        """The hash of XEP-0474 over the features that came last."""
        types = self.features.find("{urn:xmpp:sasl-cb:0}sasl-channel-binding")
        text = "\x1e".join(sorted(m.text for m in self.features.iter(ns + "mechanism")))
        if types is not None:
            text += "\x1f" + "\x1e".join(sorted(t.get("type") for t in types))
        return b64(digest(text.encode()).digest())

    def bind(self, resource=None):
        wish = f"<resource>{resource}</resource>" if resource else ""
        self.send(f"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{wish}</bind></iq>")
        answer = self.next()
        if answer.get("type") != "result":
            raise Failed(f"no resource: {condition(answer)}")
        self.jid = answer.findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid")
        return self.jid

    def log_in(self, jid, password, resource=None):
        """All of it, to the bound resource."""
        user, domain = jid.split("@")
        self.secure(domain)
        answer = self.auth_scram(user, password)
        if answer.tag != SASL + "success":
            raise Failed(f"{jid} cannot log in: {condition(answer)}")
        self.open(domain)
        self.bind(resource)
        return self

    def iq(self, kind, payload, to=None):
        """The answer; what comes before it is dropped."""
        ident = f"q{os.urandom(6).hex()}"
        self.send(f"<iq type='{kind}' id='{ident}'" + (f" to={quoteattr(to)}" if to else "") + f">{payload}</iq>")
        while True:
            answer = self.next()
            if answer.tag == C + "iq" and answer.get("id") == ident and answer.get("type") in ("result", "error"):
                return answer

    def drop(self):
        """The cable is cut: no close, no more reading."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def say_end(self):
        self.send("</stream:stream>")

    def close(self):
        try:
            self.say_end()
            while True:
                self.next()
        except (Failed, OSError, ET.ParseError):
            pass
        self.sock.close()


def ended_by(raw):
    """The condition of the stream error that ends the stream; None if it just ends."""
    found = None
    try:
        while True:
            element = raw.next()
            if element.tag == STREAM + "error":
                found = condition(element)
    except (Ended, OSError):
        return found


class Terminal:
    """A client with stream management whose acknowledgements are the test's evidence. One thread reads. `address` may be a
    connection: a Raw, or what can do the same (lablib/web.py)."""

    def __init__(self, address, ca, jid, password, patience=PATIENCE, previous=None, presence=True):
        self.raw = address if isinstance(address, Raw) else Raw(address, ca, patience)
        self.patience = patience
        user, domain = jid.split("@")
        self.raw.secure(domain)
        if self.raw.auth_scram(user, password).tag != SASL + "success":
            raise Failed(f"{jid} cannot log in")
        self.raw.open(domain)
        self.changed = threading.Condition()
        self.sent = []             # (id or None) of the stanzas since <enable/>
        self.log = []              # the same, as text: what a resumption must say again
        self.acked = 0             # the server's last h
        self.handled = 0           # what we handled, our h
        self.got = []              # messages in the order they came
        self.others = []           # iq and presence
        self.over = None           # why the stream ended
        self.quiet = False         # do not acknowledge
        self.resumed = previous is not None and self._resume(previous)
        again = self.log[self.acked:] if self.resumed else []
        if not self.resumed:
            self.raw.bind()
            self.raw.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
            answer = self.raw.next()
            if answer.tag != SM + "enabled":
                raise Failed(f"{jid}: stream management was refused: {ET.tostring(answer)}")
            self.token = answer.get("id")
        self.jid = self.raw.jid
        threading.Thread(target=self._read, daemon=True).start()
        if presence and not self.resumed:
            self.send("<presence/>")
        for xml in again:
            self.raw.send(xml)
        if again:  # without it, a full window that is said again would wait for an acknowledgement that nobody asked for
            self.raw.send("<r xmlns='urn:xmpp:sm:3'/>")

    def _resume(self, previous):
        self.raw.send(f"<resume xmlns='urn:xmpp:sm:3' previd={quoteattr(previous.token)} h='{previous.handled}'/>")
        answer = self.raw.next()
        self.resume_answer = answer
        if answer.tag != SM + "resumed":
            return False
        self.token, self.raw.jid = previous.token, previous.jid
        self.sent, self.log = previous.sent, previous.log
        self.handled, self.acked = previous.handled, int(answer.get("h"))
        if not previous.acked <= self.acked <= len(self.sent):
            raise Failed(f"{previous.jid}: resumed with h {self.acked}; {previous.acked} was told, {len(self.sent)} were sent")
        return True

    def _read(self):
        try:
            while True:
                self._take(self.raw.next())
        except (Failed, OSError, ValueError) as e:
            with self.changed:
                self.over = str(e)
                self.changed.notify_all()

    def _take(self, element):
        with self.changed:
            if element.tag == SM + "a":
                self.acked = int(element.get("h"))
            elif element.tag == SM + "r":
                if not self.quiet:
                    self.raw.send_soon(self._answer)
            elif name_of(element) in ("message", "presence", "iq"):
                self.handled += 1
                (self.got if name_of(element) == "message" else self.others).append(element)
            else:
                self.others.append(element)
            self.changed.notify_all()

    def send(self, xml, ident=None):
        with self.changed:
            self.sent.append(ident)
            self.log.append(xml)
        self.raw.send(xml)

    def message(self, to, ident, body=None, ask=True):
        self.send(f"<message to={quoteattr(to)} type='chat' id='{ident}'><body>{body or ident}</body>"
                  f"<origin-id xmlns='urn:xmpp:sid:0' id='{ident}'/></message>", ident)
        if ask:
            self.raw.send("<r xmlns='urn:xmpp:sm:3'/>")

    def _answer(self):
        return f"<a xmlns='urn:xmpp:sm:3' h='{self.handled}'/>"

    def acknowledge(self):
        self.raw.send(self._answer)  # h is taken when it is sent: it must never go back

    def acknowledged(self):
        """Ids of the messages that the server has said to keep."""
        with self.changed:
            return [ident for ident in self.sent[:self.acked] if ident]

    def wait(self, test, what):
        with self.changed:
            if not self.changed.wait_for(lambda: test() or self.over, timeout=self.patience) or not test():
                raise Failed(f"{self.jid}: {what} did not come" + (f": {self.over}" if self.over else
                             f" within {self.patience} s") + f"; got {[m.get('id') for m in self.got]}")

    def wait_room(self, most=300):
        """Until fewer than `most` stanzas are on the way to the server without an acknowledgement."""
        self.wait(lambda: len(self.sent) - self.acked < most, "an acknowledgement")

    def wait_end(self):
        with self.changed:
            if not self.changed.wait_for(lambda: self.over, timeout=self.patience):
                raise Failed(f"{self.jid}: the stream did not end")

    def wait_acked(self, count=None):
        self.wait(lambda: self.acked >= (len(self.sent) if count is None else count), "the acknowledgement")

    def wait_id(self, ident):
        self.wait(lambda: any(m.get("id") == ident for m in self.got), f"message {ident}")

    def iq(self, kind, payload, to=None):
        ident = f"q{os.urandom(6).hex()}"
        self.send(f"<iq type='{kind}' id='{ident}'" + (f" to={quoteattr(to)}" if to else "") + f">{payload}</iq>")

        def mine():
            return [s for s in self.others if s.get("id") == ident and s.get("type") in ("result", "error")]
        self.wait(mine, "an answer")
        return mine()[0]

    def settle(self, to=None):
        """Whatever was on its way from there when this was called has been seen when it returns."""
        self.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to)

    def archive(self):
        """Message ids in the account's archive, in order, by pages of XEP-0059."""
        found, after = [], ""
        while True:
            query = f"a{os.urandom(4).hex()}"
            start = len(self.got)
            answer = self.iq("set", f"<query xmlns='urn:xmpp:mam:2' queryid='{query}'><set xmlns='http://jabber.org/protocol/rsm'>"
                                    f"<max>50</max>{after}</set></query>")
            fin = answer.find("{urn:xmpp:mam:2}fin")
            if fin is None:
                raise Failed(f"{self.jid}: the archive answers {ET.tostring(answer)}")
            for message in self.got[start:]:
                result = message.find("{urn:xmpp:mam:2}result")
                if result is not None and result.get("queryid") == query:
                    found.append(result.find(".//" + C + "message").get("id"))
            last = fin.findtext("{http://jabber.org/protocol/rsm}set/{http://jabber.org/protocol/rsm}last")
            if fin.get("complete") == "true" or not last:
                return found
            after = f"<after>{last}</after>"

    def live(self):
        """What came as messages for the person, archive results and notices apart."""
        return [m for m in self.got if m.find(C + "body") is not None and m.get("type") != "error"
                and m.find("{urn:causeway:contact:1}contact") is None]

    def drop(self):
        self.raw.drop()

    def close(self):
        try:
            self.raw.say_end()
            self.wait_end()
        except (Failed, OSError):
            pass
        self.raw.sock.close()
