#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""People log in by certificates (SASL EXTERNAL, XEP-0178): slixmpp as it is, and a raw client in both spellings, over TCP and WebSocket; who is
revoked, or shows none, logs in by password."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.authority import Authority  # noqa: E402
from lablib.raw import BIND2, SASL, SASL2, SM, condition  # noqa: E402
from lablib.suite import ask_until, hold  # noqa: E402
from lablib.web import Bosh, Web  # noqa: E402

HERE = "montague.example"
ROMEO, BENVOLIO = f"romeo@{HERE}", f"benvolio@{HERE}"
EXTERNAL = "EXTERNAL"


def make(t):
    """A lab whose community takes certificates of an authority of its own, and that authority."""
    people = Authority(t.folder / "people")
    people.revoke()
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]}, extra=f'client_ca = "{people.cert}"\n    client_crl = "{people.revoked}"')
    return people


def offered(raw):
    return [m.text for m in raw.features.findall(f"{SASL}mechanisms/{SASL}mechanism")]


def come(t, shows=None):
    raw = t.raw(HERE)
    raw.shows = shows
    raw.secure(HERE)
    return raw


def stock(t):
    """slixmpp, with its certificate and no password, by STARTTLS and by direct TLS"""
    people = make(t)
    shows = people.issue_person("romeo", t.folder, [ROMEO])
    friend = t.slix(BENVOLIO)
    for direct_tls in (False, True):
        client = t.slix(ROMEO, direct_tls=direct_tls, shows=shows)
        name = client.xmpp["feature_mechanisms"].mech.name
        hold(name == EXTERNAL, f"it logged in by {name}")
        friend.message(ROMEO, f"direct {direct_tls}")
        client.wait_body(f"direct {direct_tls}", BENVOLIO)
        client.close()


def both_spellings(t):
    """RFC 6120 and XEP-0388, there bound and resumable in the same round trip; without one nothing is different"""
    people = make(t)
    shows = people.issue_person("both", t.folder, [ROMEO, BENVOLIO])
    raw = come(t, shows)
    hold(offered(raw)[0] == EXTERNAL, f"offered first: {offered(raw)[0]}")
    hold(condition(raw.auth_external()) == "invalid-authzid", "two addresses, and none was named")
    hold(raw.auth_external(BENVOLIO).tag == SASL + "success", "the one that was named does not open")
    raw.open(HERE)
    raw.bind("old")
    hold(raw.jid == f"{BENVOLIO}/old", f"it is {raw.jid}")
    CAM = "{urn:xmpp:cam:0}"
    mine = raw.iq("get", "<list xmlns='urn:xmpp:cam:0'/>").find(f"{CAM}clients/{CAM}client")
    hold(mine.get("id") == raw.jid and len(mine.find(CAM + "auth")) == 0, "XEP-0494 says that it showed a password")
    raw = come(t, shows)
    answer = raw.authenticate_external(ROMEO, f"<bind xmlns='{BIND2[1:-1]}'><enable xmlns='{SM[1:-1]}' resume='true'/></bind>")
    hold(answer.tag == SASL2 + "success" and answer.find(f"{BIND2}bound/{SM}enabled") is not None, "it was not bound at once")
    previous = answer.find(f"{BIND2}bound/{SM}enabled").get("id")
    raw.drop()
    raw = come(t, shows)
    answer = raw.authenticate_external(ROMEO, f"<resume xmlns='{SM[1:-1]}' previd='{previous}' h='0'/>")
    hold(answer.find(SM + "resumed") is not None, "it was not resumed")
    raw = come(t)
    hold(EXTERNAL not in offered(raw), "offered to who shows no certificate")
    hold(condition(raw.auth_external(ROMEO)) == "invalid-mechanism", "taken of who shows no certificate")
    hold(raw.auth_plain("romeo", t.lab.account("romeo", HERE)["password"]).tag == SASL + "success", "the password does not open")


def taken_back(t):
    """a certificate that is put on the list of revoked ones opens no more, without a restart; the password does"""
    people = make(t)
    shows = people.issue_person("romeo", t.folder, [ROMEO])
    hold(come(t, shows).auth_external().tag == SASL + "success", "it does not open")
    people.revoke(shows)
    ask_until(lambda: EXTERNAL not in offered(come(t, shows)), "the list is read anew")
    raw = come(t, shows)
    hold(condition(raw.auth_external()) == "invalid-mechanism", "what was revoked opens")
    hold(raw.auth_plain("romeo", t.lab.account("romeo", HERE)["password"]).tag == SASL + "success", "the password does not open")


def websocket(t):
    """the same over a WebSocket with TLS of ours: in both spellings, a stream begun there resumed over TCP and back; not over BOSH, where
    requests come over connections of their own, nor by who shows none; who shows one there logs in by password all the same"""
    people = make(t)
    shows = people.issue_person("romeo", t.folder, [ROMEO])
    c = t.lab.community(HERE)

    def come_by_web(shows=None):
        raw = t.keep(Web(f"wss://{c['websocket']}/xmpp-websocket", HERE, t.lab.state["ca"], shows=shows))
        raw.secure(HERE)
        return raw
    raw = come_by_web(shows)
    hold(offered(raw)[0] == EXTERNAL, f"offered first: {offered(raw)[0]}")
    hold(raw.auth_external().tag == SASL + "success", "it does not open")
    raw.open(HERE)
    raw.bind("web")
    hold(raw.jid == f"{ROMEO}/web", f"it is {raw.jid}")
    raw = come_by_web(shows)
    answer = raw.authenticate_external("", f"<bind xmlns='{BIND2[1:-1]}'><enable xmlns='{SM[1:-1]}' resume='true'/></bind>")
    previous = answer.find(f"{BIND2}bound/{SM}enabled").get("id")
    for by in (come, lambda t, shows: come_by_web(shows)):
        raw.drop()
        raw = by(t, shows)
        answer = raw.authenticate_external("", f"<resume xmlns='{SM[1:-1]}' previd='{previous}' h='0'/>")
        hold(answer.find(SM + "resumed") is not None, "it was not resumed")
    raw = come_by_web(shows)
    hold(raw.auth_plain("romeo", t.lab.account("romeo", HERE)["password"]).tag == SASL + "success", "the password does not open")
    raw = come_by_web()
    hold(EXTERNAL not in offered(raw), "offered to who shows no certificate")
    hold(condition(raw.auth_external(ROMEO)) == "invalid-mechanism", "taken of who shows no certificate")
    raw = t.keep(Bosh(c["websocket"], HERE, t.lab.state["ca"]))
    raw.context.load_cert_chain(*shows)
    raw.secure(HERE)
    hold(EXTERNAL not in offered(raw), "offered over BOSH")
    people.revoke(shows)
    ask_until(lambda: EXTERNAL not in offered(come_by_web(shows)), "the list is read anew")


if __name__ == "__main__":
    suite.main(__doc__, stock, both_spellings, taken_back, websocket)
