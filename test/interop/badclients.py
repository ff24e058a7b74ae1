#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What no honest client, server or provider sends, over real sockets: each gets a named error and leaves a line in
the log, and a witness is served as before."""
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.process import Failed  # noqa: E402
from lablib.raw import SASL, STREAM, Ended, b64, condition, ended_by, name_of  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402

OURS, AWAY = "montague.example", "capulet.example"
ROMEO, BENVOLIO = f"romeo@{OURS}", f"benvolio@{OURS}"
NUMBER = "+447700900123"
OPEN = (f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
        f"to='{OURS}' version='1.0'>")
SERVER = OPEN.replace("jabber:client", "jabber:server").replace(" to=", f" xmlns:db='jabber:server:dialback' from='{AWAY}' to=")
BOMB = ("<?xml version='1.0'?><!DOCTYPE b [<!ENTITY a '1234567890'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
        "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><stream:stream xmlns='jabber:client' "
        f"xmlns:stream='http://etherx.jabber.org/streams' to='{OURS}' version='1.0'>&c;")
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(200)

# bytes sent on a new connection to the port for clients, the stream error that answers them, what the row proves
BEFORE_LOGIN = [
    (BOMB, "restricted-xml", "entities are never declared"),
    (OPEN + "<!-- a remark -->", "restricted-xml", "no comments"),
    (OPEN + "<?php print 1 ?>", "restricted-xml", "no processing instructions"),
    (OPEN + "<iq>&nbsp;</iq>", "restricted-xml|not-well-formed", "no entities but the five"),
    (OPEN + "<a><b></a>", "not-well-formed", "tags must match"),
    (OPEN + "<iq id='1' id='2'/>", "not-well-formed", "an attribute twice"),
    (OPEN + "<x:iq/>", "not-well-formed", "a prefix that nobody declared"),
    (OPEN.encode() + b"<iq id='\xff\xfe'/>", "not-well-formed", "bytes that are no UTF-8"),
    (OPEN + "<iq id='&#0;'/>", "not-well-formed", "a character that XML forbids"),
    ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not-well-formed", "another protocol"),
    (TLS_HELLO, "not-well-formed", "TLS where STARTTLS is expected"),
    (os.urandom(64).replace(b"<", b"x") + b"\0\n", "not-well-formed", "garbage"),
    (OPEN.replace("UTF-8", "").replace("<?xml version='1.0'?>", "<?xml version='1.0' encoding='UTF-16'?>"),
     "unsupported-encoding|not-well-formed", "another encoding"),
    (OPEN.replace("etherx.jabber.org/streams", "example.org/streams"), "invalid-namespace", "a foreign stream namespace"),
    (OPEN.replace("jabber:client", "jabber:wrong"), "invalid-namespace", "a foreign content namespace"),
    (OPEN.replace("jabber:client", "jabber:server"), "invalid-namespace", "a server at the clients' door"),
    ("<flood xmlns='jabber:client'>", "bad-format|invalid-namespace|not-well-formed", "a root that is no stream"),
    (OPEN.replace(OURS, "verona.example"), "host-unknown", "a domain that is not ours"),
    (OPEN.replace(f"to='{OURS}'", "to='..'"), "host-unknown|improper-addressing", "a domain that is none"),
    (OPEN + f"<message to='{ROMEO}'><body>hi</body></message>", "not-authorized", "a stanza before login"),
    (OPEN + "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "not-authorized", "binding before login"),
    (OPEN + "<message><body>" + "x" * 20000, "policy-violation", "more bytes than a stranger may send"),
    (OPEN + "<iq " + " ".join(f"a{n}=''" for n in range(100)) + "/>", "policy-violation", "too many attributes"),
    (OPEN + "<iq>" + "<a>" * 50, "policy-violation", "too deep"),
    (OPEN + "<starttls xmlns='urn:wrong'/>", "unsupported-stanza-type|invalid-namespace|not-authorized", "an element that nobody knows"),
]

AT_THE_SERVERS_DOOR = [
    (BOMB.replace("jabber:client", "jabber:server"), "restricted-xml", "entities are never declared"),
    (SERVER.replace("jabber:server'", "jabber:client'", 1), "invalid-namespace", "a client at the servers' door"),
    (SERVER.replace(f"to='{OURS}'", "to='verona.example'"), "host-unknown", "a domain that is not ours"),
    (SERVER + f"<message from='x@{AWAY}' to='{ROMEO}'><body>hi</body></message>", "not-authorized", "a stanza before dialback"),
    (SERVER + "<a></b>", "not-well-formed", "tags must match"),
    (SERVER + "<message><body>" + "x" * 20000, "policy-violation", "more bytes than a stranger may send"),
]

# elements sent inside TLS instead of an honest <auth/>; the SASL failure
AT_LOGIN = [
    ("<auth xmlns='{sasl}' mechanism='PLAIN'>*not base64*</auth>", "incorrect-encoding", "bad base64"),
    ("<auth xmlns='{sasl}' mechanism='PLAIN'>AGE=A</auth>", "incorrect-encoding", "padding in the middle"),
    ("<auth xmlns='{sasl}' mechanism='DIGEST-MD5'/>", "invalid-mechanism", "a mechanism that is not offered"),
    ("<auth xmlns='{sasl}' mechanism='PLAIN'>" + b64("no nul here") + "</auth>", "malformed-request", "PLAIN without its parts"),
    ("<auth xmlns='{sasl}' mechanism='SCRAM-SHA-256'>" + b64("n,,r=only-a-nonce") + "</auth>", "malformed-request", "SCRAM without a name"),
    ("<auth xmlns='{sasl}' mechanism='PLAIN'>" + b64("\0romeo\0wrong") + "</auth>", "not-authorized", "a wrong password"),
    ("<auth xmlns='{sasl}' mechanism='PLAIN'>" + b64("\0nobody\0wrong") + "</auth>", "not-authorized", "an account that is not there"),
    ("<auth xmlns='{sasl}' mechanism='PLAIN'>" + b64(f"{BENVOLIO}\0romeo\0x") + "</auth>", "not-authorized|invalid-authzid",
     "acting for another"),
]

# sent by romeo when he is logged in; the stream error
LOGGED_IN = [
    (f"<message from='{BENVOLIO}' to='{BENVOLIO}'><body>forged</body></message>", "invalid-from", "another's name"),
    (f"<message from='x@{AWAY}' to='{BENVOLIO}'><body>forged</body></message>", "invalid-from", "a foreign name"),
    (f"<presence from='{ROMEO}/not-this-one'/>", "invalid-from", "another resource of his own"),
    ("<message><body>" + "x" * 300000 + "</body></message>", "policy-violation", "an oversized stanza"),
    ("<message><body>" + "x" * 300000, "policy-violation", "an oversized stanza that never ends"),
    ("<message>" + "<a>" * 100, "policy-violation", "too deep"),
    ("<message>" + "<a/>" * 5000, "policy-violation", "too many children"),
    ("<message to='x'><body></message>", "not-well-formed", "tags must match"),
    ("<message xmlns='jabber:server'/>", "invalid-namespace|unsupported-stanza-type", "a stanza of the other namespace"),
    ("<lament xmlns='jabber:client'/>", "unsupported-stanza-type", "no stanza at all"),
    ("<!DOCTYPE x>", "restricted-xml|not-well-formed", "a document type inside the stream"),
    ("</stream:stream><message/>", None, "after the end nothing is read"),
]

# sent by romeo when he is logged in; the stanza error, and he goes on
STANZAS = [
    ("<iq type='get' id='{id}'/>", "bad-request", "an iq without payload"),
    ("<iq type='get' id='{id}'><a xmlns='x'/><b xmlns='x'/></iq>", "bad-request", "an iq with two"),
    ("<iq type='wrong' id='{id}'><a xmlns='x'/></iq>", "bad-request", "a type that there is not"),
    ("<iq type='get' id='{id}' to='@@@'><a xmlns='x'/></iq>", "jid-malformed", "an address that is none"),
    ("<iq type='get' id='{id}'><a xmlns='urn:example:nobody-knows'/></iq>", "service-unavailable|feature-not-implemented",
     "a request that nobody knows"),
    ("<message type='chat' id='{id}' to='nobody@montague.example'><body>x</body></message>", "service-unavailable|item-not-found",
     "a neighbour that is not there"),
    ("<iq type='set' id='{id}'><query xmlns='jabber:iq:roster'><item/></query></iq>", "bad-request|jid-malformed", "a roster item of nobody"),
    ("<iq type='set' id='{id}'><query xmlns='jabber:iq:roster'><item jid='x@y'>" +
     "".join(f"<group>{n}{'g' * 1000}</group>" for n in range(30)) + "</item></query></iq>", "not-acceptable",
     "a roster item of 30 KB: five thousand of them would be loaded with the account"),
    ("<iq type='set' id='{id}' to='benvolio@montague.example'><query xmlns='jabber:iq:roster'><item jid='x@y'/></query></iq>",
     "forbidden|service-unavailable|not-allowed", "another's roster"),
    ("<iq type='set' id='{id}' to='benvolio@montague.example'><query xmlns='urn:xmpp:mam:2'/></iq>",
     "forbidden|service-unavailable|not-allowed", "another's archive"),
    ("<iq type='set' id='{id}'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><after>no such</after></set>"
     "</query></iq>", "item-not-found", "a place that is not in the archive"),
]


class Watch:
    """A witness who is logged in all the while, and the log."""

    def __init__(self, t, domain=OURS):
        self.t, self.domain = t, domain
        self.witness = t.strophe(f"benvolio@{domain}")
        self.log = t.lab.community(domain)["log"]
        self.mark()

    def mark(self):
        self.size = os.path.getsize(self.log)

    def new_lines(self):
        with open(self.log, errors="replace") as log:
            log.seek(self.size)
            return log.read()

    def logged(self, what, row):
        names = what.split("|") if what else []
        if names:
            wait_for(lambda: any(n in self.new_lines() for n in names), f"{row}: a log line with {what}, only:\n{self.new_lines()}\n")

    def served(self, row):
        self.witness.settle()
        forged = [s for s in self.witness.seen if s.tag == C + "message"]
        hold(not forged, f"{row}: the witness got a message")
        self.witness.seen.clear()


def push(raw, data):
    """Sends although the peer may already have closed its ears."""
    try:
        raw.send(data)
    except OSError:
        pass


def refused_by_stream(t, watch, open_raw, rows):
    wrong = []
    for data, expected, proves in rows:
        watch.mark()
        raw = open_raw()
        try:
            push(raw, data)
            got = ended_by(raw)
            raw.sock.close()
            hold((got in expected.split("|")) if expected else got is None, f"{got} instead of {expected}")
            watch.logged(expected, proves)
        except (Failed, OSError) as e:
            wrong.append(f"{proves}: {e}")
        finally:
            raw.sock.close()
        watch.served(proves)
    hold(not wrong, f"{len(wrong)} of {len(rows)}:\n" + "\n".join(wrong))


def before_login(t):
    """a client that has not logged in: XML bombs, other protocols, early stanzas, wrong namespaces"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]})
    refused_by_stream(t, Watch(t), lambda: t.raw(OURS), BEFORE_LOGIN)


