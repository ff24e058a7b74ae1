#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ad-hoc commands: slixmpp's xep_0050 as a stock client, and causewayctl end to end."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.lab import PROVIDER, ROOT, find_program  # noqa: E402
from lablib.suite import ask_until, hold, wait_for  # noqa: E402
from slixmpp.exceptions import IqError  # noqa: E402

HERE, THERE = "montague.example", "capulet.example"
ROMEO, ADMIN = f"romeo@{HERE}", f"admin@{HERE}"
PLUGINS = ("xep_0030", "xep_0004", "xep_0050", "xep_0133", "xep_0122")
COMMANDS = "http://jabber.org/protocol/commands"
ADMINS = "http://jabber.org/protocol/admin#"
DEVICES = "urn:causeway:devices:1#"


# ---- slixmpp

def perform(client, to, node, *forms):
    """Runs a command by slixmpp's own workflow, submitting {var: value} a stage; the last iq."""
    left = list(forms)

    def start():
        done = client.loop.create_future()

        def on_answer(iq, session):
            if iq["command"]["status"] == "completed" or not left:
                done.set_result(iq)
                return
            form = iq["command"]["form"]
            answer = client.xmpp["xep_0004"].make_form(ftype="submit")
            for var, value in left.pop(0).items():
                answer.add_field(var=var, value=value, ftype=form.get_fields()[var]["type"])
            session["payload"] = answer
            session["next"] = on_answer
            actions = iq["command"].xml.find(f"{{{COMMANDS}}}actions")
            client.xmpp["xep_0050"].continue_command(session, direction=actions.get("execute"))
        client.xmpp["xep_0050"].start_command(to, node, {"next": on_answer, "error": lambda iq, _: done.set_result(iq)})
        return done
    return client.ask(start)


def note(iq):
    return " ".join(text for _, text in iq["command"]["notes"])


def nodes(client, to):
    found = client.ask(lambda: client.xmpp["xep_0050"].get_commands(to))
    return {item[1] for item in found["disco_items"]["items"]}


def stock_client(t):
    """a person lists, adds, verifies and forgets a device, and asks what would happen; slixmpp shows the forms"""
    lab = t.make_lab([HERE], {HERE: ["romeo"]})
    romeo = t.slix(ROMEO, plugins=PLUGINS)
    own = nodes(romeo, HERE)
    hold({DEVICES + "list", DEVICES + "add", "urn:causeway:contact:1#requests"} <= own, f"the domain offers {own}")
    hold(not any(n.startswith(ADMINS) for n in own), f"a person is shown {own}")
    hold(nodes(romeo, ROMEO) == {n for n in own if not n.startswith("urn:xmpp:invite")}, "the account offers others than the domain")
    info = romeo.ask(lambda: romeo.xmpp["xep_0030"].get_info(jid=HERE, node=DEVICES + "add"))["disco_info"]
    hold(("automation", "command-node", None, "Add a device") in info["identities"], f"the command is {info['identities']}")

    hold("There are none" in note(perform(romeo, HERE, DEVICES + "list")), "there are devices already")
    iq = perform(romeo, ROMEO, DEVICES + "add", {"kind": "email", "address": "romeo@mail.example", "full": True})
    hold(iq["command"]["status"] == "completed", f"adding: {iq}")
    wait_for(lambda: lab.mails(), "the mail with the code")
    code = re.search(r"\b\d{6}\b", lab.mails()[0].get_content()).group()
    hold("verified" in note(perform(romeo, HERE, DEVICES + "verify", {"code": code})).lower(), "the code did not verify it")
    iq = perform(romeo, HERE, DEVICES + "list")
    rows = iq["command"]["form"].get_items()
    hold([(r["address"], r["state"], r["texts"]) for r in rows] == [("romeo@mail.example", "verified", "whole texts")], f"devices: {rows}")

    plan = perform(romeo, HERE, DEVICES + "what-if", {"sender": f"juliet@{THERE}", "at": "2030-01-31T08:00:00Z"})
    hold("stranger" in note(plan), f"what is said of a stranger: {note(plan)}")
    words = plan["command"]["form"].get_values()["plan"]
    hold("e-mail to romeo@mail.example" in str(words), f"the plan: {words}")
    hold(len(lab.mails()) == 1, "the plan was carried out")

    iq = perform(romeo, HERE, DEVICES + "remove", {"device": rows[0]["number"]})
    hold("forgotten" in note(iq), f"forgetting: {note(iq)}")
    hold("no devices" in note(perform(romeo, HERE, DEVICES + "remove")), "there is still a device to forget")


