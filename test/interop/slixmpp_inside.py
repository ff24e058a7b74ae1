#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What slixmpp, as Debian has it, asks of its server while it is logged in, by its own plugins: client state,
hints, private XML, last activity, receipts, markers, corrections."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.events import Heard  # noqa: E402
from lablib.slix import slixmpp  # noqa: E402 (without what it says when it is imported)
from lablib.suite import hold, token, wait_for  # noqa: E402

OURS = "montague.example"
ROMEO, BENVOLIO = f"romeo@{OURS}", f"benvolio@{OURS}"
PLUGINS = ("xep_0030", "xep_0085", "xep_0198", "xep_0199")


def friends(t, *plugins):
    """Romeo and Benvolio, logged in by slixmpp; each sees the other's presence."""
    t.make_home(OURS, ["romeo", "benvolio"])
    romeo, benvolio = (t.slix(jid, plugins=(*PLUGINS, *plugins)) for jid in (ROMEO, BENVOLIO))
    for client, other in ((romeo, BENVOLIO), (benvolio, ROMEO)):
        client.ask(lambda c=client: c.xmpp.get_roster(timeout=suite.PATIENCE))
        client.send(f"<presence type='subscribe' to='{other}'/>")
    for client, other in ((romeo, benvolio), (benvolio, romeo)):
        client.wait(lambda s: s.tag == C + "presence" and s.get("type") == "subscribe", "the other's wish")
        client.send(f"<presence type='subscribed' to='{other.jid}'/>")
    for client, other in ((romeo, benvolio), (benvolio, romeo)):
        client.wait(lambda s, o=other: s.tag == C + "presence" and s.get("from") == o.full_jid, "the other's presence")
    return romeo, benvolio


def said(client, text):
    return client.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == text, f"{text!r}")


def from_friend(client, friend):
    """What came of a friend and was not taken: presence as its status, messages as their first child's name."""
    found = [s for s in client.seen if s.get("from") == friend.full_jid]
    client.seen = []
    return [s.findtext(C + "status") if s.tag == C + "presence" else s[0].tag.rpartition("}")[2] for s in found]