def servers_door(t):
    """the port for servers: the same, before dialback and TLS"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]})
    refused_by_stream(t, Watch(t), lambda: t.raw(OURS, "s2s"), AT_THE_SERVERS_DOOR)


def at_login(t):
    """SASL: bad base64, wrong proofs, unknown names; too many tries; then the right password still works"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]})
    watch = Watch(t)
    password = t.lab.account("romeo", OURS)["password"]
    wrong = []
    for xml, expected, proves in AT_LOGIN:
        watch.mark()
        raw = t.raw(OURS)
        raw.secure(OURS)
        raw.send(xml.replace("{sasl}", SASL[1:-1]))
        answer = raw.next()
        if answer.tag != SASL + "failure" or condition(answer) not in expected.split("|"):
            wrong.append(f"{proves}: {name_of(answer)} {condition(answer)} instead of {expected}")
        watch.logged(expected, proves)
        raw.sock.close()
        watch.served(proves)
    hold(not wrong, "\n".join(wrong))
    for m, mechanism in enumerate(("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")):
        for n, (user, secret, spoil) in enumerate((("romeo", password, True), ("romeo", password + "x", False), ("nobody", "x", False))):
            raw = t.raw(OURS, source=f"127.0.{10 + 4 * m + n}.1")  # of a network each: guessers wait
            raw.secure(OURS)
            answer = raw.auth_scram(user, secret, mechanism, spoil)
            hold(answer.tag == SASL + "failure" and condition(answer) == "not-authorized",
                 f"{mechanism} for {user}: {name_of(answer)} {condition(answer)}")
            raw.sock.close()
    raw = t.raw(OURS)
    raw.open(OURS)
    answer = raw.auth_plain("romeo", password)
    hold(condition(answer) in ("encryption-required", "invalid-mechanism", "not-authorized"), f"PLAIN without TLS: {condition(answer)}")
    raw.sock.close()
    raw = t.raw(OURS, source="127.0.30.1")
    raw.secure(OURS)
    try:
        for tries in range(50):
            answer = raw.auth_plain("romeo", "wrong")
            if answer.tag == STREAM + "error":
                break
        hold(answer.tag == STREAM + "error", "fifty wrong passwords on one stream are answered patiently")
    except Ended:
        pass
    t.raw(OURS).log_in(ROMEO, password).close()
    watch.served("the end")


