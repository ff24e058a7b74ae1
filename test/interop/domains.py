#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Communities come and go while the gateway runs: SIGHUP has it read its configuration anew. Who is there is not disturbed; a
configuration with a mistake changes nothing. DOMAINS says how many come at once (100)."""
import os
import re
import secrets
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.authority import Authority, run  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.process import size_of  # noqa: E402
from lablib.raw import Ended, condition, name_of  # noqa: E402
from lablib.suite import befriend, hold, token  # noqa: E402

HERE, THERE = "montague.example", "capulet.example"
ROMEO, BENVOLIO, JULIET = f"romeo@{HERE}", f"benvolio@{HERE}", f"juliet@{THERE}"
DOMAINS = int(os.environ.get("DOMAINS", "100"))


class Gateway:
    """The lab's gateway for HERE, and the folder of what its configuration includes."""

    def __init__(self, t, more=(), **options):
        self.t = t
        t.make_lab([HERE, THERE], {HERE: ["romeo", "benvolio"], THERE: ["juliet"]}, remotes={d: 10 for d in more},
                   options='include = "communities.d/*.conf"', **options)
        c = t.lab.community(HERE)
        self.pid, self.log, self.config = c["pid"], Path(c["log"]), Path(c["config"])
        self.folder = self.config.parent / "communities.d"
        self.authority = Authority(Path(t.lab.state["ca"]).parent)
        self.folder.mkdir()
        self.key, self.public = self.folder / "all.key", self.folder / "all.pub"
        run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(self.key))
        run("ec", "-in", str(self.key), "-pubout", "-out", str(self.public))

    def certify(self, domain):
        chain, extensions = self.folder / f"{domain}.pem", self.folder / f"{domain}.ext"
        extensions.write_text(f"subjectAltName=DNS:{domain}\n")
        run("x509", "-new", "-subj", f"/CN={domain}", "-force_pubkey", str(self.public), "-CA", str(self.authority.cert), "-CAkey", str(self.authority.key),
            "-set_serial", str(secrets.randbits(63)), "-days", "30", "-extfile", str(extensions), "-out", str(chain))
        extensions.unlink()
        return chain

    def write(self, domain, more=""):
        (self.folder / f"{domain}.conf").write_text(
            f'community "{domain}" {{\n    certificate = "{self.folder / domain}.pem"\n    key = "{self.key}"\n    {more}\n}}\n')

    def add(self, *domains):
        """Written and certified, in time for the next SIGHUP; all have romeo."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.certify, domains))
        for domain in domains:
            self.write(domain)
        for at in range(0, len(domains), 200):
            self.t.lab.add_accounts_of(HERE, [f"romeo@{d}" for d in domains[at:at + 200]])

    def drop(self, domain):
        (self.folder / f"{domain}.conf").unlink()

    def reload(self, *patterns):
        """SIGHUP, and until the log says all of these."""
        offset = size_of(self.log)
        os.kill(self.pid, signal.SIGHUP)

        def said():
            text = self.log.read_bytes()[offset:].decode(errors="replace")
            return text if all(re.search(p, text) for p in patterns) else None
        return suite.wait_for(said, f"{patterns} in the log")

    def memory(self):
        """KiB."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text()).group(1))

    def terminal(self, jid):
        """At the gateway's door, whatever the domain."""
        raw = self.t.raw(HERE)
        account = self.t.lab.account(*jid.split("@"))
        raw.log_in(jid, account["password"])
        raw.send("<presence/>")
        return raw


def hears(raw, text):
    while True:
        element = raw.next()
        if element.tag == C + "message" and element.findtext(C + "body") == text:
            return element


def come(count, go):
    return (rf"SIGHUP: .* was read: {count} communities come, {go} go",)


def many(t):
    """many come at once; people of one log in, of another community's gateway they are reached; who was there notices nothing"""
    names = [f"d{n}.example" for n in range(DOMAINS)]
    g = Gateway(t, more=(names[0], names[-1]))
    romeo, benvolio, juliet = t.strophe(ROMEO), t.strophe(BENVOLIO), t.strophe(JULIET)
    befriend(romeo, juliet)
    witness = g.terminal(BENVOLIO)
    before = g.memory()
    g.add(*names)
    g.reload(*come(DOMAINS, 0))
    t.note(f"{(g.memory() - before) / DOMAINS:.1f} KiB of memory a community with {DOMAINS} ({t.preset})")
    first, last = f"romeo@{names[0]}", f"romeo@{names[-1]}"
    one, other = g.terminal(first), g.terminal(last)
    for domain in (names[0], names[-1]):
        shown = t.raw(HERE)
        shown.secure(domain)
        hold(("DNS", domain) in shown.sock.getpeercert()["subjectAltName"], f"{domain} shows another certificate")
    text = token()
    one.send(f"<message to='{last}' type='chat'><body>{text}</body></message>")  # a stranger of the same gateway
    one.send(f"<presence type='subscribe' to='{JULIET}'/>")
    juliet.wait(lambda s: s.get("type") == "subscribe" and s.get("from") == first, "the wish of a new community's romeo")
    juliet.send(f"<presence type='subscribed' to='{first}'/><presence type='subscribe' to='{first}'/>")
    while one.next().get("type") != "subscribe":
        pass
    one.send(f"<presence type='subscribed' to='{JULIET}'/>")
    text = token()
    juliet.message(first, text)
    hears(one, text)
    text = token()
    one.send(f"<message to='{JULIET}' type='chat'><body>{text}</body></message>")
    juliet.wait_body(text, one.jid)
    romeo.message(BENVOLIO, "still here")
    benvolio.wait_body("still here", ROMEO)
    hears(witness, "still here")
    romeo.message(JULIET, "over the stream of before")
    juliet.wait_body("over the stream of before", ROMEO)
    hold(other.iq("get", "<ping xmlns='urn:xmpp:ping'/>", names[-1]).get("type") == "result", "the last one's domain does not answer")


