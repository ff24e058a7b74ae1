#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A service attaches from outside (XEP-0114): slixmpp's ComponentXMPP unchanged, and by hand what is wrong. Local people and
people of another community reach it and are reached; what comes while it is away waits."""
import hashlib
import os
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import process, suite  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.lab import PROVIDER  # noqa: E402
from lablib.peers import need  # noqa: E402
from lablib.process import size_of  # noqa: E402
from lablib.raw import Ended, Raw, name_of  # noqa: E402
from lablib.slix import Service  # noqa: E402
from lablib.suite import ask_until, hold, token, wait_for  # noqa: E402

HERE, THERE = "montague.example", "capulet.example"
IRC = f"irc.{HERE}"
ROMEO, BENVOLIO, JULIET = f"romeo@{HERE}", f"benvolio@{HERE}", f"juliet@{THERE}"
ROOM = f"#verona%irc@{IRC}"
SECRET = "not romeo"
NS = "jabber:component:accept"


class Home:
    """The lab, whose gateway of HERE serves IRC for a component that has SECRET."""

    def __init__(self, t):
        self.t = t
        lab = t.make_lab([HERE, THERE], {HERE: ["romeo", "benvolio"], THERE: ["juliet"]}, remotes={IRC: 10},
                         options='include = "components.d/*.conf"',
                         providers=PROVIDER + '\nlisten { service = "component" address = "{network}.10" }\n')
        c = lab.community(HERE)
        self.address, self.log = f"{c['address']}:5347", Path(c["log"])
        self.folder = Path(c["config"]).parent / "components.d"
        self.folder.mkdir()
        self.secret, self.conf = self.folder / "irc.secret", self.folder / "irc.conf"
        self.secret.write_text(SECRET + "\n")
        self.secret.chmod(0o600)
        self.conf.write_text(f'component "{IRC}" {{ secret_file = "{self.secret}" }}\n')
        self.reload(f"serving {IRC} for the component")

    def reload(self, pattern):
        offset = size_of(self.log)
        os.kill(self.t.lab.community(HERE)["pid"], signal.SIGHUP)
        wait_for(lambda: re.search(pattern, self.log.read_bytes()[offset:].decode(errors="replace")), pattern)

    def attach(self, plugins=("xep_0030", "xep_0199")):
        return self.t.keep(Service(IRC, SECRET, self.address, plugins))

    def away(self, service):
        service.close()
        wait_for(lambda: self.log.read_text(errors="replace").count("] attached") ==
                 len(re.findall(rf"component [\d.:]+ {re.escape(IRC)}\] ended", self.log.read_text(errors="replace"))), "the service's end")

    def open(self, domain=IRC, ns=NS):
        """A connection by hand that has sent its header."""
        raw = self.t.keep(Raw(self.address))
        raw.restart()
        raw.send(f"<stream:stream xmlns='{ns}' xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>")
        return raw

    def by_hand(self, secret=SECRET):
        """The same behind its handshake, and the answer to that."""
        raw = self.open()
        kind, header = raw._event()
        ident = header.get("id")
        raw.send(f"<handshake>{hashlib.sha1((ident + secret).encode()).hexdigest()}</handshake>")
        return raw, raw.next()


def is_body(text):
    return lambda s: s.tag == C + "message" and s.findtext(C + "body") == text


def errors(element):
    return [name_of(x) for x in element]


def talks(t):
    """people here and there write to it, ask it, subscribe; it writes to them, from addresses of its own; its community lists it"""
    home = Home(t)
    irc = home.attach()
    romeo, juliet = t.strophe(ROMEO), t.strophe(JULIET)
    items = romeo.iq("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", HERE)
    hold([i.get("jid") for i in items.iter("{http://jabber.org/protocol/disco#items}item")] == [IRC], "it is not listed")
    for person in (romeo, juliet):
        info = person.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", IRC)
        hold(info.get("type") == "result", f"{person.jid} asked what it is, and got {info.get('type')}")
        text = token()
        person.message(ROOM, text)
        got = irc.wait(is_body(text), f"{person.jid}'s message")
        hold(got.get("from").startswith(person.jid) and got.get("to") == ROOM, f"from {got.get('from')} to {got.get('to')}")
        text = token()
        irc.send(f"<message from='{ROOM}/tybalt' to='{person.full_jid}' type='chat'><body>{text}</body></message>")
        hold(person.wait(is_body(text), "its message").get("from") == f"{ROOM}/tybalt", "another sender")
        text = token()
        irc.send(f"<message from='{IRC}' to='{person.jid}' type='chat'><body>{text}</body></message>")  # not a stranger here
        if person is romeo:
            romeo.wait(is_body(text), "a message of who needs no consent")
        person.send(f"<presence to='{ROOM}' type='subscribe'/>")
        irc.wait(lambda s: s.get("type") == "subscribe" and s.get("to") == ROOM, "the wish to subscribe")
        irc.send(f"<presence from='{ROOM}' to='{person.jid}' type='subscribed'/>")
        irc.send(f"<presence from='{ROOM}' to='{person.jid}'><status>noisy</status></presence>")
        person.wait(lambda s: s.tag == C + "presence" and s.get("from") == ROOM and s.findtext(C + "status") == "noisy", "its presence")
    irc.send(f"<iq type='get' id='v1' from='{IRC}' to='{THERE}'><query xmlns='jabber:iq:version'/></iq>")
    irc.wait(lambda s: s.get("id") == "v1" and s.get("type") == "result", "the answer of the other community")


def waits(t):
    """while it is away messages wait, of people here and there, also through a kill of the gateway; what is not kept is refused"""
    home = Home(t)
    irc = home.attach()
    romeo, juliet = t.strophe(ROMEO), t.strophe(JULIET)
    romeo.message(ROOM, "before")
    irc.wait(is_body("before"), "a message")
    home.away(irc)
    refused = romeo.iq("get", "<ping xmlns='urn:xmpp:ping'/>", IRC)
    hold(refused.get("type") == "error" and refused.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}remote-server-timeout") is not None,
         "a request to who is away is not refused")
    lines = [f"{n} {token()}" for n in range(5)]
    for line in lines:
        romeo.message(ROOM, line)
        juliet.message(ROOM, line)
    romeo.settle()
    juliet.settle()
    romeo.close()
    t.lab.kill(HERE)
    t.lab.start(HERE)
    irc = home.attach()
    for jid in (ROMEO, JULIET):
        for line in lines:
            got = irc.wait(lambda s, jid=jid: s.tag == C + "message" and s.get("from").startswith(jid), f"what {jid} wrote")
            hold(got.findtext(C + "body") == line, f"{jid}: {got.findtext(C + 'body')!r} came where {line!r} was next")
    t.strophe(ROMEO).message(ROOM, "after")
    irc.wait(is_body("after"), "a message")
    hold(not [s for s in irc.seen if s.tag == C + "message"], "something came twice")


def wrong(t):
    """each thing that is wrong has its stream error, and who is attached goes on"""
    home = Home(t)
    irc = home.attach()
    for what, answer, expected in (
            ("another secret", home.by_hand(secret="romeo")[1], "not-authorized"),
            ("a second one", home.by_hand()[1], "conflict"),
            ("another domain", home.open("nobody.example").next(), "host-unknown")):
        hold(expected in errors(answer), f"{what}: {errors(answer)}")
    early = home.open()
    early.send(f"<message from='{IRC}' to='{ROMEO}'><body>early</body></message>")
    hold("not-authorized" in errors(early.next()), "a stanza before the handshake")
    large = home.open()
    large.send("<handshake>" + "a" * 300000)
    hold(ends_with_error(large, "policy-violation"), "a handshake without end")
    hold("invalid-namespace" in errors(home.open(ns="jabber:client").next()), "a client at that door")
    romeo = t.strophe(ROMEO)
    romeo.message(ROOM, "still there")
    irc.wait(is_body("still there"), "a message")
    home.away(irc)
    for what, stanza, expected in (
            ("from another domain", f"<message from='{ROMEO}' to='{BENVOLIO}'><body>x</body></message>", "invalid-from"),
            ("from a domain below", f"<message from='x.{IRC}' to='{ROMEO}'><body>x</body></message>", "invalid-from"),
            ("without from", f"<message to='{ROMEO}'><body>x</body></message>", "improper-addressing"),
            ("without to", f"<message from='{IRC}'><body>x</body></message>", "improper-addressing"),
            ("what is none", "<dance xmlns='urn:example:dance'/>", "unsupported-stanza-type"),
            ("a second handshake", "<handshake>x</handshake>", "policy-violation"),
            ("what is no XML", "<a></b>", "not-well-formed")):
        raw, answer = ask_until(lambda: attached(home), "room for another one")
        raw.send(stanza)
        hold(ends_with_error(raw, expected), what)
    irc = home.attach()
    romeo.message(ROOM, "and there again")
    irc.wait(is_body("and there again"), "a message")


def attached(home):
    raw, answer = home.by_hand()
    return (raw, answer) if name_of(answer) == "handshake" else None


def ends_with_error(raw, expected):
    try:
        while name_of(element := raw.next()) != "error":
            pass
        return expected in errors(element)
    except Ended as e:
        raise suite.Failed(f"no {expected}: {e}") from None


def comes_and_goes(t):
    """it is taken out of the configuration: its stream ends, its domain is another's; it comes again"""
    home = Home(t)
    irc, romeo = home.attach(), t.strophe(ROMEO)
    romeo.message(ROOM, "one")
    irc.wait(is_body("one"), "a message")
    irc.cutting = True
    text = home.conf.read_text()
    home.conf.unlink()
    home.reload(f"no more serving {IRC}")
    wait_for(lambda: "host-gone" in home.log.read_text(errors="replace"), "the end of its stream")
    items = romeo.iq("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", HERE)
    hold(not list(items.iter("{http://jabber.org/protocol/disco#items}item")), "it is still listed")
    romeo.message(ROOM, "to nobody")
    romeo.wait(lambda s: s.get("type") == "error", "the error for a message to who is gone")
    home.conf.write_text(text)
    home.reload(f"serving {IRC} for the component")
    irc = home.attach()
    romeo.message(ROOM, "two")
    irc.wait(is_body("two"), "a message")


