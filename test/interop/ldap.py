#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Accounts of an LDAP directory, with Debian's slapd: who logs in, who does not, and what a directory that is away, slow or not
the right one does to them and to others."""
import re
import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.authority import Authority  # noqa: E402
from lablib.directory import PEOPLE, SEARCHER, SEARCHER_PASSWORD, Slapd  # noqa: E402
from lablib.lab import find_program  # noqa: E402
from lablib.process import Failed  # noqa: E402
from lablib.raw import C, SASL, SASL2, b64, condition, name_of  # noqa: E402
from lablib.suite import hold, token  # noqa: E402

HERE, THERE = "montague.example", "capulet.example"
ROMEO = f"romeo@{HERE}"
AGENT = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>Raw</software><device>Lab</device></user-agent>"
WISH = AGENT + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
BIND = AGENT + "<bind xmlns='urn:xmpp:bind:0'><tag>Raw</tag></bind>"


def configure(t, *lines, domain=HERE):
    """Those options in the community's section, in place of former ones; then a restart."""
    config = Path(t.lab.community(domain)["config"])
    text = re.sub(r"    ldap_.*\n", "", config.read_text())
    config.write_text(text.replace("    mail_server", "".join(f"    {line}\n" for line in lines) + "    mail_server", 1))
    t.lab.stop(domain)
    t.lab.start(domain)


def searching(t, url, *more):
    secret = t.folder / "searcher"
    secret.write_text(SEARCHER_PASSWORD + "\n")
    secret.chmod(0o600)
    return (f'ldap_url = {{ "{url}" }}', f'ldap_base = "{PEOPLE}"', f'ldap_bind_dn = "{SEARCHER}"', f'ldap_password_file = "{secret}"', *more)


def make(t, people, *more, domains=(HERE,), policy=False, url=None):
    """A lab, and a directory that has these people; romeo had an account of ours before."""
    t.make_lab(list(domains), {d: ["romeo"] for d in domains})
    slapd = t.keep(Slapd(t.folder / "slapd", t.lab.state["ca"], people, policy)).start()
    configure(t, *searching(t, url or slapd.url, *more))
    return slapd


def secured(t, domain=HERE):
    raw = t.raw(domain)
    raw.secure(domain)
    return raw


def plain(t, user, password, inside=None, domain=HERE):
    """The answer to a login by PLAIN: of RFC 6120, or of XEP-0388 with what is `inside`."""
    raw = secured(t, domain)
    if inside is None:
        return raw, raw.auth_plain(user, password)
    raw.send(f"<authenticate xmlns='{SASL2[1:-1]}' mechanism='PLAIN'><initial-response>{b64(chr(0) + user + chr(0) + password)}"
             f"</initial-response>{inside}</authenticate>")
    answer = raw.next()
    if answer.tag == SASL2 + "success":
        raw.jid = answer.findtext(SASL2 + "authorization-identifier")
        raw.features = raw.next()
    return raw, answer


def outcome(t, user, password, **more):
    raw, answer = plain(t, user, password, **more)
    raw.close()
    return "success" if name_of(answer) == "success" else condition(answer)


def expect(t, want, user, password, what=None, **more):
    got = outcome(t, user, password, **more)
    hold(got == want, f"{what or user}: {got}, not {want}")


def shown(t, fast, inside=BIND):
    return secured(t).show_token("romeo", fast, inside)


def mechanisms(t):
    return {m.text for m in secured(t).features.iter(SASL + "mechanism")}