def rules(t):
    """a person lists, adds, moves, changes and forgets rules by forms, and sees which one would decide"""
    lab = t.make_lab([HERE], {HERE: ["romeo"]})
    romeo = t.slix(ROMEO, plugins=PLUGINS)
    hold("no rules" in note(perform(romeo, HERE, DEVICES + "rules")), "there are rules already")
    perform(romeo, HERE, DEVICES + "add", {"kind": "email", "address": "romeo@mail.example", "full": True})
    wait_for(lambda: lab.mails(), "the mail with the code")
    perform(romeo, HERE, DEVICES + "verify", {"code": re.search(r"\b\d{6}\b", lab.mails()[0].get_content()).group()})

    first = {"from": "domain", "name": THERE, "days": ["sat", "sun"], "hours": "22:00-07:00", "zone": "Europe/London",
             "urgency": ["low", "medium"]}
    iq = perform(romeo, HERE, DEVICES + "add-rule", first)
    hold(note(iq) == f"1: for {THERE} on sat,sun at 22:00-07:00 Europe/London if not urgent: nothing", f"adding: {iq}")
    iq = perform(romeo, HERE, DEVICES + "add-rule", {"from": "address", "name": f"juliet@{THERE}", "devices1": ["email", "1"], "after1": "5"})
    hold(note(iq) == f"2: for juliet@{THERE}: email and device 1 after 5 min", f"adding: {iq}")
    hold("first that fits" in note(perform(romeo, HERE, DEVICES + "move-rule", {"rule": "2", "move": "first"})), "moving")
    rows = perform(romeo, HERE, DEVICES + "rules")["command"]["form"].get_items()
    hold([(r["number"], r["whom"], r["when"]) for r in rows] == [("1", f"juliet@{THERE}", "always"),
         ("2", THERE, "on sat,sun at 22:00-07:00 Europe/London if not urgent")], f"rules: {rows}")

    plan = perform(romeo, HERE, DEVICES + "what-if", {"sender": f"juliet@{THERE}", "at": "2030-01-31T08:00:00Z"})
    words = str(plan["command"]["form"].get_values()["plan"])
    hold("your rule 1 decides" in words and "e-mail to romeo@mail.example, in 5 minutes" in words, f"the plan: {words}")
    plan = perform(romeo, HERE, DEVICES + "what-if", {"sender": f"nurse@{THERE}", "at": "2030-02-02T23:00:00Z"})
    words = str(plan["command"]["form"].get_values()["plan"])
    hold("your rule 2 decides" in words and "nothing is sent" in words, f"the plan: {words}")

    iq = perform(romeo, HERE, DEVICES + "change-rule", {"rule": "2"}, {"from": "strangers", "devices1": ["email"]})
    hold(note(iq) == "2: for strangers: email at once", f"changing: {iq}")
    first_form = romeo.ask(lambda: romeo.xmpp["xep_0050"].send_command(HERE, DEVICES + "change-rule"))
    answer = romeo.xmpp["xep_0004"].make_form(ftype="submit")
    answer.add_field(var="rule", value="1", ftype="list-single")
    second = romeo.ask(lambda: romeo.xmpp["xep_0050"].send_command(HERE, DEVICES + "change-rule", sessionid=first_form["command"]["sessionid"],
                                                                   payload=answer, action="next"))
    shown = second["command"]["form"].get_values()
    hold((shown["from"], shown["name"], sorted(shown["devices1"]), shown["after1"]) == ("address", f"juliet@{THERE}", ["1", "email"], "5"),
         f"the form shows {shown}")
    hold("Forgotten" in note(perform(romeo, HERE, DEVICES + "remove-rule", {"rule": "1"})), "forgetting")

    add = DEVICES + "add-rule"
    for what, expected, form in (
            ("no group", "bad-payload", {"from": "group"}),
            ("a line that goes on", "bad-payload", {"from": "address", "name": "juliet@x.example: nothing"}),
            ("a group that goes on", "bad-payload", {"from": "group", "name": 'x": text "'}),
            ("hours that are none", "bad-payload", {"from": "anybody", "hours": "22:00"}),
            ("hours that go on", "bad-payload", {"from": "anybody", "hours": "22:00-07:00:"}),
            ("no such zone", "bad-payload", {"from": "anybody", "hours": "22:00-07:00", "zone": "Verona/Balcony"}),
            ("no clock", "bad-payload", {"from": "anybody", "hours": "22:00-07:00"}),
            ("too late", "bad-payload", {"from": "anybody", "devices1": "email", "after1": "1441"}),
            ("not in order", "bad-payload", {"from": "anybody", "devices1": "email", "after1": "9", "devices2": "email"}),
            ("a device that is not listed", "bad-payload", {"from": "anybody", "devices1": "7"})):
        found = refused(romeo, add, form)
        hold(expected in found, f"{what}: {found}")
    rows = perform(romeo, HERE, DEVICES + "rules")["command"]["form"].get_items()
    hold([r["whom"] for r in rows] == ["strangers"], f"rules: {rows}")