def goes(t):
    """one goes: its streams end by host-gone, nobody else's; what waits for its people waits in the store, and is there when it comes again"""
    name, stays = "verona.example", "mantua.example"
    g = Gateway(t, more=(name, stays))
    g.add(name, stays)
    g.reload(*come(2, 0))
    mine, his = f"romeo@{name}", f"romeo@{stays}"
    romeo, juliet, benvolio = g.terminal(mine), t.strophe(JULIET), t.strophe(BENVOLIO)
    watcher = g.terminal(his)
    halfway = t.raw(HERE)
    halfway.secure(name)
    juliet.send(f"<presence type='subscribe' to='{mine}'/>")
    while romeo.next().get("type") != "subscribe":
        pass
    romeo.send(f"<presence type='subscribed' to='{JULIET}'/>")
    juliet.wait(lambda s: s.tag == C + "presence" and s.get("from") == romeo.jid, "romeo's presence")
    g.drop(name)
    g.reload(*come(0, 1))
    for raw in (romeo, halfway):
        try:
            while name_of(error := raw.next()) != "error":
                pass
        except Ended as e:
            hold(False, f"no stream error: {e}")
        hold(condition(error) == "host-gone" or "host-gone" in [name_of(x) for x in error], f"it ended by {condition(error)}")
    juliet.wait(lambda s: s.get("type") == "unavailable" and s.get("from") == romeo.jid, "romeo's log-off")
    g.reload(rf"no more serving {name}")
    raw = t.raw(HERE)
    raw.open(name)
    hold("host-unknown" in [name_of(x) for x in raw.next()], "a stream to the domain is not refused")
    juliet.message(mine, "to nobody")
    juliet.wait(lambda s: s.get("type") == "error" and s.get("from", "").startswith(mine), "the error for a message to who is gone")
    benvolio.message(BENVOLIO, "still here")
    hold(watcher.iq("get", "<ping xmlns='urn:xmpp:ping'/>", stays).get("type") == "result", "who stays was disturbed")
    g.write(name)
    g.reload(*come(1, 0))
    again = g.terminal(mine)
    roster = again.iq("get", "<query xmlns='jabber:iq:roster'/>")
    hold(any(i.get("jid") == JULIET and i.get("subscription") == "from" for i in roster.iter("{jabber:iq:roster}item")), "the roster is gone")
    text = token()
    juliet.message(mine, text)
    hears(again, text)


def mistakes(t):
    """a configuration with a mistake, or a certificate that is none, changes nothing, and file and line are named; what needs a restart is named"""
    name = "verona.example"
    g = Gateway(t, more=(name,))
    g.add(name, "mantua.example")
    g.write(name, "colour = 1")
    g.reload(rf"communities.d/{name}.conf:4: no such option 'colour'", "nothing has changed")
    g.write(name)
    chain = g.folder / f"{name}.pem"
    good = chain.read_text()
    chain.write_text("no certificate\n")
    g.reload(rf'certificate of {name}: {chain}', "nothing has changed")
    for domain in (name, "mantua.example"):
        raw = t.raw(HERE)
        raw.open(domain)
        hold("host-unknown" in [name_of(x) for x in raw.next()], f"{domain} is served")
    chain.write_text(good)
    g.config.write_text(g.config.read_text().replace("sms_per_day = 1000", "sms_per_day = 1001").replace("gateway {", "gateway {\n    idle_seconds = 299"))
    g.reload(*come(2, 0), rf'community "{HERE}": sms_per_day has changed, which needs a restart', "gateway: idle_seconds has changed")
    g.terminal(f"romeo@{name}")


def ourselves(t):
    """what is for a domain of ours never leaves; a domain whose DNS leads back to us, and that we do not serve, is refused, and does not loop"""
    ghost, name = "ghost.example", "verona.example"
    g = Gateway(t, more=(ghost, name))
    g.add(name)
    g.reload(*come(1, 0))
    romeo, his = t.strophe(ROMEO), g.terminal(f"romeo@{name}")
    his.send(f"<presence type='subscribe' to='{ROMEO}'/>")
    romeo.wait(lambda s: s.get("type") == "subscribe", "the wish of another community of the same gateway")
    romeo.send(f"<presence type='subscribed' to='romeo@{name}'/>")
    text = token()
    romeo.message(f"romeo@{name}", text)
    hears(his, text)
    said = g.log.read_text()
    hold(f">{name}]" not in said and f"{name}>" not in said, "a stream between our own domains")
    romeo.message(f"nobody@{ghost}", "boo")
    error = romeo.wait(lambda s: s.get("type") == "error" and s.get("from", "").endswith(ghost), "the error for a message to ourselves")
    hold(error.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}remote-server-not-found") is not None, "another error")
    romeo.settle()
    hold(g.log.read_text().count("host-unknown") <= 4, "it loops")


if __name__ == "__main__":
    suite.main(__doc__, many, goes, mistakes, ourselves)