def logged_in(t):
    """PLAIN alone is offered; the right one is in at once and has an account; the wrong, the empty, nobody and two entries are
    not; a name that is a filter finds nobody"""
    slapd = make(t, {"romeo": "Wherefore, Ærø?", "mercutio": "queen mab", "star": "starred"})
    slapd.change(f"dn: ou=other,{PEOPLE}\nchangetype: add\nobjectClass: organizationalUnit\nou: other\n")
    for parent in (PEOPLE, f"ou=other,{PEOPLE}"):
        slapd.change(f"dn: uid=tybalt,{parent}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: tybalt\ncn: t\nsn: t\nuserPassword: king of cats\n")
    hold(mechanisms(t) == {"PLAIN"}, f"{mechanisms(t)} are offered")
    old = t.lab.account("romeo", HERE)["password"]
    expect(t, "not-authorized", "romeo", old, "the password of before")
    expect(t, "success", "romeo", "Wherefore, Ærø?")
    expect(t, "success", "Romeo", "Wherefore, Ærø?", "another case")
    expect(t, "not-authorized", "mercutio", "queen mob", "a wrong one")
    hold("mercutio" not in t.lab.causeway(HERE, "account", "list"), "a wrong password made an account")
    expect(t, "not-authorized", "nobody", "queen mab", "nobody")
    expect(t, "not-authorized", "tybalt", "king of cats", "two entries")
    for name in ("*", "star)(uid=*", "*)(uid=*))(|(uid=*", "sta*", "star\\2a"):
        expect(t, "not-authorized", name, "starred", name)
    expect(t, "malformed-request", "romeo", "", "an empty password")
    raw, answer = plain(t, "mercutio", "queen mab", BIND)
    hold(name_of(answer) == "success" and raw.jid.startswith(f"mercutio@{HERE}/Raw"), f"the first login: {condition(answer)}")
    hold(f"mercutio@{HERE}" in t.lab.causeway(HERE, "account", "list"), "it has no account")
    romeo = secured(t)
    romeo.auth_plain("romeo", "Wherefore, Ærø?")
    romeo.open(HERE)
    romeo.bind()
    said = token()
    raw.send("<presence/>")
    raw.iq("get", "<ping xmlns='urn:xmpp:ping'/>", HERE)
    romeo.send(f"<message to='mercutio@{HERE}' type='chat'><body>{said}</body></message>")
    while True:
        element = raw.next()
        if element.tag == C + "message" and element.findtext(C + "body") == said:
            break


def unknown_before(t):
    """somebody whom others tried to reach before the first login is there with it: bound in the same request"""
    make(t, {"romeo": "rose", "benvolio": "peace"})
    raw, _ = plain(t, "romeo", "rose", BIND)
    raw.send(f"<message to='benvolio@{HERE}' type='chat' id='m'><body>early</body></message>")
    while True:
        element = raw.next()
        if element.tag == C + "message" and element.get("type") == "error":
            break
    hold(condition(element) in ("service-unavailable", "item-not-found"), f"it was refused as {condition(element)}")
    other, answer = plain(t, "benvolio", "peace", BIND)
    hold(other.jid and other.jid.startswith(f"benvolio@{HERE}/Raw"), f"the first login binds nothing: {condition(answer)}")


def secrets_over_tls(t):
    """StartTLS and ldaps with a certificate that holds; not with one for another name, of another authority, nor in the clear"""
    slapd = make(t, {"romeo": "rose"}, 'ldap_starttls = "yes"')
    expect(t, "success", "romeo", "rose", "StartTLS")
    hold(slapd.has_logged("STARTTLS") and slapd.has_logged("TLS established"), "without TLS")
    configure(t, *searching(t, slapd.tls_url))
    expect(t, "success", "romeo", "rose", "ldaps")
    good = slapd.certificate
    strangers = Authority(t.folder / "strangers")
    for what, wrong in (("another name", slapd.authority.issue("elsewhere.example", slapd.folder)),
                        ("another authority", strangers.issue("ldap.house.example", strangers.folder, addresses=[slapd.address]))):
        slapd.stop()
        slapd.certificate = wrong
        slapd.configure()
        slapd.start()
        for url, more in ((slapd.url, ('ldap_starttls = "yes"',)), (slapd.tls_url, ())):
            configure(t, *searching(t, url, *more))
            expect(t, "temporary-auth-failure", "romeo", "rose", f"{what}, {url}")
    slapd.stop()
    slapd.certificate = good
    slapd.configure()
    slapd.start()
    expect(t, "success", "romeo", "rose", "the right one again")


def gone_and_back(t):
    """while the server is away it is a temporary failure, and the password is not called wrong; when it is back logins go on,
    over connections made anew; a second address serves when the first does not"""
    slapd = make(t, {"romeo": "rose"})
    for _ in range(2):
        expect(t, "success", "romeo", "rose")
    slapd.stop()
    for _ in range(4):
        expect(t, "temporary-auth-failure", "romeo", "rose", "while it is away")
    slapd.start()
    for _ in range(3):
        expect(t, "success", "romeo", "rose", "when it is back")
    lines = searching(t, slapd.url)
    configure(t, f'ldap_url = {{ "ldap://127.0.0.1:1", "{slapd.url}" }}', *lines[1:])
    expect(t, "success", "romeo", "rose", "by the second address")


