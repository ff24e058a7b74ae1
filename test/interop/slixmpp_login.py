#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""slixmpp as Debian has it logs in unchanged: STARTTLS, direct TLS, roster, presence, chat, archive, stream
management with resumption, ping, disco, version."""
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.devices import log_off  # noqa: E402
from lablib.events import Heard  # noqa: E402
from lablib.suite import ask_until, hold, token, wait_for  # noqa: E402

OURS = "montague.example"
ROMEO, BENVOLIO = f"romeo@{OURS}", f"benvolio@{OURS}"
PLUGINS = ("xep_0030", "xep_0059", "xep_0092", "xep_0198", "xep_0199", "xep_0297", "xep_0313")


def home(t):
    t.make_home(OURS, ["romeo", "benvolio"])


def items(client):
    """The whole roster, by JID."""
    roster = client.iq("get", "<query xmlns='jabber:iq:roster'/>")
    return {item.get("jid"): item for item in roster.iter("{jabber:iq:roster}item")}


def wait_text(client, text):
    return client.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == text, f"{text!r}")


def both_doors(t):
    """STARTTLS and direct TLS: both log in, see each other's words, ping, disco and version answer"""
    home(t)
    romeo = t.slix(ROMEO, plugins=PLUGINS)
    benvolio = t.slix(BENVOLIO, plugins=PLUGINS, direct_tls=True)
    for client in (romeo, benvolio):
        hold(client.ask(lambda c=client: c.xmpp["xep_0199"].ping(OURS, timeout=suite.PATIENCE)) is not None, "no pong")
        info = client.ask(lambda c=client: c.xmpp["xep_0030"].get_info(jid=OURS, timeout=suite.PATIENCE))
        kinds = {(i[0], i[1]) for i in info["disco_info"]["identities"]}
        hold(("server", "im") in kinds, f"the domain says it is {kinds}")
        own = client.ask(lambda c=client: c.xmpp["xep_0030"].get_info(jid=c.xmpp.boundjid.bare, timeout=suite.PATIENCE))
        hold("urn:xmpp:mam:2" in own["disco_info"]["features"], "the account announces no archive")
        version = client.ask(lambda c=client: c.xmpp["xep_0092"].get_version(OURS, timeout=suite.PATIENCE))
        hold(version["software_version"]["name"], "the version has no name")
        if t.home == "causeway":
            hold(version["software_version"]["name"] == "Causeway", f"it says it is {version['software_version']['name']}")
    for one, other in ((romeo, BENVOLIO), (benvolio, ROMEO)):
        text = f"Good morrow {token()} <&>\"' \u00e9\U0001f600"
        one.ask(lambda c=one, o=other, x=text: c.xmpp.send_message(mto=o, mbody=x, mtype="chat"))
        wait_text(benvolio if one is romeo else romeo, text)


def bound(t):
    """SASL binds to the channel: slixmpp knows tls-unique only, and takes -PLUS where it is announced"""
    home(t)
    for direct in (False, True):
        client = t.slix(ROMEO, plugins=PLUGINS, direct_tls=direct)
        name = client.xmpp["feature_mechanisms"].mech.name
        hold(t.home != "causeway" or name == "SCRAM-SHA-512-PLUS", f"it logged in by {name}")
        client.close()


def older_keys(t):
    """an account of an earlier build, without keys of SHA-512: slixmpp, which takes the strongest and does not fall back, logs
    in; when PLAIN has shown the password, everybody is offered SHA-512 again, without a restart"""
    home(t)
    lab = t.lab
    lab.stop(OURS)
    with sqlite3.connect(lab.community(OURS)["store"]) as store:
        store.execute("delete from account_keys where mechanism = 'SCRAM-SHA-512' and bare = ?", (ROMEO,))
    store.close()
    lab.start(OURS)

    def mechanism(jid, **options):
        client = t.slix(jid, plugins=PLUGINS, **options)
        name = client.xmpp["feature_mechanisms"].mech.name
        client.close()
        return name
    hold(mechanism(ROMEO) == mechanism(BENVOLIO) == "SCRAM-SHA-256-PLUS", "something else was the strongest")
    raw = t.raw(OURS)
    raw.secure(OURS)
    hold(raw.auth_plain("romeo", lab.account("romeo", OURS)["password"]).tag.endswith("success"), "PLAIN does not open")
    ask_until(lambda: mechanism(BENVOLIO) == "SCRAM-SHA-512-PLUS", "SHA-512 for everybody")
    hold(mechanism(ROMEO) == "SCRAM-SHA-512-PLUS", "the new keys do not open")


