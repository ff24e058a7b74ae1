# SPDX-License-Identifier: MIT
"""Clients that chat while their connections are cut, and who checks what became of every message.

A `Talker` is one account with one client: it connects by any transport, resumes its stream (XEP-0198) or logs in anew,
writes to its partner, and is cut. What it sends is numbered. The `World` holds what was sent and what came:

- what comes for the first time is the next number: nothing is lost, nothing overtakes;
- only what is written to a full JID whose client has not shown itself yet may come before what waits for that (RFC 6121 8.5.3.1);
- a second copy under the same stanza-id is what the receiver had not yet acknowledged, as the server may know, on a stream
  that it did not resume; never on one stream (which a resumption continues);
- a second copy under another stanza-id is what the sender said again on a new stream, because it did not know whether it had
  arrived; what `<failed h/>` tells it did not have to be said again.

Whether an acknowledgement is known there: it went out before a message of ours which was acknowledged."""
import collections
import math
import os
import random
import select
import socket
import ssl
import threading
import time
import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

from lablib.process import Failed
from lablib.raw import SASL, SM, STREAM, C, Ended, Raw, condition, name_of
from lablib.web import Bosh, Web

BROKEN = (Failed, OSError, ValueError, ET.ParseError, EOFError)
LOST_BEFORE = 2.0  # seconds before the end of its time in which a stream is not counted on


def stoppable(base):
    """Its reader can be told to stop where it is, with the connection left as it is."""
    class Stoppable(base):
        def __init__(self, *args, **options):
            self.stopping = False
            self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            super().__init__(*args, **options)

        def stop(self):
            self.stopping = True
            os.eventfd_write(self.wake, 1)

        def _ready(self, wish, deadline):
            if self.sock.fileno() < 0 or self.stopping:
                raise Ended("stopped")
            reads = [self.sock, self.wake] if wish == "read" else [self.wake]
            ready = select.select(reads, [self.sock] if wish == "write" else [], [], deadline - time.monotonic())
            if self.wake in ready[0] or self.stopping:
                raise Ended("stopped")
            if not any(ready):
                raise Failed(f"nothing within {self.patience} s")

        def _take(self, deadline):
            if self.stopping:
                raise Ended("stopped")
            super()._take(deadline)

        def forget(self):
            """Whatever is left of it."""
            try:
                self.drop()
            except (*BROKEN, AttributeError):
                pass
            os.close(self.wake)

        def half_close(self):
            """We say no more; TLS ends without a word, too."""
            try:
                socket.socket.shutdown(self.sock.sock if isinstance(self, Web) else self.sock, socket.SHUT_WR)
            except (OSError, AttributeError):
                pass
    return Stoppable


class Tcp(stoppable(Raw)):
    def __init__(self, address, ca, patience, direct_for=None):
        super().__init__(address, ca, patience)
        if direct_for:
            self.domain = direct_for
            self.wrap()
        self.direct = bool(direct_for)

    def secure(self, domain):
        if not self.direct:
            return super().secure(domain)
        if self.open(domain) is None:
            raise Failed(f"no features: {condition(self.next())}")
        return self.features


WebSocket = stoppable(Web)


class Requests(Bosh):
    """BOSH as the others: it can be stopped already."""

    def forget(self):
        self.drop()

    def half_close(self):
        self.each_connection(lambda sock: socket.socket.shutdown(sock, socket.SHUT_WR))


# How a client reaches its server: name -> function of (community of the lab, ca, patience). Another transport is a line here.
TRANSPORTS = {
    "starttls": lambda c, ca, patience: Tcp(c["c2s"], ca, patience),
    "direct": lambda c, ca, patience: Tcp(c["c2s_tls"], ca, patience, direct_for=c["domain"]),
    "websocket": lambda c, ca, patience: WebSocket(f"wss://{c['websocket']}/xmpp-websocket", c["domain"], ca, patience),
    "bosh": lambda c, ca, patience: Requests(c["websocket"], c["domain"], ca, patience),
}
CUTS = {"rst": 4, "fin": 3, "half dead": 4, "closed": 1, "none": 1}  # and how often, to each other


class Session:
    """What of a stream outlives its connections."""

    def __init__(self, number):
        self.number = number
        self.token = None
        self.sent = []        # (ident or None, xml, our h as told before it)
        self.acked = 0        # of those
        self.handled = 0      # what we have had
        self.told = 0         # and have told
        self.confirmed = 0    # and the server knows for certain
        self.over = False     # it will not be resumed
        self.present = False  # our presence has come back to us: what waited for us comes first from now on
        self.cut_at = None
        self.life = 0         # of the server, when it was last connected