def slow(t):
    """a server that accepts and says nothing: logins there are told a temporary failure in time, more than can wait at once,
    and logins elsewhere do not notice"""
    make(t, {"romeo": "rose"}, domains=(HERE,))
    deaf = socket.create_server(("127.0.0.1", 0))
    t.closing.append(deaf.close)
    configure(t, *searching(t, f"ldap://127.0.0.1:{deaf.getsockname()[1]}", "ldap_timeout_seconds = 1"))
    waiting = [secured(t) for _ in range(12)]
    for raw in waiting:
        raw.send(f"<auth xmlns='{SASL[1:-1]}' mechanism='PLAIN'>{b64(chr(0) + 'romeo' + chr(0) + 'rose')}</auth>")
    witness = secured(t)  # the loop turns meanwhile
    hold(witness.features is not None, "no features")
    for raw in waiting:
        answer = raw.next()
        hold(condition(answer) == "temporary-auth-failure", f"the answer is {condition(answer)}")


def who_left(t):
    """a token opens while the entry is there and the filter finds it; who is removed, or leaves the group that the filter asks
    for, is out, and in again when they are back; a directory that is away is no removal"""
    slapd = make(t, {"romeo": "rose"}, 'ldap_filter = "(&(uid=%u)(!(title=left)))"', "ldap_cache_seconds = 0")
    _, answer = plain(t, "romeo", "rose", WISH)
    fast = answer.find("{urn:xmpp:fast:0}token").get("token")
    hold(name_of(shown(t, fast)) == "success", "the token does not open")
    slapd.stop()
    hold(condition(shown(t, fast)) == "temporary-auth-failure", "while the directory is away")
    slapd.start()
    hold(name_of(shown(t, fast)) == "success", "the token does not open again")
    slapd.change(f"dn: uid=romeo,{PEOPLE}\nchangetype: modify\nreplace: title\ntitle: left\n")
    hold(condition(shown(t, fast)) == "not-authorized", "the filter finds nobody, and the token opens")
    expect(t, "not-authorized", "romeo", "rose", "nor does the password")
    slapd.change(f"dn: uid=romeo,{PEOPLE}\nchangetype: modify\ndelete: title\n")
    hold(name_of(shown(t, fast)) == "success", "back, and the token does not open")
    slapd.remove("romeo")
    hold(condition(shown(t, fast)) == "not-authorized", "the entry is gone, and the token opens")


def by_name(t):
    """ldap_dn: no search; names are escaped; no tokens, for nobody could tell who has left"""
    slapd = make(t, {"romeo": "rose"})
    slapd.change(f"dn: uid=a\\2Cb\\2B,{PEOPLE}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: a,b+\ncn: a\nsn: a\nuserPassword: comma\n")
    configure(t, f'ldap_url = {{ "{slapd.url}" }}', f'ldap_dn = "uid=%u,{PEOPLE}"')
    expect(t, "success", "romeo", "rose")
    expect(t, "not-authorized", "romeo", "thorn")
    expect(t, "success", "a,b+", "comma", "a name with a comma")
    expect(t, "not-authorized", f"romeo,{PEOPLE}", "rose", "a name with an entry in it")
    hold(secured(t).features.find(".//{urn:xmpp:fast:0}fast") is None, "tokens are offered")
    hold("SRCH" not in slapd.log.read_text().split("a\\2Cb")[-1], "it was searched")


def locked(t):
    """locked after wrong guesses by the directory's policy, or to be changed first: said so, also with the right password"""
    slapd = make(t, {"romeo": "rose", "mercutio": "queen mab"}, policy=True)
    expect(t, "success", "mercutio", "queen mab")
    slapd.change(f"dn: uid=mercutio,{PEOPLE}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n")
    expect(t, "credentials-expired", "mercutio", "queen mab", "to be changed")
    slapd.change(f"dn: uid=romeo,{PEOPLE}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n")
    expect(t, "account-disabled", "romeo", "rose", "locked")


