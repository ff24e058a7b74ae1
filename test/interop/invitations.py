#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""From an invitation to an account that is logged in and has its inviter as a contact: by hand over STARTTLS and over
WebSocket, by a stock client library, and after a kill right behind the answer."""
import asyncio
import ssl
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.process import PATIENCE, Failed  # noqa: E402
from lablib.raw import SASL, condition  # noqa: E402
from lablib.slix import slixmpp  # noqa: E402
from lablib.suite import ask_until, hold  # noqa: E402
from lablib.web import Web  # noqa: E402

HERE, THERE = "montague.example", "capulet.example"
ROMEO = f"romeo@{HERE}"
ROSTER, REGISTER, X = "{jabber:iq:roster}", "jabber:iq:register", "{jabber:x:data}"


def invite(t, who=HERE, *words):
    """The token of an invitation that the machine's admin makes."""
    first = t.lab.causeway(HERE, "invite", "create", who, *words).splitlines()
    hold(first[0].startswith("xmpp:") and "?register;preauth=" in first[0], f"the address is {first[0]}")
    hold(first[1] == f"https://{HERE}:5443/invite/{first[0].split('=')[1]}", f"the page is {first[1]}")
    return first[0].split("=")[1]


def invited_by(raw, domain=HERE):
    """What the ad-hoc command gives whoever is logged in there."""
    done = raw.iq("set", "<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:invite#invite'/>", domain)
    hold(done.get("type") == "result", f"no invitation: {condition(done)}")
    return {f.get("var"): f.findtext(X + "value") for f in done.iter(X + "field")}


def logged_in(t, name):
    return t.raw(HERE).log_in(f"{name}@{HERE}", t.lab.account(name, HERE)["password"])


def show(raw, token):
    return raw.iq("set", f"<preauth xmlns='urn:xmpp:pars:0' token='{token}'/>", HERE)


def register(raw, name, password="secret"):
    return raw.iq("set", f"<query xmlns='{REGISTER}'><username>{name}</username><password>{password}</password></query>")


def contacts(raw):
    found = raw.iq("get", "<query xmlns='jabber:iq:roster'/>").iter(ROSTER + "item")
    return {i.get("jid"): i.get("subscription") for i in found}


def enter(raw, name, password="secret"):
    """On the stream that has registered."""
    answer = raw.auth_scram(name, password)
    hold(answer.tag == SASL + "success", f"{name} cannot log in: {condition(answer)}")
    raw.open(HERE)
    raw.bind()
    return raw


def by_hand(t):
    """over STARTTLS and over WebSocket: registered, logged in, and both are contacts"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    romeo = logged_in(t, "romeo")
    contacts(romeo)
    romeo.send("<presence/>")
    for n, open_one in enumerate((lambda: t.raw(HERE), lambda: t.keep(Web(f"wss://{t.lab.community(HERE)['websocket']}/xmpp-websocket", HERE,
                                                                          t.lab.state["ca"])))):
        name = f"friend{n}"
        token = invite(t, HERE, "from", ROMEO)
        raw = open_one()
        raw.secure(HERE)
        offered = {f.tag for f in raw.features}
        hold("{urn:xmpp:ibr-token:0}register" in offered, f"what is offered is {offered}")
        hold(condition(register(raw, name)) == "not-allowed", "a stranger could register")
        hold(condition(show(raw, "a" * 22)) == "item-not-found", "a made-up token holds")
        hold(show(raw, token).get("type") == "result", "the token does not hold")
        form = raw.iq("get", f"<query xmlns='{REGISTER}'/>")
        hold({f.tag for f in form[0]} >= {f"{{{REGISTER}}}username", f"{{{REGISTER}}}password"}, "the form lacks fields")
        hold(condition(register(raw, "romeo")) == "conflict", "a name that is taken can be had")
        answer = register(raw, name)
        hold(answer.get("type") == "result", f"no account: {condition(answer)}")
        enter(raw, name)
        hold(contacts(raw) == {ROMEO: "both"}, f"the contacts are {contacts(raw)}")
        raw.send("<presence/>")
        while not (lambda e: e.tag.endswith("}presence") and e.get("from", "").startswith(ROMEO))(raw.next()):
            pass
        hold(contacts(romeo).get(f"{name}@{HERE}") == "both", "the inviter was not told")
        hold(condition(show(t_secure(t), token)) == "item-not-found", "the token holds twice")
    listed = t.lab.causeway(HERE, "invite", "list")
    hold(listed.count("left 0") == 2 and f"used by friend1@{HERE}" in listed, f"the list says {listed}")


def t_secure(t):
    raw = t.raw(HERE)
    raw.secure(HERE)
    return raw


class Newcomer(slixmpp.ClientXMPP):
    """slixmpp's own registration (xep_0077), to which only the token is added before it asks for the form: it knows no
    XEP-0445."""

    def __init__(self, jid, password, token, came):
        super().__init__(jid, password)
        self.seen, self.came = {}, came
        for plugin in ("xep_0030", "xep_0004", "xep_0066", "xep_0077"):
            self.register_plugin(plugin)
        ask = self["xep_0077"].get_registration

        def show_and_ask(*args, **more):
            self.send_raw(f"<iq type='set' id='show' to='{self.boundjid.host}'><preauth xmlns='urn:xmpp:pars:0' token='{token}'/></iq>")
            return ask(*args, **more)
        self["xep_0077"].get_registration = show_and_ask
        self.add_event_handler("register", self.on_register)
        self.add_event_handler("session_start", self.on_start)

    def send(self, data, use_filters=True):
        """Debian's version holds back what xep_0077 says before the session; later ones do as this does."""
        if isinstance(data, slixmpp.Iq) and data.get_plugin("register", check=True):
            self.waiting_queue.put_nowait((data, use_filters))
        else:
            super().send(data, use_filters)

    async def on_register(self, _form):
        wish = self.Iq()
        wish["type"], wish["register"]["username"], wish["register"]["password"] = "set", self.boundjid.user, self.password
        await wish.send()

    async def on_start(self, _event):
        await self.get_roster()
        self.seen = {j: self.client_roster[j]["subscription"] for j in self.client_roster}
        self.came.set()