def contacts(t):
    """the roster: an item is added, named and grouped, subscribed by slixmpp's own answers, removed"""
    home(t)
    romeo = t.slix(ROMEO, plugins=PLUGINS)
    benvolio = t.slix(BENVOLIO, plugins=PLUGINS)

    def accept():
        benvolio.xmpp.auto_authorize = benvolio.xmpp.auto_subscribe = True
    benvolio.ask(accept)
    for client in (romeo, benvolio):
        client.ask(lambda c=client: c.xmpp.get_roster(timeout=suite.PATIENCE))
    romeo.ask(lambda: romeo.xmpp.update_roster(BENVOLIO, name="Cousin", groups=["Kin"]))
    romeo.ask(lambda: romeo.xmpp.send_presence_subscription(pto=BENVOLIO))
    asked = romeo.wait(lambda s: s.tag == C + "presence" and s.get("type") == "subscribe", "benvolio's own wish")
    hold(asked.get("from") == BENVOLIO, f"it is from {asked.get('from')}")
    romeo.ask(lambda: romeo.xmpp.send_presence_subscription(pto=BENVOLIO, ptype="subscribed"))
    for one, other in ((romeo, benvolio), (benvolio, romeo)):
        one.wait(lambda s, o=other: s.tag == C + "presence" and s.get("from") == o.full_jid and not s.get("type"), "presence")
    item = items(romeo)[BENVOLIO]
    hold(item.get("subscription") == "both" and item.get("name") == "Cousin", f"the item is {item.attrib}")
    hold([g.text for g in item] == ["Kin"], "the group is not there")
    romeo.ask(lambda: romeo.xmpp.get_roster(timeout=suite.PATIENCE))  # by its version: nothing new
    hold(romeo.xmpp.client_roster[BENVOLIO]["subscription"] == "both", "slixmpp's own view of the roster differs")
    log_off(benvolio, romeo)
    romeo.ask(lambda: romeo.xmpp.del_roster_item(BENVOLIO))
    hold(BENVOLIO not in items(romeo), "the item is still there")


def archive(t):
    """what was said is in the archive of both, by pages, filtered by peer, also in reverse"""
    home(t)
    romeo = t.slix(ROMEO, plugins=PLUGINS)
    benvolio = t.slix(BENVOLIO, plugins=PLUGINS)
    lines = [f"line {n} {token()}" for n in range(25)]
    for line in lines:
        romeo.ask(lambda x=line: romeo.xmpp.send_message(mto=BENVOLIO, mbody=x, mtype="chat"))
    for line in lines:
        wait_text(benvolio, line)

    async def page_through(client, peer, reverse=False):
        found = []
        async for page in client.xmpp["xep_0313"].iterate(with_jid=peer, rsm={"max": 10}, reverse=reverse):
            found.append(page["mam_result"]["forwarded"]["stanza"]["body"])
        return found
    for client, peer in ((romeo, BENVOLIO), (benvolio, ROMEO)):
        found = client.ask(lambda c=client, p=peer: page_through(c, p))
        hold(found == lines, f"{client.jid}'s archive has {found}")
    found = romeo.ask(lambda: page_through(romeo, f"nobody@{OURS}"))
    hold(found == [], f"with nobody it has {found}")
    found = romeo.ask(lambda: page_through(romeo, BENVOLIO, reverse=True))
    hold(sorted(found) == sorted(lines), f"in reverse it has {found}")