def client_state(t):
    """inactive: of five presences the newest comes, in front of the words; the rest when it is active, also after a cut"""
    romeo, benvolio = friends(t, "xep_0352")
    wait_for(lambda: "sm_enabled" in romeo.events, "stream management")
    hold(romeo.ask(lambda: "csi" in romeo.xmpp.features or romeo.xmpp["xep_0352"].enabled), "client state is not announced")

    def be_busy(*states):
        for state in states:
            benvolio.ask(lambda s=state: benvolio.xmpp.send_presence(pshow="dnd", pstatus=s))
            benvolio.send(f"<message to='{romeo.full_jid}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
        benvolio.settle()
    romeo.settle()
    romeo.seen = []
    romeo.ask(romeo.xmpp["xep_0352"].send_inactive)
    romeo.settle()
    be_busy("one", "two", "three", "four", "five")
    text = token()
    benvolio.ask(lambda: benvolio.xmpp.send_message(mto=ROMEO, mbody=text, mtype="chat"))
    said(romeo, text)
    found = from_friend(romeo, benvolio)
    hold(found in (["five", "composing"], ["composing", "five"]), f"before the words came {found}")
    be_busy("six", "seven")
    romeo.ask(romeo.xmpp["xep_0352"].send_active)
    romeo.wait(lambda s: s.tag == C + "presence" and s.findtext(C + "status") == "seven", "the newest presence")
    romeo.settle()
    hold(from_friend(romeo, benvolio) == ["composing"], "more came than the newest")
    romeo.ask(romeo.xmpp["xep_0352"].send_inactive)
    romeo.settle()
    be_busy("eight", "nine")
    romeo.resume_after_cut(lambda: be_busy("ten"))
    romeo.wait(lambda s: s.tag == C + "presence" and s.findtext(C + "status") == "ten", "what waited over the cut")
    be_busy("eleven")
    romeo.wait(lambda s: s.tag == C + "presence" and s.findtext(C + "status") == "eleven", "presence: a resumed stream is active")
    romeo.settle()
    found = from_friend(romeo, benvolio)
    hold(found == ["composing", "composing"], f"of what waited over the cut more than the newest came: {found}")


def hints(t):
    """no-store, no-permanent-store, store and no-copy as slixmpp writes them: waits, is archived, is copied or not"""
    t.make_home(OURS, ["romeo", "benvolio"])
    romeo = t.slix(ROMEO, plugins=(*PLUGINS, "xep_0334", "xep_0059", "xep_0297", "xep_0313"))
    info = romeo.ask(lambda: romeo.xmpp["xep_0030"].get_info(jid=OURS, timeout=suite.PATIENCE))
    hold("urn:xmpp:hints" in info["disco_info"]["features"], "hints are not announced")
    lines = {hint: f"{hint} {token()}" for hint in ("no-store", "no-permanent-store", "no-copy", "store")}

    def say(hint, line):
        message = romeo.xmpp.make_message(mto=BENVOLIO, mbody=line, mtype="chat")
        message.enable(hint)
        message.send()
    for hint, line in lines.items():
        romeo.ask(lambda h=hint, x=line: say(h, x))
    romeo.settle()
    benvolio = t.slix(BENVOLIO, plugins=(*PLUGINS, "xep_0059", "xep_0297", "xep_0313"))
    for line in lines.values():
        said(benvolio, line)
    for client, peer in ((romeo, BENVOLIO), (benvolio, ROMEO)):
        async def page_through(client=client, peer=peer):
            return [m["mam_result"]["forwarded"]["stanza"]["body"]
                    async for m in client.xmpp["xep_0313"].iterate(with_jid=peer, rsm={"max": 50})]
        found = client.ask(page_through)
        hold(found == [lines["no-copy"], lines["store"]], f"{client.jid}'s archive has {found}")


def private_xml(t):
    """bookmarks in private XML (xep_0048 over xep_0049): kept, read by another client, replaced, gone for others"""
    t.make_home(OURS, ["romeo", "benvolio"])
    one, two = (t.slix(ROMEO, plugins=(*PLUGINS, "xep_0048", "xep_0049")) for _ in range(2))

    def rooms(client):
        answer = client.ask(lambda: client.xmpp["xep_0048"].get_bookmarks(method="xep_0049", timeout=suite.PATIENCE))
        return [(str(c["jid"]), c["nick"]) for c in answer["private"]["bookmarks"]["conferences"]]

    def keep(client, *names):
        marks = slixmpp.plugins.xep_0048.Bookmarks()
        for name in names:
            marks.add_conference(f"{name}@rooms.example", nick="R<o>&'\u00e9", name=name)
        client.ask(lambda: client.xmpp["xep_0048"].set_bookmarks(marks, method="xep_0049", timeout=suite.PATIENCE))
    hold(rooms(one) == [], "there are bookmarks before there are any")
    keep(one, "forum", "garden")
    hold(rooms(two) == [(f"{n}@rooms.example", "R<o>&'\u00e9") for n in ("forum", "garden")], f"kept were {rooms(two)}")
    keep(two, "tomb")
    hold([r[0] for r in rooms(one)] == ["tomb@rooms.example"], f"after the change there are {rooms(one)}")
    benvolio = t.slix(BENVOLIO, plugins=(*PLUGINS, "xep_0048", "xep_0049"))
    hold(rooms(benvolio) == [], "somebody else has them")


def last_activity(t):
    """xep_0012: the gateway's uptime, 0 for who is there, when and with what words somebody went, not for strangers"""
    romeo, benvolio = friends(t, "xep_0012")

    def ask(jid):
        return romeo.ask(lambda: romeo.xmpp["xep_0012"].get_last_activity(jid, timeout=suite.PATIENCE))["last_activity"]
    hold(0 <= ask(OURS)["seconds"] < 600, "the uptime is not plausible")
    hold(ask(BENVOLIO)["seconds"] == 0 and not ask(BENVOLIO)["status"], "he is there")
    words = token()
    benvolio.send(f"<presence type='unavailable'><status>{words}</status></presence>")
    romeo.wait(lambda s: s.tag == C + "presence" and s.get("type") == "unavailable", "benvolio going")
    answer = ask(BENVOLIO)
    hold(answer["status"] == words and answer["seconds"] < 600, f"it says {answer}")
    romeo.send(f"<presence type='unsubscribe' to='{BENVOLIO}'/>")
    romeo.wait(lambda s: s.get("type") == "unsubscribed" or s.tag == C + "iq", "the roster's change")
    try:
        ask(BENVOLIO)
    except slixmpp.exceptions.IqError as e:
        hold(e.condition == "forbidden", f"a stranger is told {e.condition}")
    else:
        hold(False, "a stranger is told")


def passed_on(t):
    """receipts, markers and corrections reach the other's plugin, who is there and who comes later; real-time text who is there"""
    t.make_home(OURS, ["romeo", "benvolio"])
    plugins = (*PLUGINS, "xep_0184", "xep_0308", "xep_0333")
    romeo, found = t.slix(ROMEO, plugins=plugins), Heard()
    rtt = "<rtt xmlns='urn:xmpp:rtt:0' seq='1' event='new'><t>Hel</t></rtt>"

    def note(name, read):
        romeo.ask(lambda: romeo.xmpp.add_event_handler(name, lambda m: found.append((name, read(m)))))
    note("receipt_received", lambda m: m["receipt"])
    note("marker_displayed", lambda m: m["displayed"]["id"])
    note("message_correction", lambda m: (m["replace"]["id"], m["body"]))

    def answer(client, mark):
        client.xmpp["xep_0184"].auto_ack = True
        client.xmpp["xep_0333"].send_marker(ROMEO, mark, "displayed")
        right = client.xmpp.make_message(mto=ROMEO, mbody="Hello", mtype="chat")
        right["replace"]["id"] = mark
        right.send()

    def saw(mark):
        return [f for f in found if mark in f[1]] == [("marker_displayed", mark), ("message_correction", (mark, "Hello"))]
    benvolio = t.slix(BENVOLIO, plugins=plugins)
    benvolio.ask(lambda: answer(benvolio, "now"))
    benvolio.send(f"<message to='{ROMEO}' type='chat'>{rtt}</message>")
    romeo.wait(lambda s: s.find("{urn:xmpp:rtt:0}rtt") is not None, "real-time text")
    hold(saw("now"), f"his plugins saw {found}")
    romeo.message(BENVOLIO, token(), extra="<request xmlns='urn:xmpp:receipts'/>", ident="asked")
    wait_for(lambda: ("receipt_received", "asked") in found, "the receipt")
    romeo.close()  # what it has not acknowledged comes again
    benvolio.ask(lambda: answer(benvolio, "later"))
    benvolio.send(f"<message to='{ROMEO}' type='chat'>{rtt}</message>")
    benvolio.settle()
    romeo = t.slix(ROMEO, plugins=plugins, presence=False)
    note("marker_displayed", lambda m: m["displayed"]["id"])
    note("message_correction", lambda m: (m["replace"]["id"], m["body"]))
    romeo.announce()
    wait_for(lambda: saw("later"), "what waited")
    romeo.settle()
    hold(not [s for s in romeo.seen if s.find("{urn:xmpp:rtt:0}rtt") is not None], "real-time text waited")


if __name__ == "__main__":
    suite.main(__doc__, client_state, hints, private_xml, last_activity, passed_on)