def refused_here(t):
    """accounts and passwords are changed there and not here: by the command, by an admin's form, by XEP-0077; nobody registers"""
    make(t, {"romeo": "rose", "admin": "capulet"})
    for verb in ("add", "password"):
        try:
            t.lab.causeway(HERE, "account", verb, ROMEO if verb == "password" else f"new@{HERE}", stdin="other\n")
            hold(False, f"account {verb} was done")
        except Failed as e:
            hold("accounts of montague.example are those of its directory" in str(e), f"account {verb}: {e}")
    raw, _ = plain(t, "romeo", "rose", BIND)
    answer = raw.iq("set", "<query xmlns='jabber:iq:register'><username>romeo</username><password>other</password></query>", HERE)
    hold(condition(answer) == "not-allowed", f"XEP-0077: {condition(answer)}")
    answer = raw.iq("set", "<query xmlns='jabber:iq:register'><remove/></query>", HERE)
    hold(condition(answer) == "not-allowed", f"XEP-0077 remove: {condition(answer)}")
    expect(t, "success", "romeo", "rose", "the password after that")
    admin, _ = plain(t, "admin", "capulet", BIND)
    node = "http://jabber.org/protocol/admin#change-user-password"
    command = f"<command xmlns='http://jabber.org/protocol/commands' node='{node}'"
    first = admin.iq("set", command + "/>", HERE)[0]
    form = (f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/admin</value></field>"
            f"<field var='accountjid'><value>{ROMEO}</value></field><field var='password'><value>other</value></field></x>")
    done = admin.iq("set", f"{command} sessionid='{first.get('sessionid')}'>{form}</command>", HERE)
    hold(condition(done) == "not-allowed", f"an admin's form: {condition(done)}")
    hold(secured(t).features.find("{http://jabber.org/features/iq-register}register") is None, "registration is offered")


def ended(raw):
    """What ends the stream."""
    while True:
        element = raw.next()
        if element.tag.endswith("}error"):
            return condition(element)


def synced(t):
    """`causeway ldap sync`: everybody has an account, page by page, so that messages reach them before they ever logged in; who is
    gone is out, and back with what came when they are back; a directory that is away, or shows nobody, changes nothing"""
    slapd = make(t, {"romeo": "rose", "benvolio": "peace"} | {f"guest{i}": "x" for i in range(520)})
    raw, _ = plain(t, "romeo", "rose", BIND)
    raw.send("<presence/>")

    def sync(*words):
        return t.lab.causeway(HERE, "ldap", "sync", *words)

    def write(body):
        raw.send(f"<message to='benvolio@{HERE}' type='chat'><body>{body}</body></message>")
        raw.iq("get", "<ping xmlns='urn:xmpp:ping'/>", HERE)

    def reads(body):
        other, answer = plain(t, "benvolio", "peace", BIND)
        hold(name_of(answer) == "success", f"benvolio: {condition(answer)}")
        other.send("<presence/>")
        while True:
            element = other.next()
            if element.tag == C + "message" and element.findtext(C + "body") == body:
                return other
    said = sync()
    hold(f"benvolio@{HERE}: added" in said and "522 in the directory, 521 added, 0 back, 0 taken over, 0 gone" in said, said[-500:])
    hold("521 added" not in sync(HERE), "twice")
    write("before the first login")
    other = reads("before the first login")
    slapd.remove("benvolio")
    said = sync()
    hold(f"benvolio@{HERE}: gone" in said and "1 gone" in said, said[-500:])
    hold(ended(other) == "not-authorized", "the session goes on")
    expect(t, "not-authorized", "benvolio", "peace", "who is gone")
    hold(f"benvolio@{HERE}\tdisabled" in t.lab.causeway(HERE, "account", "list"), "it is not disabled")
    hold(f"admin@{HERE}\tadmin\n" in t.lab.causeway(HERE, "account", "list"), "an account of ours was disabled")
    write("while gone")
    slapd.add("benvolio", "peace")
    said = sync()
    hold(f"benvolio@{HERE}: back" in said, said[-500:])
    reads("while gone")
    before = t.lab.causeway(HERE, "account", "list")
    slapd.stop()
    fails(sync, "Can't contact LDAP server")
    slapd.start()
    configure(t, *searching(t, slapd.url, 'ldap_filter = "(&(uid=%u)(title=nobody))"'))
    fails(sync, "shows nobody: nothing was changed")
    hold(t.lab.causeway(HERE, "account", "list") == before, "something was changed")


def fails(call, words):
    try:
        call()
    except Failed as e:
        hold(words in str(e), f"{words!r} is not said: {e}")
        return
    raise Failed(f"it did not fail: {words}")