def guessing(t):
    """whoever reconnects and guesses on waits, also when the guess was right; the owner at another network does not"""
    t.make_lab([OURS], {OURS: ["romeo"]})
    password = t.lab.account("romeo", OURS)["password"]

    def guess(secret):
        raw = t.raw(OURS, source="127.0.30.1")
        raw.secure(OURS)
        raw.send(f"<auth xmlns='{SASL[1:-1]}' mechanism='PLAIN'>" + b64("\0romeo\0" + secret) + "</auth>")
        return raw

    for n in range(4):
        hold(condition(guess(f"wrong{n}").next()) == "not-authorized", f"guess {n}")
    # One after the other: passwords are looked at on a pool of threads, in any order, and a right one clears the account.
    for secret, name, seconds in (("wrong", "failure", 4), (password, "success", 8)):
        owner = t.raw(OURS, source="127.0.31.1")
        owner.secure(OURS)
        began = time.monotonic()
        raw = guess(secret)
        hold(name_of(owner.auth_plain("romeo", password)) == "success", "the owner waits, at another network")
        hold(not raw.ready and not select.select([raw.sock], [], [], 0)[0], f"{name} was told before the owner had logged in elsewhere")
        hold(name_of(raw.next()) == name, f"{name} is told in the end")
        waited = time.monotonic() - began  # each minute forgives one, which halves it
        hold(waited > seconds / 4, f"{name} was told after {waited:.1f} s")
        owner.open(OURS)
    raw.open(OURS)