def resumption(t):
    """stream management: acknowledged; after a cut the stream goes on and nothing is lost or doubled"""
    home(t)
    romeo = t.slix(ROMEO, plugins=PLUGINS)
    benvolio = t.slix(BENVOLIO, plugins=PLUGINS)
    wait_for(lambda: "sm_enabled" in romeo.events and "sm_enabled" in benvolio.events, "stream management")
    lines = [f"line {n} {token()}" for n in range(30)]

    def say(client, to, some):
        for line in some:
            client.xmpp.send_message(mto=to, mbody=line, mtype="chat")
    romeo.ask(lambda: say(romeo, BENVOLIO, lines[:10]))
    wait_text(benvolio, lines[9])
    benvolio.resume_after_cut()
    romeo.ask(lambda: say(romeo, BENVOLIO, lines[10:20]))
    romeo.settle()  # slixmpp 1.8 forgets at <resume/> what was not acknowledged
    romeo.resume_after_cut()
    romeo.ask(lambda: say(romeo, BENVOLIO, lines[20:]))
    wait_text(benvolio, lines[-1])
    benvolio.seen = []  # told apart below by the archive: each once and in order
    found = []

    async def page_through():
        async for page in benvolio.xmpp["xep_0313"].iterate(with_jid=ROMEO, rsm={"max": 50}):
            found.append(page["mam_result"]["forwarded"]["stanza"]["body"])
    benvolio.ask(page_through)
    hold(found == lines, f"the archive has {found}")


def resumption_live(t):
    """while the cable is cut messages wait for the old stream, and come once each, in order, on resumption"""
    home(t)
    romeo = t.slix(ROMEO, plugins=PLUGINS)
    benvolio = t.slix(BENVOLIO, plugins=PLUGINS)
    wait_for(lambda: "sm_enabled" in benvolio.events, "stream management")
    lines = [f"line {n} {token()}" for n in range(12)]

    def while_cut():
        for line in lines:
            romeo.ask(lambda x=line: romeo.xmpp.send_message(mto=BENVOLIO, mbody=x, mtype="chat"))
        romeo.settle()
    benvolio.resume_after_cut(while_cut)
    for line in lines:
        got = benvolio.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body"), f"{line!r}")
        hold(got.findtext(C + "body") == line, f"{got.findtext(C + 'body')!r} came where {line!r} was next")
    benvolio.settle()
    more = [s for s in benvolio.seen if s.tag == C + "message"]
    hold(not more, f"{len(more)} came again")


def copies(t):
    """carbons: a second client sees what the first says and hears, in slixmpp's own view of them"""
    home(t)
    first, second = (t.slix(ROMEO, plugins=(*PLUGINS, "xep_0280")) for _ in range(2))
    benvolio = t.slix(BENVOLIO, plugins=PLUGINS)
    found = Heard()
    for client in (first, second):
        client.ask(lambda c=client: c.xmpp["xep_0280"].enable(timeout=suite.PATIENCE))
    for name, key in (("carbon_sent", "carbon_sent"), ("carbon_received", "carbon_received")):
        second.ask(lambda n=name, k=key: second.xmpp.add_event_handler(n, lambda m: found.append((n, m[k]["body"], str(m["from"])))))
    said, heard = token(), token()
    first.ask(lambda: first.xmpp.send_message(mto=BENVOLIO, mbody=said, mtype="chat"))
    wait_text(benvolio, said)
    benvolio.ask(lambda: benvolio.xmpp.send_message(mto=first.xmpp.boundjid, mbody=heard, mtype="chat"))
    wait_text(first, heard)
    wait_for(lambda: len(found) == 2, "the copies")
    hold(found == [("carbon_sent", said, ROMEO), ("carbon_received", heard, ROMEO)], f"it saw {found}")


def wrong_password(t):
    """a wrong password is refused by name, and the account still opens with the right one"""
    home(t)
    address, password = t.where(ROMEO)
    from lablib.slix import Slix
    try:
        Slix(ROMEO, password + "x", address, t.lab.state["ca"], patience=suite.PATIENCE)
    except suite.Failed as e:
        hold("not-authorized" in str(e), f"it failed otherwise: {e}")
    else:
        hold(False, "a wrong password logs in")
    t.slix(ROMEO)


if __name__ == "__main__":
    suite.main(__doc__, both_doors, bound, older_keys, contacts, archive, resumption, resumption_live, copies, wrong_password)