def by_certificate(t):
    """EXTERNAL beside PLAIN: who is in the directory is in, with an account made by it, and bound by XEP-0388; who was removed is out at
    once, though it was there a moment ago, and so while the directory cannot be asked; back, it opens again"""
    people = Authority(t.folder / "people")
    people.revoke()
    shows = people.issue_person("romeo", t.folder, [ROMEO])
    t.make_lab([HERE], {HERE: ["romeo"]}, extra=f'client_ca = "{people.cert}"\n    client_crl = "{people.revoked}"')
    slapd = t.keep(Slapd(t.folder / "slapd", t.lab.state["ca"], {"romeo": "rose", "mercutio": "queen mab"})).start()
    configure(t, *searching(t, slapd.url))

    def come(*shows):
        raw = t.raw(HERE)
        raw.shows = shows or None
        raw.secure(HERE)
        return raw

    def said(raw):
        answer = raw.auth_external()
        raw.close()
        return "success" if answer.tag == SASL + "success" else condition(answer)
    raw = come(*shows)
    offered = [m.text for m in raw.features.findall(f"{SASL}mechanisms/{SASL}mechanism")]
    hold(offered == ["EXTERNAL", "PLAIN"], f"{offered} are offered")
    hold(said(raw) == "success", "it does not open")
    hold(mechanisms(t) == {"PLAIN"}, f"{mechanisms(t)} are offered to who shows none")
    raw = come(*people.issue_person("mercutio", t.folder, [f"mercutio@{HERE}"]))
    answer = raw.authenticate_external("", BIND)
    hold(raw.jid.startswith(f"mercutio@{HERE}/Raw"), f"a first login by certificate: {condition(answer)}")
    hold(said(come(*people.issue_person("nurse", t.folder, [f"nurse@{HERE}"]))) == "not-authorized", "whom the directory does not know")
    slapd.stop()
    hold(said(come(*shows)) == "temporary-auth-failure", "while the directory is away")
    slapd.start()
    slapd.remove("romeo")
    hold(said(come(*shows)) == "not-authorized", "the entry is gone, and the certificate opens")
    t.lab.causeway(HERE, "ldap", "sync")
    hold(said(come(*shows)) == "not-authorized", "the account is gone, and the certificate brings it back")
    slapd.add("romeo", "rose")
    hold(said(come(*shows)) == "success", "back, and the certificate does not open")


def another_name(t):
    """a directory that compares loosely (telephone numbers without their dashes) opens to the name that it has there, and to no other;
    also where what it is compared with is one of two"""
    slapd = make(t, {"romeo": "rose"})
    slapd.change(f"dn: uid=romeo,{PEOPLE}\nchangetype: modify\nadd: telephoneNumber\ntelephoneNumber: 555-0100\n")
    for looks in ("(telephoneNumber=%u)", "(|(telephoneNumber=%u)(cn=%u))"):
        configure(t, *searching(t, slapd.url, f'ldap_filter = "{looks}"'))
        expect(t, "success", "555-0100", "rose", looks)
        expect(t, "not-authorized", "5550100", "rose", f"{looks}, without its dash")
    expect(t, "success", "romeo", "rose", "by its other name")
    hold("555" not in t.lab.causeway(HERE, "account", "list").replace("555-0100", ""), "the loose name has an account")


def examined(t):
    """`causeway check` and `doctor` ask each server, and say what is wrong and what to do"""
    slapd = make(t, {"romeo": "rose"})
    config = t.lab.community(HERE)["config"]

    def said(command):
        done = subprocess.run([str(find_program(t.preset)), command, "--config", config], capture_output=True, text=True)
        return done.stdout + done.stderr
    hold(": good" in said("check"), said("check"))
    hold(f"ok    directory {slapd.url} answers for {HERE}" in said("doctor"), said("doctor"))
    good = searching(t, slapd.url)
    wrong = t.folder / "wrong"
    wrong.write_text("no\n")
    wrong.chmod(0o600)
    for lines, words in (
            (searching(t, "ldap://127.0.0.1:1"), "Can't contact LDAP server.*is it up"),
            ((*good[:3], f'ldap_password_file = "{wrong}"'), "is refused: Invalid credentials.*ldap_bind_dn and ldap_password_file"),
            ((good[0], 'ldap_base = "ou=nowhere,dc=house,dc=example"', *good[2:]), "No such object.*ldap_base: there is no such entry"),
            ((*good, 'ldap_starttls = "yes"', 'ldap_filter = "(uid=%u))(x=y)"'), "is not a filter"),
            ((*searching(t, slapd.url.replace("127.0.0.1", "localhost")), 'ldap_starttls = "yes"'), "Connect error.*certificate")):
        text = re.sub(r"    ldap_.*\n", "", Path(config).read_text())
        Path(config).write_text(text.replace("    mail_server", "".join(f"    {line}\n" for line in lines) + "    mail_server", 1))
        for command in ("check", "doctor"):
            hold(re.search(words, said(command).replace("\n", " ")), f"{command} does not say {words!r}:\n{said(command)}")


if __name__ == "__main__":
    suite.main(__doc__, logged_in, unknown_before, secrets_over_tls, gone_and_back, slow, who_left, by_name, locked, refused_here, synced, by_certificate, another_name, examined)
