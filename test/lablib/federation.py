# SPDX-License-Identifier: MIT
"""Cases of federation with another program, both ways: SRV, STARTTLS, dialback; subscriptions, presence, chat
and iq in both directions; strangers; what waits for a person and for a server that is not there. The other program is
the suite's peer. What failed shows the logs of both at length: what is rare must explain itself when it comes."""
import os

from lablib.client import C
from lablib.process import Failed
from lablib.suite import ask_until, befriend, hold, token

OURS, VERONA = "montague.example", "verona.example"
ROMEO, BENVOLIO = f"romeo@{OURS}", f"benvolio@{OURS}"
TYBALT, PARIS = f"tybalt@{VERONA}", f"paris@{VERONA}"
CONTACT = "{urn:causeway:contact:1}contact"


LOG_LINES = 3000


def two_servers(t, **options):
    os.environ.setdefault("CAUSEWAY_LAB_LOG", "debug")
    t.log_lines = LOG_LINES
    t.make_home(OURS, ["romeo", "benvolio"], remotes={VERONA: 101}, **options)
    return t.peer_server(VERONA, 101, ["tybalt", "paris"])


def subscription(client, other):
    roster = client.iq("get", "<query xmlns='jabber:iq:roster'/>")
    return next((i.get("subscription") for i in roster.iter("{jabber:iq:roster}item") if i.get("jid") == other), None)


def is_push(state):
    """A roster push in which tybalt's subscription is `state` and nothing is asked."""
    def fits(s):
        item = s.find("{jabber:iq:roster}query/{jabber:iq:roster}item") if s.get("type") == "set" else None
        return item is not None and item.get("jid") == TYBALT and item.get("subscription") == state and not item.get("ask")
    return fits


def described(s):
    delay = s.find("{urn:xmpp:delay}delay")
    return f"{s.findtext(C + 'body')!r} id {s.get('id')} from {s.get('from')}" + \
        (f" stamped {delay.get('stamp')} by {delay.get('from')}" if delay is not None else "")


def in_order(client, lines, check=lambda got: None):
    """The client's next messages are these. If not, all that came is told: a copy of an old one is another fault than
    two that changed places."""
    came = []
    for line in lines:
        got = client.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body"), f"{line!r}")
        came.append(described(got))
        if got.findtext(C + "body") != line:
            client.settle()
            came += [described(s) for s in client.seen if s.tag == C + "message"]
            raise Failed(f"{client.jid} got {got.findtext(C + 'body')!r} where {line!r} was next, of {lines}; all that came:\n  "
                         + "\n  ".join(came))
        check(got)


def talk(one, other, count=3):
    """Each writes `count` messages; they arrive in order, from the full JID."""
    for a, b in ((one, other), (other, one)):
        lines = [f"{n} {token()}" for n in range(count)]
        for line in lines:
            a.message(b.jid, line)
        in_order(b, lines, lambda got, a=a: hold(got.get("from") == a.full_jid, f"it came from {got.get('from')}, not {a.full_jid}"))


def friends(t):
    """people of both servers subscribe, see each other, chat, and ask each other's clients and servers"""
    two_servers(t)
    plugins = ("xep_0030", "xep_0092", "xep_0199")
    romeo = t.slix(ROMEO, plugins=plugins)
    tybalt = t.slix(TYBALT, plugins=plugins)
    befriend(romeo, tybalt)
    for one, other in ((romeo, TYBALT), (tybalt, ROMEO)):
        hold(subscription(one, other) == "both", f"{one.jid}'s roster has {subscription(one, other)} for {other}")
    talk(romeo, tybalt)
    for one, other, domain in ((romeo, tybalt, VERONA), (tybalt, romeo, OURS)):
        pong = one.iq("get", "<ping xmlns='urn:xmpp:ping'/>", other.full_jid)
        hold(pong.get("type") == "result", f"{other.full_jid} was pinged and answered {pong.get('type')}")
        info = one.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", domain)
        features = {f.get("var") for f in info.iter("{http://jabber.org/protocol/disco#info}feature")}
        hold("urn:xmpp:ping" in features, f"{domain} announces {features}")
        pong = one.iq("get", "<ping xmlns='urn:xmpp:ping'/>", domain)
        hold(pong.get("type") == "result", f"{domain} was pinged and answered {pong.get('type')}")
        refused = one.iq("get", "<query xmlns='urn:example:nobody-knows-this'/>", other.full_jid)
        hold(refused.get("type") == "error", "an unknown request was not refused")
    one = tybalt.full_jid
    tybalt.send("<presence><show>dnd</show><status>not now</status></presence>")
    shown = romeo.wait(lambda s: s.get("from") == one and s.findtext(C + "show") == "dnd", "tybalt's new presence")
    hold(shown.findtext(C + "status") == "not now", "the status did not come along")
    tybalt.close()
    romeo.wait(lambda s: s.get("from") == one and s.get("type") == "unavailable", "tybalt's log-off")
    tybalt = t.slix(TYBALT, plugins=plugins)
    tybalt.wait(lambda s: s.tag == C + "presence" and s.get("from") == romeo.full_jid, "romeo's presence by probe")
    romeo.wait(lambda s: s.tag == C + "presence" and s.get("from") == tybalt.full_jid, "tybalt's presence")
    romeo.close()
    tybalt.wait(lambda s: s.get("type") == "unavailable" and s.get("from") == romeo.full_jid, "romeo's log-off")


