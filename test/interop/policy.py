#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whom a community federates with, and what its admin is told when a way is not open: with Debian's Prosody as the other
one, by the words of `causewayctl federation explain`."""
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from adhoc import as_json, ctl  # noqa: E402
from lablib import suite  # noqa: E402
from lablib.authority import Authority  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.federation import OURS, PARIS, ROMEO, TYBALT, VERONA, talk  # noqa: E402
from lablib.peers import Prosody  # noqa: E402
from lablib.suite import ask_until, befriend, hold, token  # noqa: E402

STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


def make(t, remotes=(), **options):
    t.make_home(OURS, ["romeo"], remotes={VERONA: 101, **dict(remotes)}, **options)


def explained(t, domain):
    """{direction: what is said of it}, and the steps."""
    told = as_json(t, "federation", "explain", domain)
    lines = [line for n in told["notes"] for line in n["text"].split("\n")]
    notes = {"out" if line.startswith("The way out ") else "in": line for line in lines}
    hold(set(notes) == {"out", "in"}, f"explained: {told}")
    return notes, told["items"]


def refused(client, to, condition):
    """The error that a message gets, and its text."""
    ident = token()
    client.message(to, "is this heard?", ident=ident)
    error = client.wait(lambda s: s.get("type") == "error" and s.get("id") == ident, f"the error for what was said to {to}").find(C + "error")
    hold(error.find(STANZAS + condition) is not None, f"the error is {[e.tag for e in error]}, not {condition}")
    return error.findtext(STANZAS + "text") or ""


def has(told, *parts):
    for part in parts:
        hold(part in told, f"{part!r} is not said: {told}")


def explanations(t):
    """a domain that is nowhere, a port where nobody listens, a server that goes and comes again"""
    make(t, remotes={"shut.example": 102})
    romeo = t.strophe(ROMEO)
    notes, _ = explained(t, "nowhere.example")
    has(notes["out"], "was not tried lately")
    refused(romeo, "x@nowhere.example", "remote-server-not-found")
    notes, steps = explained(t, "nowhere.example")
    has(notes["out"], "not open: no-such-domain (DNS)", "Is nowhere.example spelt right?", "SRV _xmpp-server._tcp.nowhere.example")
    hold(any(s["step"] == "DNS" for s in steps), f"the steps are {steps}")
    romeo.message("x@shut.example", "is anybody there?")
    ask_until(lambda: "port-closed (TCP)" in explained(t, "shut.example")[0]["out"], "the closed port to be told")
    has(explained(t, "shut.example")[0]["out"], "nothing listens at that port")

    verona = t.peer_server(VERONA, 101, ["tybalt", "paris"])
    tybalt = t.slix(TYBALT)
    befriend(romeo, tybalt)
    talk(romeo, tybalt)
    notes, steps = explained(t, VERONA)
    for way in ("out", "in"):
        has(notes[way], "is open since")
    done = {s["step"] for s in steps if s["direction"] == "out" and s["result"] == "ok"}
    hold({"DNS", "TCP", "TLS", "certificate", "authentication"} <= done, f"well are {done}: {steps}")
    tybalt.close()
    verona.stop()
    romeo.message(TYBALT, "in the dark")
    ask_until(lambda: "port-closed" in explained(t, VERONA)[0]["out"], "the outage to be told")
    has(explained(t, VERONA)[0]["out"], "It was open until")
    verona.start()
    ask_until(lambda: "is open since" in explained(t, VERONA)[0]["out"], "the way to be open again")
    hold("is open since" in ctl(t, "federation-explain", "--remote", VERONA), "the command by its own name says something else")


def denied(t):
    """a domain on a list: both sides' people get named errors; taken off it, they talk"""
    shunned = t.folder / "shunned.txt"
    shunned.write_text(f"# for the test\n{VERONA}\n")
    make(t, extra=f'federation_deny_files = {{ "{shunned}" }}')
    t.peer_server(VERONA, 101, ["tybalt", "paris"])
    romeo, tybalt = t.strophe(ROMEO), t.slix(TYBALT)
    ask_until(lambda: "a list of 1 is read" in Path(t.lab.community(OURS)["log"]).read_text(), "the list to be read")
    text = refused(romeo, TYBALT, "not-allowed")
    hold("our policy denies streams with this domain" in text, f"romeo is told {text!r}")
    ident = token()
    tybalt.message(ROMEO, "may I?", ident=ident)
    error = tybalt.wait(lambda s: s.get("type") == "error" and s.get("id") == ident, "the error for tybalt")
    hold("policy" in (error.findtext(f"{C}error/{STANZAS}text") or ""), f"tybalt is told {[e.tag for e in error.find(C + 'error')]}: "
         f"{error.findtext(f'{C}error/{STANZAS}text')}")
    notes, _ = explained(t, VERONA)
    for way in ("out", "in"):
        has(notes[way], "not open: our-policy (policy)", "a list of such domains", "The configuration of this gateway decides so")
    shunned.write_text("# nobody\n")
    ask_until(lambda: "a list of 0 is read" in Path(t.lab.community(OURS)["log"]).read_text(), "the list to be read anew")
    befriend(romeo, tybalt)
    talk(romeo, tybalt)