def refused(client, node, form=None, **options):
    """(condition, XEP-0050's) of the error for a first step, or for a second one with that form."""
    def send(**more):
        return client.xmpp["xep_0050"].send_command(HERE, node, **more)
    try:
        if form is not None:
            first = client.ask(lambda: send())
            answer = client.xmpp["xep_0004"].make_form(ftype="submit")
            for var, value in form.items():
                answer.add_field(var=var, value=value, ftype="hidden")
            options = {"sessionid": first["command"]["sessionid"], "payload": answer, "action": "complete", **options}
        client.ask(lambda: send(**options))
    except IqError as e:
        specific = [c.tag.rpartition("}")[2] for c in e.iq["error"].xml if c.tag.startswith(f"{{{COMMANDS}}}")]
        return e.condition, *specific
    return ()


def bad_input(t):
    """what is wrong has the name that XEP-0050 gives it; a person runs none of the admins' commands"""
    lab = t.make_lab([HERE], {HERE: ["romeo"]})
    romeo, admin = t.slix(ROMEO, plugins=PLUGINS), t.slix(ADMIN, plugins=PLUGINS)
    theirs = nodes(admin, HERE) - nodes(romeo, HERE)
    hold(len(theirs) > 10, f"admins have {theirs}")
    for node in theirs:
        hold(refused(romeo, node) == ("forbidden",), f"{node} is not refused to a person")
    add = DEVICES + "add"
    for what, expected, found in (
            ("unknown command", ("item-not-found",), refused(romeo, "no-such")),
            ("unknown action", ("bad-request", "malformed-action"), refused(romeo, add, action="dance")),
            ("not the first action", ("bad-request", "bad-action"), refused(romeo, add, action="prev")),
            ("back from the first step", ("bad-request", "bad-action"), refused(romeo, add, {}, action="prev")),
            ("made-up session", ("bad-request", "bad-sessionid"), refused(romeo, add, sessionid="x", action="next")),
            ("missing field", ("bad-request", "bad-payload"), refused(romeo, add, {"kind": "email"})),
            ("unknown field", ("bad-request", "bad-payload"), refused(romeo, add, {"kind": "email", "address": "a@b.example", "x": "1"})),
            ("not a choice", ("bad-request", "bad-payload"), refused(romeo, add, {"kind": "pigeon", "address": "a@b.example"})),
            ("too long", ("bad-request", "bad-payload"), refused(romeo, add, {"kind": "email", "address": "a" * 300})),
            ("a premium number", ("not-allowed",), refused(romeo, add, {"kind": "sms", "address": "+449001234567"})),
            ("no number", ("bad-request", "bad-payload"), refused(romeo, add, {"kind": "sms", "address": "12"})),
            ("a code that nobody waits for", ("bad-request", "bad-payload"), refused(romeo, DEVICES + "verify", {"code": "123456"})),
            ("two words", ("bad-request", "bad-payload"), refused(romeo, add, {"kind": "email", "address": "a@b.example full"}))):
        hold(found == expected, f"{what}: {found}")
    hold(not lab.mails(), "something was sent")


# ---- causewayctl