def logged_in(t):
    """a client that is logged in: forged senders, oversized and malformed stanzas"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]})
    password = t.lab.account("romeo", OURS)["password"]
    refused_by_stream(t, Watch(t), lambda: t.raw(OURS).log_in(ROMEO, password), LOGGED_IN)


def stanzas(t):
    """what is wrong with one stanza is refused by a stanza error; the stream goes on"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]})
    watch = Watch(t)
    raw = t.raw(OURS).log_in(ROMEO, t.lab.account("romeo", OURS)["password"])
    wrong = []
    for xml, expected, proves in STANZAS:
        ident = token()
        raw.send(xml.replace("{id}", ident))
        answer = raw.next()
        if answer.get("type") != "error" or answer.get("id") != ident or condition(answer) not in expected.split("|"):
            wrong.append(f"{proves}: {name_of(answer)} {answer.get('type')} {condition(answer)} instead of {expected}")
        if raw.iq("get", "<ping xmlns='urn:xmpp:ping'/>").get("type") != "result":
            wrong.append(f"{proves}: no pong afterwards")
        watch.served(proves)
    hold(not wrong, "\n".join(wrong))


def stream_management(t):
    """stream management: an acknowledgement of what was never sent, twice <enable/>, resuming what is not there"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]})
    watch = Watch(t)
    password = t.lab.account("romeo", OURS)["password"]
    raw = t.raw(OURS)
    raw.secure(OURS)
    raw.auth_plain("romeo", password)
    raw.open(OURS)
    raw.send("<resume xmlns='urn:xmpp:sm:3' previd='no-such-stream' h='0'/>")
    answer = raw.next()
    hold(name_of(answer) == "failed" and condition(answer) == "item-not-found", f"resuming nothing: {name_of(answer)} {condition(answer)}")
    raw.bind()
    for expected in ("enabled", "failed"):
        raw.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        hold(name_of(raw.next()) == expected, f"not {expected}")
    raw.send("<a xmlns='urn:xmpp:sm:3' h='1000000'/>")
    hold(ended_by(raw) == "undefined-condition", "an impossible acknowledgement is taken")
    watch.logged("undefined-condition", "an impossible acknowledgement")
    watch.served("stream management")


def slow(t):
    """peers that do not get on: a header that never ends, silence after it, half a stanza; all are ended by name"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]}, options="login_seconds = 5")
    watch = Watch(t)
    began = time.monotonic()
    rows = {"silence": "", "half a header": OPEN[:60], "a header and silence": OPEN, "half an element": OPEN + "<starttls"}
    raws = {}
    for name, data in rows.items():
        raws[name] = t.raw(OURS)
        raws[name].send(data)
    watch.served("while they wait")
    for name, raw in raws.items():
        got = ended_by(raw)
        hold(got in ("connection-timeout", "policy-violation"), f"{name}: {got}")
    hold(time.monotonic() - began < 55, "it took longer than the limit allows")
    watch.logged("connection-timeout", "slow peers")
    watch.served("the end")


