#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Federation with Debian's Prosody and ejabberd by every means that both sides have: {STARTTLS, direct TLS} x
{EXTERNAL, dialback, EXTERNAL that fails and then dialback} x {streams that go one way, both ways} x {certificates for both
roles, for servers alone} x {we call, they call}. People befriend each other and talk; then our log tells what carried it.

Without arguments all of it plays; `core` is one row of each kind."""
import itertools
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import peers, suite  # noqa: E402
from lablib.authority import Authority  # noqa: E402
from lablib.federation import LOG_LINES, OURS, ROMEO, TYBALT, VERONA, talk  # noqa: E402
from lablib.suite import befriend, hold, wait_for  # noqa: E402

USAGES = {"dual": "serverAuth,clientAuth", "srv": "serverAuth"}

# EXTERNAL is offered by mod_saslauth, and then refused before that looks at it.
REFUSES_EXTERNAL = """module:set_global();
local function refuse(event)
    local session = event.origin;
    if session.type ~= "s2sin_unauthed" then return; end
    session.sends2s("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
    return true;
end
function module.add_host(module)
    module:hook("stanza/urn:ietf:params:xml:ns:xmpp-sasl:auth", refuse, 1000);
end
module:hook("stanza/urn:ietf:params:xml:ns:xmpp-sasl:auth", refuse, 1000);
"""


class Issuer:
    """Issues as the lab's authority does, and is taken for the one that a server trusts: perhaps another."""

    def __init__(self, folder, authority, row):
        self.authority, self.authority.usage = authority, USAGES[row.usage]
        self.cert = other(folder).cert if row.proof == "dial" else authority.cert

    def issue(self, domain, folder):
        return self.authority.issue(domain, folder)


def other(folder):
    """An authority that has issued nothing: who trusts it alone trusts nobody here."""
    return Authority(Path(folder) / "other-ca")


class Row:
    def __init__(self, program, tls, proof, ways, usage, caller):
        self.program, self.tls, self.proof, self.ways, self.usage, self.caller = program, tls, proof, ways, usage, caller
        self.name = "_".join((program, tls, proof, ways, usage, caller))

    def is_possible(self):
        if self.program == "ejabberd":
            # 23.01 has no XEP-0288. It offers EXTERNAL to everybody, and refuses it to who has a certificate for servers alone.
            return self.ways == "one" and (self.proof == "dial" or (self.proof == "fall") == (self.usage == "srv"))
        return self.proof != "fall" or self.caller == "we"  # we offer it only to whom it proves


def prosody(row):
    class Server(peers.Prosody):
        modules = peers.Prosody.modules + (["s2s_bidi"] if row.ways == "both" else []) + \
            (["refuses_external"] if row.proof == "fall" else [])

        def __init__(self, folder, domain, address, dns, authority, accounts, hosts):
            super().__init__(folder, domain, address, dns, Issuer(Path(folder).parent, authority, row), accounts, hosts)
            (self.folder / "mod_refuses_external.lua").write_text(REFUSES_EXTERNAL)
            self.config.write_text(f'plugin_paths = {{ "{self.folder}" }}\n' + self.config.read_text())
    return Server


def ejabberd(row):
    class Server(peers.Ejabberd):
        def __init__(self, folder, domain, address, dns, authority, accounts, hosts):
            super().__init__(folder, domain, address, dns, Issuer(Path(folder).parent, authority, row), accounts, hosts)
            if row.tls == "starttls":
                return
            config, names = self.folder / "ejabberd.yml", self.folder / "dnsmasq.conf"
            config.write_text(config.read_text().replace(
                "modules:", f'  - {{port: 5270, ip: "{address}", module: ejabberd_s2s_in, tls: true}}\nmodules:', 1))
            names.write_text(re.sub(r"(?m)^srv-host=_xmpp-server(\..*),5269,5,0$", r"\g<0>\nsrv-host=_xmpps-server\1,5270,0,0",
                                    names.read_text()))
    return Server


PROGRAMS = {"prosody": prosody, "ejabberd": ejabberd}


def play(t, row):
    os.environ.setdefault("CAUSEWAY_LAB_LOG", "debug")
    t.log_lines = LOG_LINES
    options = "s2s_bidi = " + ("true" if row.ways == "both" else "false")
    trusts = other(t.folder).cert if row.proof == "dial" else None
    Authority.usage = USAGES[row.usage]
    t.make_lab([OURS], {OURS: ["romeo"]}, remotes={VERONA: 101}, options=options, direct_s2s=row.tls == "direct",
               trusts=trusts)
    t.serve(PROGRAMS[row.program](row), VERONA, 101, ["tybalt"])
    romeo, tybalt = t.slix(ROMEO), t.slix(TYBALT)
    befriend(*((romeo, tybalt) if row.caller == "we" else (tybalt, romeo)))
    talk(romeo, tybalt)
    look_at_streams(t, row)


def look_at_streams(t, row):
    log = Path(t.lab.community(OURS)["log"])
    ours = "EXTERNAL" if row.proof == "ext" else "dialback"
    theirs = "dialback" if row.proof == "dial" else "EXTERNAL"
    back = "the way is open on the stream that the peer opened"

    def said(pattern):
        return re.search(pattern, log.read_text(errors="replace"))
    if row.ways == "one" or row.caller == "we":
        way = said(r"(EXTERNAL|dialback) accepted; the way is open(, both ways)?")
        hold(way and way[1] == ours, f"our stream was proved by {way and way[1]}")
        hold(bool(way[2]) == (row.ways == "both"), f"it goes {'both ways' if way[2] else 'one way'}")
    if row.ways == "one" or row.caller == "they":
        wait_for(lambda: said(f"{theirs} proved {VERONA}"), f"the peer's proof by {theirs}")
        hold(bool(said(back)) == (row.ways == "both"), "the way back is another one")
    if row.proof == "fall":
        hold(said("by SASL EXTERNAL: not-authorized.*; dialback is tried"), "EXTERNAL was not tried")
    direct = row.tls == "direct"
    if row.ways == "one" or row.caller == "we":
        hold(bool(said("outgoing stream DIALLING -> SECURING")) == direct, "our stream began otherwise")
    if row.ways == "one" or row.caller == "they":
        # Whoever called by direct TLS sends its first header under it, so nothing comes between.
        hold(bool(said(r"s2s-in 127[^]]*\] TLS with [^\n]*\n(?:(?!s2s-in)[^\n]*\n)*[^\n]*stream OPENING -> OPEN")) or not direct,
             "their stream began otherwise")


ROWS = [row for row in itertools.starmap(Row, itertools.product(
    PROGRAMS, ("starttls", "direct"), ("ext", "dial", "fall"), ("one", "both"), USAGES, ("we", "they")))
    if row.is_possible()]
CORE = ("prosody_starttls_ext_one_srv_they", "prosody_direct_ext_both_srv_we", "prosody_starttls_dial_both_srv_they",
        "prosody_starttls_fall_one_srv_we", "ejabberd_direct_fall_one_srv_we", "ejabberd_starttls_dial_one_dual_they")


def cases():
    for row in ROWS:
        def play_it(t, row=row):
            play(t, row)
        play_it.__name__, play_it.__doc__ = row.name, row.name.replace("_", " ")
        yield play_it


if __name__ == "__main__":
    if "core" in sys.argv:
        sys.argv[sys.argv.index("core"):] = CORE
    suite.main(__doc__, *cases())
