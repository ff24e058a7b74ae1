#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Logging in by XEP-0388 against the program itself: SCRAM of every hash with XEP-0474, bound by XEP-0386 and resumed by
XEP-0198 in the same round trip, also after the program was killed; by a token of XEP-0484 too."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.raw import BIND2, C, SASL2, SM, condition, name_of  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402

HERE = "montague.example"
ROMEO, BENVOLIO = f"romeo@{HERE}", f"benvolio@{HERE}"
AGENT = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>Raw</software><device>Lab</device></user-agent>"
BIND = (AGENT + f"<bind xmlns='{BIND2[1:-1]}'><tag>Raw</tag><enable xmlns='urn:xmpp:carbons:2'/>"
        f"<enable xmlns='{SM[1:-1]}' resume='true'/></bind>")


def begin(t, name="romeo", inside="", mechanism="SCRAM-SHA-512", **more):
    """A connection, and the answer to one request."""
    raw = t.raw(HERE)
    raw.secure(HERE)
    return raw, raw.authenticate(name, t.lab.account(name, HERE)["password"], inside, mechanism, **more)


def body(raw, text):
    """Until that message comes."""
    while True:
        element = raw.next()
        if element.tag == C + "message" and element.findtext(C + "body") == text:
            return element


def at_once(t):
    """bound, counted and copied by one answer; the same installation gets the same name, and replaces its old stream"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        raw, answer = begin(t, inside=BIND, mechanism=mechanism)
        hold(name_of(answer) == "success", f"{mechanism}: {name_of(answer)} {condition(answer)}")
        hold(raw.jid.startswith(f"{ROMEO}/Raw/"), f"the name is {raw.jid}")
        hold(answer.find(f"{BIND2}bound/{SM}enabled") is not None, "stream management is not on")
        name = raw.jid
        raw.close()
    first, _ = begin(t, inside=BIND)
    second, _ = begin(t, inside=BIND)
    hold(first.jid == second.jid == name, f"the names are {first.jid}, {second.jid}, {name}")
    hold(condition(first.next()) == "conflict", "the old stream goes on")
    second.send("<presence/>")
    friend = t.raw(HERE).log_in(BENVOLIO, t.lab.account("benvolio", HERE)["password"])
    other = t.raw(HERE).log_in(ROMEO, t.lab.account("romeo", HERE)["password"])  # the old way, beside it
    said, copied = token(), token()
    friend.send(f"<message to='{ROMEO}' type='chat'><body>{said}</body></message>")
    body(second, said)
    other.send(f"<message to='{BENVOLIO}' type='chat'><body>{copied}</body></message>")
    while True:
        element = second.next()
        copy = element.find(".//{urn:xmpp:forward:0}forwarded/" + C + "message/" + C + "body")
        if copy is not None:
            break
    hold(copy.text == copied, f"the copy says {copy.text}")


def resumed(t):
    """a cut stream is resumed within the login; after a kill as well; a stranger's and a lost one are told and bound"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    for kill in (False, True):
        raw, answer = begin(t, inside=BIND)
        previous = answer.find(f"{BIND2}bound/{SM}enabled").get("id")
        raw.send("<presence/>")
        raw.iq("get", "<ping xmlns='urn:xmpp:ping'/>", HERE)
        raw.send("<r xmlns='urn:xmpp:sm:3'/>")  # what is not acknowledged may be forgotten by a kill
        while (element := raw.next()).tag != SM + "a" or element.get("h") != "2":
            pass
        raw.drop()
        if kill:
            t.lab.kill(HERE)
            t.lab.start(HERE)
        again, answer = begin(t, inside=f"<resume xmlns='{SM[1:-1]}' previd='{previous}' h='2'/>" + BIND)
        told = answer.find(SM + "resumed")
        hold(told is not None and told.get("h") == "2", f"it was not resumed: {[name_of(e) for e in answer]}")
        hold(again.jid == raw.jid, f"it is {again.jid} now, and was {raw.jid}")
        text = token()
        friend = t.raw(HERE).log_in(BENVOLIO, t.lab.account("benvolio", HERE)["password"])
        friend.send(f"<message to='{again.jid}' type='chat'><body>{text}</body></message>")
        body(again, text)
        stranger, answer = begin(t, "benvolio", f"<resume xmlns='{SM[1:-1]}' previd='{previous}' h='0'/>" + BIND)
        hold(condition(answer.find(SM + "failed")) == "item-not-found", "somebody else's stream was resumed")
        hold(answer.find(BIND2 + "bound") is not None and stranger.jid.startswith(BENVOLIO), "and nothing was bound")
        for one in (again, friend, stranger):
            one.close()