def biboumi(t):
    """Debian's gateway to IRC attaches, says what it is to people here and there, and finds its way back after a restart of ours"""
    home = Home(t)
    config, log = t.folder / "biboumi.cfg", t.folder / "biboumi.log"
    host, port = home.address.rsplit(":", 1)
    config.write_text(f"hostname={IRC}\npassword={SECRET}\nxmpp_server_ip={host}\nport={port}\ndb_name={t.folder}/biboumi.sqlite\n"
                      f"log_level=0\nidentd_port=0\n")
    gateway = process.start([need("biboumi", "biboumi"), str(config)], log, notify=False)
    t.closing.append(lambda: process.end(gateway, signal.SIGTERM))
    for restarted in (False, True):
        if restarted:
            t.lab.stop(HERE)
            t.lab.start(HERE)
        wait_for(lambda: home.log.read_text(errors="replace").count("] attached") == 1 + restarted, "biboumi")
        for person in (t.strophe(ROMEO), t.strophe(JULIET)):
            info = person.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", IRC)
            kinds = [(i.get("category"), i.get("type")) for i in info.iter("{http://jabber.org/protocol/disco#info}identity")]
            hold(("conference", "irc") in kinds, f"{person.jid} hears that it is {kinds}")
            commands = person.iq("get", "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>", IRC)
            hold(len(list(commands.iter("{http://jabber.org/protocol/disco#items}item"))) > 1, "it lists no commands")
            person.close()


if __name__ == "__main__":
    suite.main(__doc__, talks, waits, wrong, comes_and_goes, biboumi)
