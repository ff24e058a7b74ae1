#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Accounts of an LDAP directory, with Debian's slapd: who logs in, who does not, and what a directory that is away, slow or not
the right one does to them and to others."""
import re
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.authority import Authority  # noqa: E402
from lablib.directory import PEOPLE, SEARCHER, SEARCHER_PASSWORD, Slapd  # noqa: E402
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


if __name__ == "__main__":
    suite.main(__doc__, logged_in, unknown_before, secrets_over_tls, gone_and_back, slow, who_left, by_name, locked)