def dialback(t):
    """the servers' door after STARTTLS: unsolicited and forged dialback, a key that nobody vouches for"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]}, remotes={AWAY: 99})
    watch = Watch(t)

    def server():
        raw = t.raw(OURS, "s2s")
        features = raw.open(OURS, "jabber:server", f"xmlns:db='jabber:server:dialback' from='{AWAY}'")
        hold(features is not None, f"no features: {condition(raw.next()) if features is None else ''}")
        raw.starttls()
        raw.open(OURS, "jabber:server", f"xmlns:db='jabber:server:dialback' from='{AWAY}'")
        return raw
    raw = server()
    watch.mark()
    raw.send(f"<db:result from='{AWAY}' to='{OURS}' type='valid'/>")
    push(raw, f"<message from='x@{AWAY}' to='{BENVOLIO}'><body>forged</body></message>")
    got = ended_by(raw)
    hold(got is not None, "an unsolicited result lets stanzas in")
    hold(watch.new_lines(), "no log line of an unsolicited result")
    watch.served("an unsolicited result")
    raw = server()
    raw.send(f"<db:verify from='{AWAY}' to='{OURS}' id='some-stream'>0000000000000000</db:verify>")
    answer = raw.next()
    hold(name_of(answer) == "verify" and answer.get("type") == "invalid", f"a key that is not ours: {answer.attrib}")
    raw.sock.close()
    raw = server()
    raw.send(f"<db:result from='{AWAY}' to='{OURS}'>0123456789abcdef</db:result>")  # nobody answers at 99
    answer = raw.next()
    hold(name_of(answer) in ("result", "error") and answer.get("type") != "valid", f"a key without a voucher: {answer.attrib}")
    push(raw, f"<message from='x@{AWAY}' to='{BENVOLIO}'><body>forged</body></message>")
    ended_by(raw)
    watch.served("dialback")


def http(t, address, data):
    """(status, body) of raw bytes sent to an HTTP port; status None: the connection was closed without a word."""
    with socket.create_connection(address.rsplit(":", 1), timeout=suite.PATIENCE) as s:
        try:
            s.sendall(data if isinstance(data, bytes) else data.encode())
        except OSError:
            pass
        answer = b""
        try:
            while chunk := s.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    return (int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None), answer


def webhooks(t):
    """the HTTP port: wrong signatures, unknown addresses, broken requests; nothing of it reaches anybody"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]})
    watch = Watch(t)
    address = t.lab.community(OURS)["http"]
    watch.mark()
    status, _ = t.lab.text_from(OURS, NUMBER, "forged", wrong_signature=True)
    hold(status in (401, 403), f"a wrong signature was answered {status}")
    wait_for(lambda: "signature" in watch.new_lines(), "a log line about the signature")
    status, _ = t.lab.text_from(OURS, NUMBER, "nobody knows this number")
    hold(status // 100 == 2, f"an honest text of an unknown number was answered {status}")
    post = "POST /hook/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    rows = [
        ("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (404,), "an address that is not there"),
        (post + "Content-Length: 2\r\n\r\nhi", (401, 403, 404), "a webhook that nobody made"),
        ("nonsense\r\n\r\n", (400,), "no HTTP"),
        (os.urandom(300).replace(b"\n", b"x") + b"\r\n\r\n", (400,), "garbage"),
        (post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,), "two lengths"),
        (post + "Content-Length: -1\r\n\r\n", (400,), "a negative length"),
        (post + "Content-Length: 99999999999\r\n\r\n", (413, 400), "an endless body"),
        ("GET /" + "x" * 100000 + " HTTP/1.1\r\n\r\n", (400, 414, 431), "an endless address"),
        ("GET / HTTP/1.1\r\nHost: x\r\n" + "X-A: b\r\n" * 5000 + "\r\n", (400, 431), "endless headers"),
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", (400,), "a space before the colon"),
        (TLS_HELLO + b"\r\n\r\n", (400,), "TLS where it is plain"),
    ]
    wrong = []
    for data, expected, proves in rows:
        status, answer = http(t, address, data)
        if status not in expected:
            wrong.append(f"{proves}: {status} instead of {expected}: {answer[:80]}")
        watch.served(proves)
    with socket.create_connection(address.rsplit(":", 1), timeout=suite.PATIENCE) as s:  # a header that never ends
        s.sendall(b"POST /hook/x HTTP/1.1\r\nHost: x\r\n")
        try:
            answer = s.recv(1000)
        except TimeoutError:
            wrong.append("a header that never ends is waited for without end")
        else:
            if answer and b" 408 " not in answer.split(b"\r\n")[0]:
                wrong.append(f"a header that never ends: {answer[:60]}")
    hold(not wrong, "\n".join(wrong))
    watch.served("the end")


