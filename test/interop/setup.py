#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`causeway setup DOMAIN`: five questions, and a community that works: the records it prints are the ones that the DNS
is then given, certbot (a double that has its certificates from the lab's authority) calls the hook, the admin
logs in. DNS is the lab's own resolver."""
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import process, suite  # noqa: E402
from lablib.authority import Authority  # noqa: E402
from lablib.lab import ROOT, find_program  # noqa: E402
from lablib.slix import Slix  # noqa: E402
from lablib.suite import PATIENCE, hold  # noqa: E402

OURS, NEW = "montague.example", "verona.example"
DNS = [
    f"host-record=xmpp.{NEW},{{network}}.50",
    f"srv-host=_xmpp-client._tcp.{NEW},xmpp.{NEW},5222,5,0", f"srv-host=_xmpps-client._tcp.{NEW},xmpp.{NEW},5223,0,0",
    f"srv-host=_xmpp-server._tcp.{NEW},xmpp.{NEW},5269,5,0", f"srv-host=_xmpps-server._tcp.{NEW},xmpp.{NEW},5270,0,0",
    f"srv-host=_xmpp-server._tcp.rooms.{NEW},xmpp.{NEW},5269,5,0",
    f"srv-host=_xmpps-server._tcp.rooms.{NEW},xmpp.{NEW},5270,0,0",
]
CERTBOT = """#!/bin/sh
# A double: what certbot does with its certificate, when it has got one.
printf '%s\\n' "$*" >>'{folder}/certbot.log'
[ -e '{folder}/fullchain.pem' ] || {{ echo 'the authority did not reach this machine' >&2; exit 1; }}
hook= names=
while [ $# -gt 0 ]; do
    case "$1" in --deploy-hook) hook=$2 ;; -d) names="$names $2" ;; esac
    shift
done
RENEWED_LINEAGE='{folder}' RENEWED_DOMAINS="${{names# }}" "$hook"
"""


class Place:
    """A folder in which a community is set up, on an address of the lab."""

    def __init__(self, t, domain=NEW):
        if not t.lab:
            t.make_lab([OURS], {OURS: []}, dns=DNS)
        self.t, self.domain = t, domain
        self.folder = t.folder / f"setup-{len(list(t.folder.iterdir()))}"
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "etc").mkdir()
        self.config = self.folder / "etc" / "causeway.conf"
        self.address = t.lab.state["network"] + ".50"
        certbot = self.folder / "bin" / "certbot"
        certbot.write_text(CERTBOT.format(folder=self.folder))
        certbot.chmod(0o755)

    def certify(self):
        """From now on certbot gets its certificate."""
        authority = Authority(Path(self.t.lab.state["ca"]).parent)
        chain, key = authority.issue(self.domain, self.folder)
        Path(chain).rename(self.folder / "fullchain.pem")
        Path(key).rename(self.folder / "privkey.pem")

    def run(self, *args, answers="", expect=0):
        lab = self.t.lab.state
        places = ["--config", self.config, "--store", self.folder / "causeway.db", "--listen", self.address,
                  "--dns-server", lab["dns"].replace(":", "@"), "--ca-file", lab["ca"], "--schema-dir", ROOT / "schemas" / "sql"]
        done = subprocess.run([str(a) for a in (find_program(self.t.preset), "setup", *args, *places)], input=answers,
                              capture_output=True, text=True, env=dict(os.environ, PATH=f"{self.folder}/bin:{os.environ['PATH']}"))
        said = done.stdout + done.stderr
        hold(done.returncode == expect, f"exit status {done.returncode}, not {expect}:\n{said}")
        return said

    def causeway(self, *args):
        done = subprocess.run([str(a) for a in (find_program(self.t.preset), *args, "--config", self.config)], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


def has(said, *parts):
    for part in parts:
        hold(re.search(part, said), f"{part!r} is not said in:\n{said}")


def by_questions(t):
    """five answers on standard input; a certificate by certbot; the admin logs in, and doctor finds nothing wrong"""
    place = Place(t)
    place.certify()
    said = place.run(NEW, answers=f"\n{place.address}\nmaster@{NEW}\nsmtp://{t.lab.state['smtp']}\n\nwherefore art thou\n")
    for record in (f"_xmpp-client._tcp.{NEW}. 3600 IN SRV 5 0 5222 xmpp.{NEW}.", f"_xmpps-client._tcp.{NEW}. 3600 IN SRV 0 0 5223",
                   f"_xmpp-server._tcp.{NEW}. 3600 IN SRV 5 0 5269", f"_xmpps-server._tcp.{NEW}. 3600 IN SRV 0 0 5270",
                   f"_xmpp-server._tcp.rooms.{NEW}.", f"xmpp.{NEW}. 3600 IN A {place.address}", f"rooms.{NEW}. 3600 IN CNAME", f"upload.{NEW}."):
        hold(record in said, f"{record} is not among the records:\n{said}")
    has(said, "port 5222 at .* is free", "ok .*is trusted", f"ok .*admin@{NEW}", "\n0 wrong", f"Conversations: .*admin@{NEW}", f"Gajim: .*admin@{NEW}")
    hold("wherefore" not in said, "the password was printed")
    has(place.config.read_text(), "egress_allow = .*mail 127.0.0.0/8")
    certbot = (place.folder / "certbot.log").read_text()
    has(certbot, f"-m master@{NEW} -d {NEW} -d rooms.{NEW} -d upload.{NEW} --deploy-hook ")
    hold((place.folder / "etc" / f"{NEW}.pem").read_text() == (place.folder / "fullchain.pem").read_text(), "the hook did not copy")
    hold((place.folder / "etc" / f"{NEW}.key").stat().st_mode & 0o777 == 0o640, "the key's mode")
    log = t.folder / "new.log"
    identity = process.start([str(find_program(t.preset)), "run", "--config", str(place.config)], log)
    t.closing.append(lambda: process.end(identity, 15))
    rc, said = place.causeway("doctor")
    hold(rc == 0, f"doctor: {said}")
    has(said, f"ok .*xmpp.{NEW} port 5270 at .* answers", "\n0 wrong, 0 worth a note")
    admin = t.keep(Slix(f"admin@{NEW}", "wherefore art thou", f"{place.address}:5222", t.lab.state["ca"], patience=PATIENCE))
    has(admin.tell(NEW, "help"), "devices")


def by_flags(t):
    """all by flags; certbot gets none yet: a certificate of our own stands in, and what to do is said; later the hook replaces it"""
    place = Place(t)
    flags = ["--host", f"xmpp.{NEW}", "--addresses", f"{place.address},2001:db8::5", "--certificate", f"master@{NEW}", "--mail-server", "none",
             "--admin", f"prince@{NEW}"]
    said = place.run(NEW, *flags, answers="a password\n", expect=1)
    has(said, "did not get a certificate yet", "\n    certbot certonly --standalone", "WRONG certificate .* is not trusted.*\n      -> get one from an authority",
        f"xmpp.{NEW}. 3600 IN AAAA 2001:db8::5", "still to be done")
    hold(place.causeway("check")[0] == 0, "what was written is no good configuration")
    place.certify()
    command = re.search(r"\n    (certbot certonly .*)\n", said).group(1)
    done = subprocess.run(["sh", "-c", command], env=dict(os.environ, PATH=f"{place.folder}/bin:{os.environ['PATH']}"), capture_output=True, text=True)
    hold(done.returncode == 0, done.stdout + done.stderr)
    rc, said = place.causeway("doctor")
    hold(rc == 0, said)
    has(said, "ok .*is trusted", f"ok .*prince@{NEW}")
    said = place.run(NEW, *flags, expect=1)
    has(said, "exists: `causeway doctor`")
    before = place.config.read_text()
    said = place.run(NEW, *flags, "--force", answers="another\n")
    has(said, "exists already and keeps its password")
    hold(place.config.with_suffix(".conf.old").read_text() == before, "the old configuration was not kept")


def own_certificate(t):
    """with a certificate that one has, certbot is not asked"""
    place = Place(t)
    chain, key = Authority(Path(t.lab.state["ca"]).parent).issue(NEW, place.folder)
    said = place.run(NEW, "--addresses", "none", "--certificate", f"{chain} {key}", "--mail-server", "none", "--admin", f"prince@{NEW}",
                     "--host", f"xmpp.{NEW}", answers="a password\n")
    hold(not (place.folder / "certbot.log").exists(), "certbot was called")
    has(said, f"xmpp.{NEW}. 3600 IN A this machine's public address", "\n0 wrong")


def bad_answers(t):
    """a wrong answer is named, not taken; too few answers end it; nothing is written"""
    place = Place(t)
    flags = {"--host": f"xmpp.{NEW}", "--addresses": "none", "--certificate": f"m@{NEW}", "--mail-server": "none", "--admin": f"p@{NEW}"}
    rows = [("--host", "not a host", "not the name of a machine"), ("--addresses", "1.2.3", "numeric addresses"),
            ("--certificate", "/nothing /nowhere", "cannot be read"), ("--certificate", "me", "an e-mail address"),
            ("--mail-server", "http://x", "smtp://"), ("--admin", "prince@elsewhere.example", "an account of this domain"),
            ("--host", 'a.b" }', "not the name|quotation marks")]
    for flag, value, said in rows:
        args = [word for pair in (flags | {flag: value}).items() for word in pair]
        has(place.run(NEW, *args, expect=1), said, "the answers end here")
    for domain in ("nurse@verona.example", "", "verona", "a..b"):
        has(place.run(domain, expect=2), "not a domain")
    has(place.run(expect=2), "Usage")
    has(place.run(NEW, "--colour", "red", expect=2), "Usage")
    hold(not place.config.exists() and not list((place.folder / "etc").iterdir()), "something was written")


if __name__ == "__main__":
    suite.main(__doc__, by_questions, by_flags, own_certificate, bad_answers)