def library(t):
    """slixmpp's xep_0077, told the token, registers and finds its inviter in the roster"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    token = invite(t, f"rosaline@{HERE}", "from", ROMEO)
    host, port = t.lab.community(HERE)["c2s"].split(":")
    came, made = threading.Event(), []

    def run():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        one = Newcomer(f"rosaline@{HERE}", "secret", token, came)
        one.loop, one.ca_certs = loop, str(t.lab.state["ca"])
        made.append((one, loop))
        one.connect((host, int(port)), force_starttls=True, disable_starttls=False)
        loop.run_forever()
    threading.Thread(target=run, daemon=True).start()
    hold(came.wait(PATIENCE), "slixmpp's session did not come")
    one, loop = made[0]
    hold(one.seen.get(ROMEO) == "both", f"its contacts are {one.seen}")
    loop.call_soon_threadsafe(one.disconnect)


def killed(t):
    """SIGKILL right behind the answer: the account is there, the token is spent, once, and both are contacts"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    for n in range(3):
        token = invite(t, HERE, "from", ROMEO)
        raw = t_secure(t)
        hold(show(raw, token).get("type") == "result", "the token does not hold")
        answer = register(raw, f"friend{n}")
        t.lab.kill(HERE)
        hold(answer.get("type") == "result", f"no account: {condition(answer)}")
        t.lab.start(HERE)
        hold(condition(show(t_secure(t), token)) == "item-not-found", "the token holds after the kill")
        friend = enter(t_secure(t), f"friend{n}")
        hold(contacts(friend) == {ROMEO: "both"}, f"the contacts are {contacts(friend)}")
        romeo = logged_in(t, "romeo")
        ask_until(lambda: contacts(romeo).get(f"friend{n}@{HERE}") == "both", "the inviter's half")
        friend.close()
        romeo.close()
    hold(t.lab.causeway(HERE, "invite", "list").count("left 0") == 3, "a token was not spent, or twice")


def contact(t):
    """a person's invitation lets a stranger of another community in, both ways, without being asked"""
    t.make_lab([HERE, THERE], {HERE: ["romeo"], THERE: ["juliet"]})
    romeo = logged_in(t, "romeo")
    contacts(romeo)
    juliet = t.raw(THERE).log_in(f"juliet@{THERE}", t.lab.account("juliet", THERE)["password"])
    contacts(juliet)
    made = invited_by(romeo)
    hold(made["uri"].startswith(f"xmpp:{ROMEO}?roster;preauth=") and "ibr" not in made["uri"], f"the address is {made['uri']}")
    token = made["uri"].split("=")[1]
    hold(condition(show(t_secure(t), token)) == "item-not-found", "a contact's invitation makes accounts")
    juliet.send(f"<presence type='subscribed' to='{ROMEO}'/>")
    juliet.send(f"<presence type='subscribe' to='{ROMEO}'><preauth xmlns='urn:xmpp:pars:0' token='{token}'/></presence>")
    ask_until(lambda: contacts(juliet).get(ROMEO) == "both" and contacts(romeo).get(f"juliet@{THERE}") == "both", "both to see each other")


def page(t):
    """its page: who invites, the address; taken back, it is like any that never was"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    token = invite(t, HERE, "from", ROMEO)
    context = ssl.create_default_context(cafile=str(t.lab.state["ca"]))
    context.check_hostname = False  # it is asked for by its address
    address = t.lab.community(HERE)["websocket"]

    def get(path, where=f"https://{address}"):
        asked = urllib.request.Request(f"{where}/invite/{path}", headers={"Host": HERE})
        try:
            with urllib.request.urlopen(asked, context=context if where.startswith("https") else None, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
    for where in (f"https://{address}", f"http://{t.lab.community(HERE)['http']}"):
        status, text = get(token, where)
        hold(status == 200 and f"xmpp:{HERE}?register;preauth={token}" in text and ROMEO in text, f"the page is {status} {text}")
    ident = t.lab.causeway(HERE, "invite", "list").split("\t")[0]
    t.lab.causeway(HERE, "invite", "revoke", HERE, ident)
    hold(get(token) == get("a" * 22) and get(token)[0] == 404, "one that was taken back is told apart")
    hold(condition(show(t_secure(t), token)) == "item-not-found", "one that was taken back holds")


def own_account(t):
    """XEP-0077 when logged in: a new password ends the other streams and not this one; the account's end ends all"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    one, other = logged_in(t, "romeo"), logged_in(t, "romeo")
    hold(register(one, "romeo", "thorn").get("type") == "result", "the password was not set")
    hold(condition(other.next()) == "not-authorized", "the other stream goes on")
    one.iq("get", "<ping xmlns='urn:xmpp:ping'/>", HERE)
    again = enter(t_secure(t), "romeo", "thorn")
    hold(one.iq("set", f"<query xmlns='{REGISTER}'><remove/></query>").get("type") == "result", "the account stays")
    for raw in (one, again):
        hold(condition(raw.next()) == "not-authorized", "a stream goes on")
    try:
        t.raw(HERE).log_in(ROMEO, "thorn")
    except Failed:
        pass
    else:
        raise Failed("the account is still there")


if __name__ == "__main__":
    suite.main(__doc__, by_hand, library, killed, contact, page, own_account)