def unsubscribing(t):
    """a subscription is refused, given and taken back across the servers"""
    two_servers(t)
    romeo, tybalt = t.strophe(ROMEO), t.slix(TYBALT)
    hold(subscription(romeo, TYBALT) is None, "romeo's roster is not empty")  # asked for, so romeo is told of changes
    romeo.send(f"<presence type='subscribe' to='{TYBALT}'/>")
    tybalt.wait(lambda s: s.get("type") == "subscribe", "romeo's wish")
    tybalt.send(f"<presence type='unsubscribed' to='{ROMEO}'/>")
    if t.home == "causeway":  # Prosody pushes the roster only
        romeo.wait(lambda s: s.get("type") == "unsubscribed", "the refusal")
    romeo.wait(is_push("none"), "the roster's change")
    hold(subscription(romeo, TYBALT) == "none", "romeo's roster does not say none")
    befriend(tybalt, romeo)
    romeo.wait(is_push("both"), "the roster's change")
    tybalt.send(f"<iq type='set' id='gone'><query xmlns='jabber:iq:roster'><item jid='{ROMEO}' subscription='remove'/></query></iq>")
    if t.home == "causeway":
        kinds = [romeo.wait(lambda s: s.tag == C + "presence" and s.get("type") in ("unsubscribe", "unsubscribed"),
                            "the end of the subscriptions").get("type") for _ in range(2)]
        hold(sorted(kinds) == ["unsubscribe", "unsubscribed"], f"romeo heard {kinds}")
    romeo.wait(is_push("none"), "the roster's change")
    hold(subscription(romeo, TYBALT) == "none", "romeo's roster does not say none")


def strangers(t):
    """a stranger's message waits until it is accepted; another is declined openly"""
    two_servers(t)
    if t.home != "causeway":
        return
    romeo, tybalt, paris = t.strophe(ROMEO), t.slix(TYBALT), t.slix(PARIS)
    first, second = "May I? " + token(), "Still there? " + token()
    tybalt.message(ROMEO, first, ident="ask1")
    notice = tybalt.wait(lambda s: s.find(CONTACT) is not None, "the notice that it waits")
    hold(notice.get("from").split("/")[0] == ROMEO, f"the notice is from {notice.get('from')}")
    hold(notice.find(CONTACT).get("state") == "waiting" and notice.findtext(C + "body"), "the notice says nothing")
    tybalt.message(ROMEO, second, ident="ask2")
    asked = romeo.wait(lambda s: s.get("from") == OURS and s.find(CONTACT) is not None, "the request")
    hold(asked.find(CONTACT).get("peer") == TYBALT, "the request does not name who asks")
    hold(first in asked.findtext(C + "body"), "the request does not show what was written")
    number = asked.find(CONTACT).get("number")
    romeo.tell(OURS, f"accept {number}")
    for line in (first, second):
        got = romeo.wait(lambda s: s.get("from", "").startswith(TYBALT) and s.findtext(C + "body"), "what waited")
        hold(got.findtext(C + "body") == line, f"{got.findtext(C + 'body')!r} came where {line!r} was next")
    talk(tybalt, romeo)
    paris.message(ROMEO, "And I?", ident="paris1")
    asked = romeo.wait(lambda s: s.find(CONTACT) is not None and s.find(CONTACT).get("peer") == PARIS, "the second request")
    romeo.tell(OURS, f"decline {asked.find(CONTACT).get('number')} openly")
    refused = paris.wait(lambda s: s.get("type") == "error" and s.get("id") == "paris1", "the refusal")
    hold(refused.find(f"{C}error/{{urn:ietf:params:xml:ns:xmpp-stanzas}}forbidden") is not None, "the refusal is not `forbidden`")