def refused(t):
    """a wrong password and nobody are refused alike, and nothing that was asked for beside is done"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    raw = t.raw(HERE)
    raw.secure(HERE)
    for user, secret in (("romeo", "wrong"), ("nobody", "wrong")):
        answer = raw.authenticate(user, secret, BIND, "SCRAM-SHA-512")
        hold(answer.tag == SASL2 + "failure" and condition(answer) == "not-authorized", f"{user}: {condition(answer)}")
    answer = raw.authenticate("romeo", t.lab.account("romeo", HERE)["password"], BIND)
    hold(raw.jid.startswith(f"{ROMEO}/Raw/"), f"then the right one does not: {condition(answer)}")


def given(t):
    """A token, given to AGENT at a login by password."""
    raw, answer = begin(t, inside=AGENT + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>")
    raw.close()
    return answer.find("{urn:xmpp:fast:0}token").get("token")


def shown(t, token, inside=BIND, **more):
    raw = t.raw(HERE)
    raw.secure(HERE)
    return raw, raw.show_token("romeo", token, inside, **more)


def revoked(t):
    """an admin sees the clients that hold tokens, and takes those of one: it opens no more, and its streams end, the running
    one and the one that could be resumed"""
    lab = t.make_lab([HERE], {HERE: ["romeo"]})
    token = given(t)
    listed = lab.causeway(HERE, "account", "clients", ROMEO).strip().split("\t")
    hold(listed[0] == AGENT.split("'")[1] and listed[2:] == ["Raw", "Lab"], f"the list says {listed}")
    raw, answer = shown(t, token)
    hold(name_of(answer) == "success", f"the token does not open: {condition(answer)}")
    other = t.raw(HERE).log_in(ROMEO, t.lab.account("romeo", HERE)["password"])
    lab.causeway(HERE, "account", "revoke", ROMEO, listed[0])
    hold(condition(raw.next()) == "not-authorized", "the running stream goes on")
    _, answer = shown(t, token)
    hold(condition(answer) == "not-authorized", "a token that was taken opens")
    hold(lab.causeway(HERE, "account", "clients", ROMEO) == "", "it is still listed")
    other.iq("get", "<ping xmlns='urn:xmpp:ping'/>", HERE)  # another client is not touched
    given(t)
    raw, answer = begin(t, inside=BIND)
    previous = answer.find(f"{BIND2}bound/{SM}enabled").get("id")
    raw.drop()
    lab.causeway(HERE, "account", "revoke", ROMEO, listed[0])
    log = Path(lab.community(HERE)["log"])
    wait_for(lambda: log.read_text().count("1 links ended with the client that was revoked") == 2, "the end of the stream")
    _, answer = begin(t, inside=f"<resume xmlns='{SM[1:-1]}' previd='{previous}' h='0'/>" + BIND)
    hold(condition(answer.find(SM + "failed")) == "item-not-found", "the stream of a client that was revoked was resumed")


def disabled(t):
    """disabling an account takes its tokens, from a shell as by a form; they do not come back when it is enabled"""
    lab = t.make_lab([HERE], {HERE: ["romeo"]})
    admin = t.raw(HERE).log_in(f"admin@{HERE}", lab.account("admin", HERE)["password"])

    def by_form(node):
        command = f"<command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#{node}'"
        first = admin.iq("set", command + "/>", HERE)[0]
        form = (f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/admin</value></field>"
                f"<field var='accountjids'><value>{ROMEO}</value></field></x>")
        done = admin.iq("set", f"{command} sessionid='{first.get('sessionid')}'>{form}</command>", HERE)
        hold(done[0].get("status") == "completed", f"{node}: {condition(done)}")
    for off, on in ((lambda: lab.causeway(HERE, "account", "disable", ROMEO), lambda: lab.causeway(HERE, "account", "enable", ROMEO)),
                    (lambda: by_form("disable-user"), lambda: by_form("reenable-user"))):
        token = given(t)
        off()
        hold(lab.causeway(HERE, "account", "clients", ROMEO) == "", "a client is still listed")
        on()
        _, answer = shown(t, token)
        hold(condition(answer) == "not-authorized", f"the token opens again: {name_of(answer)}")


def own_clients(t):
    """a person sees what is logged in as them, and logs one out, then all others: tokens and streams, not the own"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    password = t.lab.account("romeo", HERE)["password"]
    token = given(t)
    tokened, _ = shown(t, token)
    plain = t.raw(HERE).log_in(ROMEO, password, "plain")
    other = AGENT.replace("d4565fa7", "00000000").replace("Lab", "Home")
    mine, answer = begin(t, inside=BIND.replace(AGENT, other) + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>")
    kept = answer.find("{urn:xmpp:fast:0}token").get("token")
    CLIENTS, X = "urn:causeway:clients:1", "{jabber:x:data}"

    def perform(node, inside="", session=None):
        attrs = f"node='{CLIENTS}#{node}'" + (f" sessionid='{session}'" if session else "")
        return mine.iq("set", f"<command xmlns='http://jabber.org/protocol/commands' {attrs}>{inside}</command>", ROMEO)[0]

    def table():
        found = perform("my-clients").find(X + "x")
        rows = [{f.get("var"): f.findtext(X + "value") or None for f in item} for item in found.findall(X + "item")]
        return {r["client"]: (r["name"], r["software"], r["now"], r["by"]) for r in rows}
    ids = [a.split("'")[1] for a in (AGENT, other)]
    want = {ids[0]: ("Lab", "Raw", "yes", "token"), ids[1]: ("Home", "Raw", "yes, this one", "token"),
            plain.jid: ("plain", None, "yes", "password")}
    hold(table() == want, f"the list says {table()}")
    CAM = "{urn:xmpp:cam:0}"
    listed = mine.iq("get", "<list xmlns='urn:xmpp:cam:0'/>")[0]
    rows = {c.get("id"): (c.get("connected"), c.get("type"), [a.tag for a in c.find(CAM + "auth")],
                          c.find(CAM + "permission").get("status"), c.findtext(f"{CAM}user-agent/{CAM}device")) for c in listed}
    tokens = [CAM + "password", CAM + "fast"]
    want = {ids[0]: ("true", "session", tokens, "unrestricted", "Lab"), ids[1]: ("true", "session", tokens, "unrestricted", "Home"),
            plain.jid: ("true", "session", tokens[:1], "unrestricted", "plain")}
    hold(listed.tag == CAM + "clients" and rows == want, f"XEP-0494 lists {rows}")
    form = perform("log-out")
    options = {o.findtext(X + "value") for o in form.iter(X + "option")}
    hold(options == {ids[0], plain.jid}, f"what can be logged out: {options}")
    done = perform("log-out", f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{CLIENTS}</value></field>"
                   f"<field var='client'><value>{ids[0]}</value></field></x>", form.get("sessionid"))
    hold(done.get("status") == "completed", "it was not logged out")
    hold(condition(tokened.next()) == "not-authorized", "its stream goes on")
    hold(condition(shown(t, token)[1]) == "not-authorized", "its token opens")
    tokened, answer = shown(t, given(t))
    hold(name_of(answer) == "success", f"a new token does not open: {name_of(answer)} {condition(answer)}")
    for i, expected in ((ids[0], "password-reset-required"), (ids[0], None), ("romeo@capulet.example/x", None)):
        error = mine.iq("set", f"<revoke xmlns='urn:xmpp:cam:0' id='{i}'/>")
        if expected:
            hold(condition(error) == "service-unavailable" and error.find(f".//{CAM}{expected}") is not None, "revoked without a word of the password")
        else:
            hold(condition(error) == "item-not-found", f"revoked what is not there: {condition(error)}")
    hold(condition(tokened.next()) == "not-authorized", "its stream goes on, says XEP-0494")
    token = given(t)
    hold(perform("log-out-others").get("status") == "completed", "the others were not logged out")
    hold(condition(plain.next()) == "not-authorized", "another stream goes on")
    hold(condition(shown(t, token)[1]) == "not-authorized", "another token opens")
    hold(set(table()) == {ids[1]}, f"left are {table()}")
    again = t.raw(HERE)
    again.secure(HERE)
    hold(name_of(again.show_token("romeo", kept, BIND.replace(AGENT, other))) == "success", "the own token was taken too")


def tokens(t):
    """a token opens a bound stream in one round trip, also after a kill; a count does not come twice, nor after a kill;
    a new password takes it back"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    _, answer = begin(t, inside=BIND + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>")
    token = answer.find("{urn:xmpp:fast:0}token").get("token")
    raw, answer = shown(t, token, count=1)
    hold(raw.jid.startswith(f"{ROMEO}/Raw/"), f"the token does not open: {condition(answer)}")
    for kill in (False, True):
        if kill:
            t.lab.kill(HERE)
            t.lab.start(HERE)
        _, answer = shown(t, token, count=1)
        hold(condition(answer) == "not-authorized", f"a count came twice{', after a kill' * kill}: {name_of(answer)}")
    raw, answer = shown(t, token, count=2)
    hold(name_of(answer) == "success", f"the next count does not open: {condition(answer)}")
    t.lab.causeway(HERE, "account", "password", ROMEO, stdin=t.lab.account("romeo", HERE)["password"] + "\n")
    hold(condition(raw.next()) == "not-authorized", "a new password leaves the stream open")
    _, answer = shown(t, token, count=3)
    hold(condition(answer) == "not-authorized", "a new password leaves the token")


if __name__ == "__main__":
    suite.main(__doc__, at_once, resumed, refused, tokens, revoked, disabled, own_clients)