def provider_answers(t):
    """a provider that answers what is not JSON, nothing at all, or a reset: named, logged, no text sent twice"""
    t.make_lab([OURS], {OURS: ["benvolio"] + [f"owner{n}" for n in range(5)]})
    watch = Watch(t)
    log = t.lab.state["provider_log"]
    rows = [("201 <html>Welcome to the hotel</html>", "in doubt", "a portal's page with the right status"),
            ("200 <html>Welcome to the hotel</html>", "due", "a portal's page"),
            ('201 {"sid": ', "in doubt", "half an answer"),
            ("404 not json", "due", "an error that is not JSON"),
            ("201 " + '{"a":' * 5000, "in doubt", "deep nonsense")]  # an hour bears five codes for numbers that begin alike
    for n, (body, state, proves) in enumerate(rows):
        with open(log + ".fail.part", "w") as out:
            out.write(body)
        os.replace(log + ".fail.part", log + ".fail")
        watch.mark()
        number = f"+44770090{1000 + n * 1111}"
        owner = t.strophe(f"owner{n}@{OURS}")  # an account gets few codes a day
        owner.tell(OURS, f"add phone {number}")
        wait_for(lambda: number in open(log).read(), f"{proves}: the request")
        wait_for(lambda: f"text message: {state}: HTTP" in watch.new_lines(), f"{proves}: a log line with {state}")
        watch.served(proves)
    os.unlink(log + ".fail")


def many(t):
    """two hundred half-open connections of a stranger: the witness is served, and the gateway ends clean"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]})
    watch = Watch(t)
    host, port = t.lab.community(OURS)["c2s"].rsplit(":", 1)
    sockets = []
    for n in range(190):
        s = socket.create_connection((host, int(port)), timeout=suite.PATIENCE)
        sockets.append(s)
        s.sendall((OPEN[:40 + n % 100] if n % 2 else OPEN).encode())
    watch.served("while they are there")
    for n, s in enumerate(sockets):
        if n % 3 == 0:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    watch.served("after they went")


def answers_unread(t):
    """who asks and asks and never reads the answers is cut, at each door, before they fill the memory"""
    t.make_lab([OURS], {OURS: ["romeo", "benvolio"]})
    watch = Watch(t)
    password = t.lab.account("romeo", OURS)["password"]
    quotes = "'" * 9000  # each is six bytes in an answer

    def client():
        return t.raw(OURS).log_in(ROMEO, password), "<enable xmlns='urn:xmpp:sm:3'/>" * 1000

    def server():
        raw = t.raw(OURS, "s2s")
        ask = f"<db:verify from='{AWAY}' to='{OURS}' id=\"{quotes}\">k</db:verify>" * 10
        db = f"xmlns:db='jabber:server:dialback' from='{AWAY}'"
        raw.open(OURS, "jabber:server", db)
        raw.starttls()
        raw.open(OURS, "jabber:server", db)
        return raw, ask

    def provider():
        return t.raw(OURS, "http"), "GET /hook/x HTTP/1.1\r\nHost: x\r\n\r\n" * 1000

    wrong = []
    for door in (client, server, provider):
        raw, ask = door()
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sent, begin = 0, time.monotonic()
        try:
            while time.monotonic() < begin + suite.PATIENCE:
                raw.send(ask)
                sent += len(ask)
            wrong.append(f"{door.__name__}: {sent} bytes were taken without end")
        except OSError:
            pass
        except Failed as e:
            wrong.append(f"{door.__name__}: after {sent} bytes: {e}")
        raw.sock.close()
        watch.served(door.__name__)
    hold(not wrong, "\n".join(wrong))


if __name__ == "__main__":
    suite.main(__doc__, before_login, servers_door, at_login, guessing, logged_in, stanzas, stream_management, slow, dialback,
               webhooks, provider_answers, answers_unread, many)