def offline(t):
    """messages to people who are not logged in wait at their server, in order"""
    two_servers(t)
    romeo, tybalt = t.slix(ROMEO), t.slix(TYBALT)
    befriend(romeo, tybalt)
    for away, here in ((tybalt, romeo), (romeo, None)):
        gone = away.full_jid
        away.close()
        if here is None:
            here = tybalt
        here.wait(lambda s, g=gone: s.get("type") == "unavailable" and s.get("from") == g, "the log-off")
        lines = [f"while you were away {n} {token()}" for n in range(5)]
        for line in lines:
            here.message(away.jid, line)
        here.settle(away.jid.split("@")[1])  # after this the other server has them all
        back = t.slix(away.jid)
        in_order(back, lines, lambda got: hold(got.find("{urn:xmpp:delay}delay") is not None, "it does not say when it was sent"))
        if away is tybalt:
            tybalt = back
            romeo.wait(lambda s: s.tag == C + "presence" and s.get("from") == back.full_jid, "the return")


def stopped_server(t):
    """what is sent to a server that is down waits in our queue and arrives in order when it is back"""
    verona = two_servers(t)
    romeo, tybalt = t.slix(ROMEO), t.slix(TYBALT)
    befriend(romeo, tybalt)
    gone = tybalt.full_jid
    tybalt.close()
    romeo.wait(lambda s: s.get("type") == "unavailable" and s.get("from") == gone, "the log-off")
    verona.stop()
    lines = [f"to a dark house {n} {token()}" for n in range(20)]
    for line in lines:
        romeo.message(TYBALT, line)
    romeo.settle()
    verona.start()
    # A ping goes behind them. Only then does he log in: ejabberd lets what comes live at that moment pass what it kept.
    ask_until(lambda: romeo.iq("get", "<ping xmlns='urn:xmpp:ping'/>", VERONA).get("type") == "result", "the way to be open")
    tybalt = t.slix(TYBALT)
    in_order(tybalt, lines)
    bounced = [s for s in romeo.seen if s.tag == C + "message" and s.get("type") == "error"]
    hold(not bounced, f"{len(bounced)} were refused though they arrived")
    talk(tybalt, romeo)


def restarted_gateway(t):
    """the other server finds the gateway again after its SIGKILL and its gentle end; nothing that it kept is lost"""
    two_servers(t)
    if t.home != "causeway":
        return
    romeo, tybalt = t.slix(ROMEO), t.slix(TYBALT)
    befriend(romeo, tybalt)
    for end in (t.lab.kill, t.lab.stop):
        romeo.cutting = True
        end(OURS)
        romeo.close()
        t.lab.start(OURS)
        romeo = t.slix(ROMEO)
        romeo.wait(lambda s: s.tag == C + "presence" and s.get("from") == tybalt.full_jid, "tybalt's presence by probe")
        talk(romeo, tybalt)


def ended_in_midst(t):
    """our gateway ends gently while the other server has messages that it has not confirmed: none comes twice"""
    two_servers(t)
    if t.home != "causeway":
        return
    romeo, tybalt = t.slix(ROMEO), t.slix(TYBALT)
    befriend(romeo, tybalt)
    for _ in range(5):
        lines = [f"{n} {token()}" for n in range(3)]
        for line in lines:
            romeo.message(tybalt.jid, line)
        in_order(tybalt, lines)
        romeo.cutting = True
        t.lab.stop(OURS)
        romeo.close()
        t.lab.start(OURS)
        romeo = t.slix(ROMEO)
        romeo.wait(lambda s: s.tag == C + "presence" and s.get("from") == tybalt.full_jid, "tybalt's presence by probe")


CASES = (friends, unsubscribing, strangers, offline, stopped_server, restarted_gateway, ended_in_midst)