def ctl(t, *words, jid=ADMIN, password=None, stdin=None, expect=0, options=()):
    """Its standard output; what it said wrong is in the failure."""
    program = find_program(t.preset).parent / "ctl" / "causewayctl"
    host, port = t.where(jid)[0].rsplit(":", 1)
    env = dict(os.environ, CAUSEWAYCTL_PASSWORD=password or t.where(jid)[1], CAUSEWAYCTL_JID=jid, CAUSEWAYCTL_CA=t.lab.state["ca"])
    done = subprocess.run([str(program), "-H", host, "-P", port, *options, *words], env=env, input=stdin, capture_output=True, text=True,
                          timeout=120, start_new_session=True)  # no terminal: nothing may wait for one
    hold(done.returncode == expect, f"causewayctl {' '.join(words)}: status {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}")
    return done.stdout if expect == 0 else done.stderr


def as_json(t, *words, **more):
    return json.loads(ctl(t, *words, options=("-o", "json"), **more))


def accounts_by_shell(t):
    """an admin adds, lists, disables, changes and deletes an account from a shell, and its links end"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    listed = ctl(t, "list")
    hold(ADMINS + "add-user" in listed and "Add an account" in listed, listed)
    hold(any(c["node"] == DEVICES + "list" for c in as_json(t, "list")), "the JSON has no devices")
    fields = {f["field"]: f for f in as_json(t, "describe", "add-user")}
    hold(fields["password"]["type"] == "text-private" and fields["accountjid"]["required"], f"add-user has {fields}")
    hold("--password-file VALUE (required)" in ctl(t, "describe", "add-user"), "describe does not say how")

    juliet = f"juliet@{HERE}"
    ctl(t, "add-user", "--accountjid", juliet, "--password-file", "-", stdin="first one\n")
    t.lab.state["accounts"].append({"jid": juliet, "password": "first one", "admin": False})
    session = t.strophe(juliet)
    hold("exists already" in ctl(t, "add-user", "--accountjid", juliet, "--password-file", "-", stdin="x\n", expect=6), "it was added twice")
    hold(juliet in as_json(t, "get-registered-users-list", "--max_items", "200")["fields"]["registereduserjids"], "it is not listed")
    hold(juliet in as_json(t, "get-online-users-list")["fields"]["onlineuserjids"], "it is not linked")
    links = as_json(t, "links", "--accountjid", juliet)["items"]
    hold([(l["jid"], l["state"], l["presence"]) for l in links] == [(session.full_jid, "active", "available")], f"links: {links}")
    table = ctl(t, "links", "--accountjid", juliet).split("\n")
    hold(table[0].split() == ["Address", "Link", "Presence", "Priority", "Client", "Login"] and table[1].startswith(session.full_jid), f"table: {table}")

    t.lab.account("juliet", HERE)["password"] = "second one"
    said = ctl(t, "change-user-password", "--accountjid", juliet, "--password-file", "-", stdin="second one\n")
    hold("1 link was ended" in said, said)
    again = t.strophe(juliet)
    ctl(t, "end-user-session", "--accountjids", again.full_jid)
    ctl(t, "disable-user", f"--accountjids={juliet}")
    ctl(t, "list", jid=juliet, expect=3)
    ctl(t, "reenable-user", "--accountjids", juliet)
    ctl(t, "list", jid=juliet)
    ctl(t, "delete-user", "--accountjids", juliet)
    ctl(t, "list", jid=juliet, expect=3)
    hold(juliet not in ctl(t, "get-registered-users-list"), "it is still listed")


def on_terminal(t, *words, answers):
    """(exit status, all that the terminal showed); `answers`: (what it asks, what is typed), in order."""
    program = find_program(t.preset).parent / "ctl" / "causewayctl"
    host, port = t.where(ADMIN)[0].rsplit(":", 1)
    command = [str(program), "-j", ADMIN, "--ca", t.lab.state["ca"], "-H", host, "-P", port, *words]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    shown, left = "", list(answers)
    while True:
        if not select.select([terminal], [], [], suite.PATIENCE)[0]:
            os.kill(pid, signal.SIGKILL)
        try:
            more = os.read(terminal, 4096).decode()
        except OSError:  # the other end is closed
            break
        if not more:
            break
        shown += more
        if left and left[0][0] in shown:
            os.write(terminal, (left.pop(0)[1] + "\n").encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def asked_on_terminal(t):
    """passwords are asked for on the terminal, and not shown there"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    own = t.where(ADMIN)[1]
    status, shown = on_terminal(t, "add-user", "--accountjid", f"nurse@{HERE}",
                                answers=((f"Password for {ADMIN}: ", own), ("\npassword: ", "typed here")))
    hold(status == 0, f"status {status}: {shown}")
    hold("typed here" not in shown and own not in shown, f"the terminal shows {shown!r}")
    t.lab.state["accounts"].append({"jid": f"nurse@{HERE}", "password": "typed here", "admin": False})
    t.strophe(f"nurse@{HERE}")