class Direction:
    """What one writes to the other."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver = sender, receiver
        self.said = 0                                     # newest number
        self.came = 0                                     # all up to this number came
        self.early = set()                                # these came, too
        self.to_full = set()                              # numbers that were written to a full JID
        self.again = collections.Counter()                # number -> how often it was said again in doubt
        self.copies = collections.defaultdict(list)       # number -> [(stanza-id, session, place on it)]

    def ident(self, number):
        return f"{self.sender.name}-{self.receiver.name}-{number}"


class World:
    def __init__(self, seed, patience, resume_seconds):
        self.seed, self.patience, self.resume_seconds = seed, patience, resume_seconds
        self.began = time.monotonic()
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.ending = threading.Event()   # no more chat, no more cuts
        self.over = threading.Event()
        self.failure = None
        self.talkers = {}
        self.directions = {}              # (sender's name, receiver's) -> Direction
        self.events = []                  # (time, who, what, ident or None)
        self.counts = collections.Counter()
        self.lives = collections.Counter()  # domain -> how often its server was started anew
        self.up = {}                      # domain -> Event: it runs

    def note(self, who, what, ident=None):
        self.events.append((time.monotonic() - self.began, who, what, ident))

    def fail(self, text, ident=None, *people):
        with self.changed:
            if not self.failure:
                self.failure = f"{text}\nseed {self.seed}" + self.history(ident, people)
                self.over.set()
                self.ending.set()
            self.changed.notify_all()

    def history(self, ident, people, most=160):
        events = list(self.events)
        mine = [e for e in events if ident and e[3] == ident]
        begin = mine[0][0] - 1 if mine else 0  # what else happened to these two from when it was first said
        around = [e for e in events if (e[1] in people or e[1] == "server") and e[0] >= begin and e[3] is None]
        chosen = sorted(mine + around[-most:], key=lambda e: e[0])
        return "".join(f"\n{t:9.3f} {who:10} {what}{' ' + i if i else ''}" for t, who, what, i in chosen)

    def pair(self, one, other):
        for a, b in ((one, other), (other, one)):
            self.directions[a.name, b.name] = a.towards = Direction(a, b)

    # ---- what the clients tell

    def came(self, who, ident, stanza_id, session, place):
        sender, receiver, number = ident.split("-")
        number = int(number)
        with self.changed:
            d = self.directions[sender, receiver]
            before = d.copies[number]
            wrong, about = None, ident
            if receiver != who.name:
                wrong = f"{ident} came to {who.name}"
            elif not before and number != d.came + 1 and (session.present or number not in d.to_full):
                wrong, about = f"{ident} came, but {d.ident(d.came + 1)} was next: lost or out of order", d.ident(d.came + 1)
            elif before:
                wrong = self.is_wrong_copy(d, number, before, stanza_id, session)
            self.note(who.name, f"got as {place} of session {session.number}, stanza-id {stanza_id}", ident)
            before.append((stanza_id, session, place))
            if before[1:]:
                self.counts["again"] += 1
            else:
                d.early.add(number)
                self.counts["came"] += 1
                while d.came + 1 in d.early:
                    d.came += 1
                    d.early.remove(d.came)
            self.changed.notify_all()
            if wrong:
                self.note(who.name, f"WRONG: {wrong}", ident)
                self.fail(wrong, about, sender, receiver)

    @staticmethod
    def is_wrong_copy(d, number, before, stanza_id, session):
        ident = d.ident(number)
        same = [c for c in before if c[0] == stanza_id]
        if not same:
            kinds = {c[0] for c in before} | {stanza_id}
            if len(kinds) > 1 + d.again[number]:
                return f"{ident} came under {len(kinds)} stanza-ids, but was said again in doubt {d.again[number]} times"
            return None
        for _, earlier, place in same:
            if earlier is session:
                return f"{ident} came twice on one stream, session {session.number}"
            if not earlier.over:
                return f"{ident} came on session {session.number}, and session {earlier.number}, which had it, is not over"
            if place <= earlier.confirmed:
                return (f"{ident} came again on session {session.number}; session {earlier.number} had it as {place}, and had "
                        f"acknowledged {earlier.confirmed} to the server's knowledge")
        return None

    def wait(self, test, what):
        with self.changed:
            if not self.changed.wait_for(lambda: self.failure or test(), timeout=self.patience):
                self.fail(f"{what()} within {self.patience} s", *self.first_missing())
            if self.failure:
                raise Failed(self.failure)

    def first_missing(self):
        for d in self.directions.values():
            if d.came < d.said:
                return d.ident(d.came + 1), d.sender.name, d.receiver.name
        return (None,)


class Talker(threading.Thread):
    def __init__(self, world, community, account, ca, seed, transports=None, fixed_resource=False):
        super().__init__(daemon=True, name=account["jid"])
        self.world, self.community, self.ca = world, community, ca
        self.jid, self.password = account["jid"], account["password"]
        self.name = self.jid.split("@")[0]
        self.domain = self.jid.split("@")[1]
        self.random = random.Random(f"{seed}:{self.jid}")
        self.transports = transports or list(TRANSPORTS)
        self.resource = "stays" if fixed_resource else None  # a new stream takes the same resource, or another one
        self.towards = None     # Direction, by World.pair
        self.full_jid = None
        self.session = None
        self.sessions = 0
        self.link = None
        self.reader = None
        self.link_over = None   # why there is no connection
        self.zombies = []
        self.owed = []          # (ident, xml) that a stream which is over left: to be said again
        self.settled = threading.Event()
        world.talkers[self.name] = self

    @property
    def other(self):
        return self.towards.receiver

    def note(self, what, ident=None):
        self.world.note(self.name, what, ident)

    # ---- connecting

    def connect(self, resume=True):
        """Resumed, or anew; raises what is in BROKEN if the connection breaks on the way."""
        kind = self.random.choice(self.transports)
        life = self.world.lives[self.domain]
        link = TRANSPORTS[kind](self.community, self.ca, self.world.patience)
        try:
            link.secure(self.domain)
            answer = link.auth_scram(self.name, self.password)
            if answer.tag != SASL + "success":
                raise Failed(f"{self.jid} cannot log in: {condition(answer)}")
            link.open(self.domain)
            if self.session and not (resume and self.resume(link, kind)):
                self.give_up()
            if not self.session:
                self.begin(link, kind)
        except BaseException:
            link.forget()
            raise
        self.session.life = life
        self.world.counts[kind] += 1
        self.link, self.link_over = link, None
        self.reader = threading.Thread(target=self.read, args=(link, self.session), daemon=True)
        self.reader.start()
        self.say_what_is_owed()

    def resume(self, link, kind):
        s = self.session
        h = s.handled
        self.note(f"resumes session {s.number} by {kind}, h {h}")
        link.send(f"<resume xmlns='urn:xmpp:sm:3' previd={quoteattr(s.token)} h='{h}'/>")
        answer = link.next()
        if answer.tag == STREAM + "error" and condition(answer) == "system-shutdown":
            raise Ended("the server is being stopped")
        count = answer.get("h")
        if answer.tag == SM + "resumed":
            self.note(f"resumed, their h {count}")
            self.world.counts["resumed"] += 1
            s.told = h
            self.take_ack(int(count), "<resumed/>")
            self.owed = [(ident, xml) for ident, xml, _ in s.sent[s.acked:]]
            del s.sent[s.acked:]
            return True
        self.note(f"not resumed: {condition(answer)}, their h {count}")
        self.world.counts["refused"] += 1
        if answer.tag != SM + "failed" or condition(answer) != "item-not-found":
            self.world.fail(f"{self.jid}: <resume/> was answered by {ET.tostring(answer)}", None, self.name)
        waited = time.monotonic() - s.cut_at
        if s.life == self.world.lives[self.domain] and waited < self.world.resume_seconds - LOST_BEFORE:
            self.world.fail(f"{self.jid}: not resumed after {waited:.1f} s, though its server ran all the time", None, self.name)
        if count is not None:  # then all behind it has not arrived, and will not
            self.take_ack(int(count), "<failed/>")
            self.owed = [(ident, xml) for ident, xml, _ in s.sent[s.acked:]]
            s.sent.clear()
        return False

    def take_ack(self, h, where):
        s = self.session
        with self.world.changed:
            if not s.acked <= h <= len(s.sent):
                self.world.fail(f"{self.jid}: {where} says h {h}; {s.acked} was told before, {len(s.sent)} were sent on session "
                                f"{s.number}", None, self.name)
                return
            for ident, _, told in s.sent[s.acked:h]:
                if ident:
                    self.note("acknowledged", ident)
                    s.confirmed = max(s.confirmed, told)
                    self.world.counts["acked"] += 1
            s.acked = h
            for i in range(max(0, h - 1000), h):
                s.sent[i] = (s.sent[i][0], None, s.sent[i][2])
            self.world.changed.notify_all()

    def give_up(self):
        """The stream is over; what it has not acknowledged is in doubt, unless `owed` has it already."""
        s = self.session
        with self.world.changed:
            s.over = True
            for ident, xml, _ in s.sent[s.acked:]:
                self.owed.append((ident, xml))
                if ident:
                    self.note("in doubt", ident)
                    self.towards.again[int(ident.rpartition("-")[2])] += 1
            self.owed = [(ident, xml) for ident, xml in self.owed if ident]  # a new stream begins with presence of its own
            self.session = None
        self.world.counts["anew"] += 1

    def begin(self, link, kind):
        self.full_jid = link.bind(self.resource)
        self.sessions += 1
        s = Session(f"{self.name}.{self.sessions}")
        link.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        try:
            while (answer := link.next()).tag == C + "message":  # to its full JID: there, and outside of what is counted
                self.take_message(s, answer, math.inf)
            if answer.tag != SM + "enabled":
                raise Failed(f"{self.jid}: stream management was refused: {ET.tostring(answer)}")
        except BROKEN:
            s.over = True
            raise
        s.token = answer.get("id")
        self.session = s
        self.note(f"begins session {s.number} by {kind}, {self.full_jid}")
        self.owed.insert(0, (None, "<presence/>"))

    def say_what_is_owed(self):
        while self.owed:
            ident, xml = self.owed[0]
            with self.world.changed:  # from here the session has it
                self.owed.pop(0)
                self.session.sent.append((ident, xml, self.session.told))
            self.push(xml, ident)
        self.ask()

    def push(self, xml, ident=None):
        if ident:
            self.note(f"sends as {len(self.session.sent)} of session {self.session.number}", ident)
        if self.link_over is None:
            try:
                self.link.send(xml)
            except BROKEN as e:
                self.broke(e)

    def broke(self, why):
        with self.world.changed:
            self.link_over = self.link_over or str(why) or "broken"
            self.world.changed.notify_all()

    # ---- while connected

    def read(self, link, session):
        try:
            while True:
                self.take(link, session, link.next())
        except BROKEN as e:
            if link is self.link or self.link is None:
                self.broke(e)

    def take(self, link, s, element):
        if element.tag == SM + "a":
            self.take_ack(int(element.get("h")), "<a/>")
        elif element.tag == SM + "r":
            link.send_soon(lambda: self.answer(s))
        elif name_of(element) in ("message", "presence", "iq"):
            s.handled += 1
            if name_of(element) == "message":
                self.take_message(s, element, s.handled)
            elif name_of(element) == "presence":
                s.present = s.present or (element.get("from") == self.full_jid and element.get("type") is None)
            elif element.get("type") == "get":
                ident, sender = element.get("id"), element.get("from")
                self.note(f"is asked for {element[0].tag} by {sender}, {ident}")
        elif name_of(element) == "error":
            self.note(f"stream error {condition(element)}: {''.join(element.itertext())}")
            if condition(element) not in ("system-shutdown", "conflict"):
                self.world.fail(f"{self.jid}: stream error {ET.tostring(element)}", None, self.name)

    def take_message(self, s, m, place):
        ident = m.get("id") or ""
        if m.get("type") == "error" and ident.count("-") == 2:
            self.world.fail(f"{ident} was refused: {condition(m)}", ident, self.name)
        elif m.find(C + "body") is not None and ident.count("-") == 2:
            stanza_id = m.find("{urn:xmpp:sid:0}stanza-id")
            self.world.came(self, ident, stanza_id.get("id") if stanza_id is not None else None, s, place)

    @staticmethod
    def answer(s):
        s.told = s.handled
        return f"<a xmlns='urn:xmpp:sm:3' h='{s.told}'/>"

    def ask(self):
        self.push("<r xmlns='urn:xmpp:sm:3'/>")

    def write(self):
        d = self.towards
        with self.world.changed:
            d.said += 1
            number = d.said
            ident = d.ident(number)
            to = self.other.jid
            if self.other.resource and self.random.random() < 0.5:
                to += "/" + self.other.resource
                d.to_full.add(number)
            xml = (f"<message to={quoteattr(to)} type='chat' id='{ident}'><body>{ident}</body>"
                   f"<origin-id xmlns='urn:xmpp:sid:0' id='{ident}'/></message>")
            self.session.sent.append((ident, xml, self.session.told))
            self.world.counts["said"] += 1
        self.push(xml, ident)

    def small_talk(self):
        """What is counted, and may be lost."""
        xml = self.random.choice((
            f"<message to='{self.other.jid}' type='chat' id='typing'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
            "<presence><show>away</show></presence>", "<presence/>",
            "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>",
            "<inactive xmlns='urn:xmpp:csi:0'/>", "<active xmlns='urn:xmpp:csi:0'/>"))
        if "csi" not in xml:
            with self.world.changed:
                self.session.sent.append((None, xml, self.session.told))
        self.push(xml)

    def has_room(self):
        return len(self.session.sent) - self.session.acked < 150

    def chat(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.link_over is None and not self.world.ending.is_set():
            for _ in range(self.random.choice((1, 1, 2, 3, 8, 25))):
                if self.has_room():
                    self.write()
                if self.random.random() < 0.2:
                    self.small_talk()
                if self.random.random() < 0.3:
                    self.ask()
            self.ask()
            with self.world.changed:
                self.world.changed.wait_for(lambda: self.link_over or self.world.ending.is_set(), timeout=self.random.expovariate(2))

    # ---- the end of a connection

    def part(self):
        """Cut in one of several ways; the reader has stopped when this returns."""
        how = self.random.choices(list(CUTS), CUTS.values())[0] if self.link_over is None else "broken"
        if how == "none":
            return
        link, self.link = self.link, None
        if how == "closed":
            self.close(link)
        else:
            link.stop()
        self.reader.join()
        if self.session:
            self.session.cut_at = time.monotonic()
        self.note(f"cut: {how}" + (f" ({self.link_over})" if how == "broken" else ""))
        self.world.counts[how] += 1
        if how == "half dead":
            self.zombies.append(link)
        elif how == "fin":
            link.half_close()
            self.zombies.append(link)
        else:
            link.forget()
        self.link_over = "cut"
        while len(self.zombies) > self.random.randrange(4):
            self.zombies.pop(0).forget()

    def close(self, link):
        """Properly: the stream is over, and what it had not acknowledged is in doubt."""
        try:
            link.send(lambda: self.answer(self.session))
            link.say_end()
        except BROKEN as e:
            self.broke(e)
        with self.world.changed:
            self.world.changed.wait_for(lambda: self.link_over, timeout=10)
        link.stop()
        self.reader.join()
        self.give_up()

    def pause(self):
        long = self.random.random() < 0.07
        self.world.ending.wait(self.world.resume_seconds + self.random.uniform(-1, 3) if long else self.random.choice((0, 0, 0.05, 0.5, 2)))

    def connect_somehow(self, resume=True):
        while not self.world.over.is_set():
            self.world.up[self.domain].wait(1)
            try:
                self.connect(resume)
                return
            except BROKEN as e:
                self.note(f"not connected: {e}")
                self.world.counts["no connection"] += 1
                self.world.over.wait(0.2)  # it is being stopped, or started

    def run(self):
        try:
            while not self.world.ending.is_set():
                if self.link is None:
                    self.connect_somehow(resume=self.random.random() > 0.1)
                self.chat(self.random.choice((0, 0.3, 1, 3, 10)))
                self.part()
                self.pause()
            self.finish()
        except BaseException as e:  # a fault of the test is one, too
            import traceback
            self.world.fail(f"{self.jid}: {''.join(traceback.format_exception(e))}", None, self.name)

    def finish(self):
        """Connected until all that it said is acknowledged."""
        while not self.world.over.is_set():
            if self.link is None or self.link_over is not None:
                if self.link is not None:
                    self.part()
                self.connect_somehow()
            self.push("<active xmlns='urn:xmpp:csi:0'/>")
            self.ask()
            with self.world.changed:
                self.world.changed.wait_for(lambda: self.link_over or self.session.acked == len(self.session.sent) or self.world.over.is_set())
            if self.link_over is None:
                self.settled.set()
                with self.world.changed:
                    self.world.changed.notify_all()
                self.world.over.wait()
        if self.link:
            self.link.stop()
            self.reader.join()
            self.link.forget()
        for z in self.zombies:
            z.forget()
        self.zombies.clear()