def certificates(t):
    """who must show a certificate of the name and has another one is kept out, and why is told; with a right one they talk"""
    make(t, extra='federation_certificate = "required"')
    verona = t.peer_server(VERONA, 101, ["tybalt", "paris"])
    right = verona.config.read_text()
    chain, key = Authority(Path(t.lab.state["ca"]).parent).issue("padua.example", t.folder)
    verona.stop()
    verona.config.write_text(right.replace(f"{verona.folder}/{VERONA}.pem", str(chain)).replace(f"{verona.folder}/{VERONA}.key", str(key))
                             .replace(f'certificates = "{verona.folder}"', f'certificates = "{t.folder}"'))
    hold(verona.config.read_text() != right, "the certificate is not where the test looks for it")
    verona.start()
    romeo = t.strophe(ROMEO)
    text = refused(romeo, TYBALT, "remote-server-timeout")
    hold("certificate" in text, f"romeo is told {text!r}")
    notes, steps = explained(t, VERONA)
    has(notes["out"], "certificate-wanted (policy)", "certificate")
    found = [s for s in steps if s["direction"] == "out" and s["step"] == "certificate"]
    hold(found and found[0]["result"] == "certificate-lacks-the-name" and "it names padua.example" in found[0]["text"], f"certificates: {found}")
    verona.stop()
    verona.config.write_text(right)
    verona.start()
    tybalt = t.slix(TYBALT)
    befriend(tybalt, romeo)
    talk(tybalt, romeo)
    notes, steps = explained(t, VERONA)
    for way in ("out", "in"):
        has(notes[way], "is open since")


def block_list(t):
    """somebody on a list that Prosody's pubsub keeps is refused; taken off it, they are heard"""
    service = f"lists.{VERONA}"
    make(t, remotes={service: 101}, extra=f'federation_block_lists = {{ "{service}/spam" }}')
    verona = t.peer_server(VERONA, 101, ["tybalt", "paris"])
    verona.stop()
    with verona.config.open("a") as config:
        config.write(f'Component "{service}" "pubsub"\n    admins = {{ "{TYBALT}" }}\n')
    verona.start()
    tybalt, paris, romeo = t.slix(TYBALT), t.slix(PARIS), t.strophe(ROMEO)
    log = Path(t.lab.community(OURS)["log"])
    entry = hashlib.sha256(PARIS.encode()).hexdigest()

    def ask(inside):
        answer = tybalt.iq("set", f"<pubsub xmlns='http://jabber.org/protocol/pubsub'>{inside}</pubsub>", service)
        hold(answer.get("type") == "result", f"the service refuses {inside}: {[e.tag for e in answer.iter()]}")
    ask("<create node='spam'/>")
    ask("<publish node='spam'><item id='{}'><entry xmlns='urn:example:entry'/></item></publish>".format(hashlib.sha256(b"nobody@padua.example").hexdigest()))
    ask_until(lambda: f"block list {service}/spam: 1 entries" in log.read_text(), "the list")  # asked again: it came after us
    ask(f"<publish node='spam'><item id='{entry}'><entry xmlns='urn:example:entry'/></item></publish>")
    ask_until(lambda: f"block list {service}/spam: 2 entries" in log.read_text(), "the new entry")
    befriend(romeo, tybalt)
    talk(romeo, tybalt)
    ident = token()
    paris.message(ROMEO, "let me in", ident=ident)
    error = paris.wait(lambda s: s.get("type") == "error" and s.get("id") == ident, "the refusal")
    hold(error.find(f"{C}error/{STANZAS}policy-violation") is not None, "the refusal is another")
    ask(f"<retract node='spam' notify='1'><item id='{entry}'/></retract>")
    ask_until(lambda: log.read_text().count(f"block list {service}/spam: 1 entries") == 2, "the entry to be gone")
    paris.message(ROMEO, "and now?")
    romeo.wait(lambda s: "and now?" in (s.findtext(C + "body") or ""), "the request of one who is not blocked any more")


if __name__ == "__main__":
    suite.main(__doc__, explanations, denied, certificates, block_list, peer=Prosody)