def refused_by_shell(t):
    """each way to fail has its exit status and its words; a password is never taken from an argument"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    folder = t.folder / "secrets"
    folder.mkdir()
    (folder / "open").write_text("secret\n")
    (folder / "open").chmod(0o644)
    for words, expect, said, more in (
            ((), 2, "which command", {}),
            (("list", "more"), 2, "too much", {}),
            (("list",), 3, "name or the password was refused", {"password": "wrong"}),
            (("list",), 1, "", {"options": ("-P", "9")}),
            (("no-such",), 5, "no such command", {}),
            (("urn:no#such",), 5, "item-not-found", {}),
            (("add-user",), 5, "no such command for this account", {"jid": ROMEO}),
            ((ADMINS + "add-user",), 4, "forbidden", {"jid": ROMEO}),
            (("add-user",), 2, "--accountjid is missing", {}),
            (("add-user", "--accountjid", "x@" + HERE), 2, "password: there is no terminal", {}),
            (("add-user", "--accountjid", "x@" + HERE, "--password", "p"), 2, "give --password-file FILE", {}),
            (("add-user", "--accountjid", "x@" + HERE, "--password-file", str(folder / "open")), 2, "chmod 600", {}),
            (("add-user", "--accountjid", "x@" + HERE, "--password-file", str(folder / "none")), 2, "No such file", {}),
            (("delete-user", "--accountjids", "x@" + HERE, "--colour", "red"), 2, "--colour: the command has no such field", {}),
            (("delete-user", "--accountjids"), 2, "a value is missing", {}),
            (("delete-user", "x"), 2, "is not --field", {}),
            (("delete-user", "--accountjids", "x@" + HERE), 5, "there is no account", {}),
            (("delete-user", "--accountjids", "@"), 6, "is not an address", {}),
            (("delete-user", "--accountjids", ADMIN), 4, "that is the account that you are using", {}),
            (("get-registered-users-list", "--max_items", "7"), 6, "not one of the choices", {})):
        found = ctl(t, *words, expect=expect, **more)
        hold(said in found, f"{words}: it says {found!r}, not {said!r}")
    hold("Exit status" in subprocess.run([str(find_program(t.preset).parent / "ctl" / "causewayctl"), "--help"], capture_output=True,
                                         text=True, check=True).stdout, "--help does not list the exit codes")


def parts_by_shell(t):
    """streams with another community, up and broken; the outbox and one delivery; providers; sessions without words"""
    profile = t.folder / "bad.conf"
    profile.write_text("[profile]\nname = bad\nkinds = sms\nformat = 1\ncolour = red\n")
    lab = t.make_lab([HERE, THERE], {HERE: ["romeo"], THERE: ["juliet"]}, providers=PROVIDER + f'provider "bad" {{ profile = "{profile}" }}\n'
                     f'provider "secretless" {{ profile = "twilio" secret_files = {{ "auth_token={t.folder}/no-token" }} }}\n')
    romeo, juliet = t.strophe(ROMEO), t.strophe(f"juliet@{THERE}")
    romeo.message(f"juliet@{THERE}", "a secret thing")
    juliet.wait(lambda s: s.tag.endswith("message") and s.get("from") == THERE, "the prompt")

    def streams():
        return {(s["remote"], s["direction"]): s for s in as_json(t, "communities")["items"]}
    up = streams()[(THERE, "out")]
    loops = int(os.environ.get("CAUSEWAY_LAB_IO_LOOPS", "0"))  # of several, the other side's may not be the pair's (s2s/README.md)
    hold(up["stream"] == "ours, both ways" or (loops > 1 and up["stream"] == "ours"), f"streams: {up}")
    hold([up[c] for c in ("state", "theirs", "ours")] == ["up", "EXTERNAL", "EXTERNAL"], f"streams: {up}")
    hold(as_json(t, "community")["fields"]["domain"] == HERE, "the community is another one")
    there = f"admin@{THERE}"
    seen = ctl(t, "sessions", jid=there, options=("-o", "json"))
    row = json.loads(seen)["items"][0]
    hold((row["account"], row["peer"], row["consent"], row["held"]) == (f"juliet@{THERE}", ROMEO, "asked", "1"), f"sessions: {row}")
    hold("secret" not in seen, "the admin reads what was said")
    lab.kill(THERE)
    romeo.message(f"juliet@{THERE}", "another one")
    ask_until(lambda: streams()[(THERE, "out")]["error"], "the error")
    hold(streams()[(THERE, "out")]["waiting"] == "1" or streams()[(THERE, "out")]["unconfirmed"] == "1", f"streams: {streams()}")

    off = "provider bad is off: profile:5: unknown key `colour`, or it stands twice"
    unreadable = "provider secretless is off: secret_files: the file of auth_token: No such file or directory"
    hold([(p["name"], p["state"]) for p in as_json(t, "providers")["items"]] == [("sms", "on"), ("bad", off), ("secretless", unreadable)],
         "the providers are others")
    log = Path(lab.community(HERE)["log"]).read_text()
    hold(f"secret_files: {t.folder}/no-token: No such file or directory" in log, "the log does not say which file is missing")
    hold(off.replace("profile:", f"{profile}:") in log, "the log does not say that a provider is off")
    ctl(t, DEVICES + "add", "--kind", "email", "--address", "romeo@mail.example", jid=ROMEO)
    wait_for(lambda: lab.mails(), "the mail with the code")
    ask_until(lambda: [d for d in as_json(t, "outbox")["items"] if d["state"] == "sent"], "the delivery")
    own = json.loads(ctl(t, DEVICES + "log", jid=ROMEO, options=("-o", "json")))["items"]
    hold([(d["device"], d["address"], d["purpose"], d["state"]) for d in own] == [("e-mail", "romeo@mail.example", "code", "sent")],
         f"what was sent to his devices: {own}")
    hold(not json.loads(ctl(t, DEVICES + "log", options=("-o", "json")))["items"], "the admin's own devices were sent something")
    row = as_json(t, "outbox", "--account", ROMEO)["items"][0]
    hold((row["account"], row["purpose"], row["address"]) == (ROMEO, "code", "romeo@mail.example"), f"outbox: {row}")
    hold(as_json(t, "delivery", "--ref", row["ref"])["fields"]["state"] == "sent", "the one delivery is another")
    ctl(t, "delivery", "--ref", "A" * 22, expect=5)
    lab.start(THERE)


def reports(t):
    """slixmpp blocks and says why; the admin reads it in the shell, and the person who is reported is blocked"""
    t.make_lab([HERE, THERE], {HERE: ["romeo"], THERE: ["juliet"]})
    romeo = t.slix(ROMEO, plugins=("xep_0030", "xep_0191"))
    spammer, words = f"juliet@{THERE}", "Never came trouble\u2026 <to> my house"

    def block_and_report():
        iq = romeo.xmpp.make_iq_set()
        iq["block"]["items"] = [spammer]
        item = iq["block"].xml.find("{urn:xmpp:blocking}item")
        report = ET.SubElement(item, "{urn:xmpp:reporting:1}report", reason="urn:xmpp:reporting:spam")
        ET.SubElement(report, "{urn:xmpp:reporting:1}text").text = words
        ET.SubElement(report, "{urn:xmpp:sid:0}stanza-id", by=ROMEO, id="28482-98726-73623")
        return iq.send(timeout=suite.PATIENCE)
    romeo.ask(block_and_report)
    hold(romeo.ask(lambda: romeo.xmpp["xep_0191"].get_blocked(timeout=suite.PATIENCE))["blocklist"]["items"] == {spammer}, "not blocked")
    rows = as_json(t, "reports")["items"]
    hold([(r["jid"], r["reason"], r["reporter"], r["words"], r["messages"]) for r in rows] ==
         [(spammer, "spam", ROMEO, words, f"{ROMEO} 28482-98726-73623")], f"the list is {rows}")
    hold(ctl(t, "reports", jid=f"admin@{THERE}").count(spammer) == 0, "the other community's admin reads it")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(ROOT / "test"))
    suite.main(__doc__, stock_client, rules, bad_input, accounts_by_shell, asked_on_terminal, refused_by_shell, parts_by_shell, reports)
