#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How two Causeways find each other: the zones are real (Debian's nsd, signed by ldns), so are the ways. SRV of both services,
targets that are of no use, direct TLS, DNSSEC and DANE, and what an admin is told of it."""
import os
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import authority, suite  # noqa: E402
from lablib.lab import find_program  # noqa: E402
from lablib.suite import hold  # noqa: E402
from lablib.zones import Zones, tlsa  # noqa: E402

HERE, THERE = "montague.example", "capulet.example"
ROMEO, ADMIN = f"romeo@{HERE}", f"admin@{HERE}"
STARTTLS, DIRECT = "_xmpp-server._tcp SRV 0 0 5269 xmpp", "_xmpps-server._tcp SRV 0 0 5270 xmpp"
ERRORS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


class Scene:
    """romeo's community and one whose zone is given by `lines` ({here}, {there}, {tlsa}, {other} filled in). That one's certificate is
    its own work: no authority vouches for it; unless `vouched`. `strict`: romeo's takes no other proof than a certificate. `change` is
    done to the text of the other's configuration."""

    def __init__(self, t, lines, signed=(THERE,), broken=(), vouched=False, strict=False, change=lambda text: text):
        self.t = t
        lab = t.make_lab([HERE, THERE], {HERE: ["romeo"], THERE: ["juliet"]})
        network = lab.state["network"]
        here, there = (lab.community(d)["address"] for d in (HERE, THERE))
        cert, key = (Path(lab.community(THERE)["config"]).parent / f"{THERE}.{end}" for end in ("pem", "key"))
        if not vouched:
            authority.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                          "-subj", "/CN=self", "-addext", f"subjectAltName=DNS:{THERE}", "-keyout", str(key), "-out", str(cert))
        values = {"here": here, "there": there, "tlsa": tlsa(cert), "other": tlsa(lab.state["ca"])}
        zones = {HERE: [STARTTLS, f"xmpp A {here}"], THERE: [line.format(**values) for line in lines]}
        served = t.keep(Zones(t.folder / "zones", f"{network}.3", zones, signed, broken)).start()
        for domain in (HERE, THERE):
            lab.stop(domain)
            config = Path(lab.community(domain)["config"])
            text = config.read_text()
            old = f'dns_server = "{lab.state["dns"].replace(":", "@")}"'
            hold(old in text, "the lab's configuration names no resolver")
            trust = f'\n    dns_trust_anchor = "{served.anchor}"' if signed else ""
            text = text.replace(old, f'dns_server = "{served.server}"{trust}')
            must = f'remote "{THERE}" {{ certificate = "required" }}\n' if strict else ""
            config.write_text(change(text) if domain == THERE else text + must)
            lab.start(domain)
        self.romeo = t.slix(ROMEO)

    def ask(self):
        """The answer to a ping that crosses."""
        return self.romeo.iq("get", "<ping xmlns='urn:xmpp:ping'/>", THERE)

    def reached(self):
        answer = self.ask()
        hold(answer.get("type") == "result", f"the way is not open: {self.explained()}")
        return self.explained()

    def refused(self, condition):
        answer = self.ask()
        error = next((e for e in answer.iter() if e.tag.endswith("}error")), None)
        hold(error is not None and error.find(ERRORS + condition) is not None, f"no {condition}, but {answer.get('type')}: {self.explained()}")
        return error.findtext(ERRORS + "text") or "", self.explained()

    def explained(self):
        """What the admin is told of the way out."""
        program = find_program(self.t.preset).parent / "ctl" / "causewayctl"
        address, password = self.t.where(ADMIN)
        host, port = address.rsplit(":", 1)
        env = dict(os.environ, CAUSEWAYCTL_PASSWORD=password, CAUSEWAYCTL_JID=ADMIN, CAUSEWAYCTL_CA=self.t.lab.state["ca"])
        done = subprocess.run([str(program), "-H", host, "-P", port, "federation", "explain", THERE], env=env, capture_output=True,
                              text=True, start_new_session=True)
        hold(done.returncode == 0, f"causewayctl: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr


def has(text, *words):
    for word in words:
        hold(word in text, f"{word!r} is not in:\n{text}")


def dane_starttls(t):
    """a certificate of nobody's is proved by its TLSA record alone, over STARTTLS, where a certificate is required"""
    has(Scene(t, [STARTTLS, "xmpp A {there}", "_5269._tcp.xmpp TLSA {tlsa}"], strict=True).reached(), "port 5269 (DNSSEC)", "DNSSEC proves it (TLSA)")


def dane_direct(t):
    """the same over direct TLS, which SRV prefers; the record of a key that is to come does no harm"""
    lines = [DIRECT, "_xmpp-server._tcp SRV 9 0 5269 xmpp", "xmpp A {there}", "_5270._tcp.xmpp TLSA {other}", "_5270._tcp.xmpp TLSA {tlsa}"]
    has(Scene(t, lines).reached(), "port 5270 (direct TLS) (DNSSEC)", ":5270", "DNSSEC proves it (TLSA)")


def no_dane(t):
    """the same without a record: the certificate is nobody's"""
    text, told = Scene(t, [STARTTLS, "xmpp A {there}"], strict=True).refused("remote-server-timeout")
    has(told, "certificate-not-trusted")


def dane_other(t):
    """a record of another certificate: nothing is said to whoever answers, over STARTTLS and direct TLS, and both sides learn why"""
    scene = Scene(t, [DIRECT, "_xmpp-server._tcp SRV 9 0 5269 xmpp", "xmpp A {there}", "_5270._tcp.xmpp TLSA {other}", "_5269._tcp.xmpp TLSA {other}"])
    text, told = scene.refused("remote-server-timeout")
    has(text, "TLSA")
    has(told, ":5270", ":5269", "certificate-not-in-dns", "has to publish the record of the new certificate")
    hold("proved" not in Path(t.lab.community(THERE)["log"]).read_text(), "dialback began all the same")


def not_signed(t):
    """in a zone that nobody signed TLSA records are no more than words: dialback decides"""
    told = Scene(t, [STARTTLS, "xmpp A {there}", "_5269._tcp.xmpp TLSA {other}"], signed=()).reached()
    hold("TLSA" not in told and "(DNSSEC)" not in told, told)


def forged(t):
    """an address that does not fit its signature is not connected to"""
    text, told = Scene(t, [STARTTLS, "xmpp A {there}", "_5269._tcp.xmpp TLSA {tlsa}"], broken=(THERE,)).refused("remote-server-timeout")
    has(text, "DNSSEC")
    has(told, "dns-does-not-answer")


def next_targets(t):
    """nobody listens, plaintext where TLS was told, a host without an address, IPv6 that is closed: the fifth way is taken"""
    lines = ["_xmpps-server._tcp SRV 1 0 5999 xmpp", "_xmpps-server._tcp SRV 2 0 5269 xmpp", "_xmpp-server._tcp SRV 3 0 5269 nowhere",
             "_xmpp-server._tcp SRV 4 0 5269 both", "xmpp A {there}", "both A {there}", "both AAAA ::1"]
    told = Scene(t, lines, signed=()).reached()
    has(told, "port 5999: 127.", "nowhere." + THERE, "connected to both." + THERE)


def not_here(t):
    """SRV says that there is no server: the domain's own address, where one listens, is not asked"""
    text, told = Scene(t, ["_xmpp-server._tcp SRV 0 0 0 .", "@ A {there}"], signed=()).refused("remote-server-not-found")
    has(text, "no XMPP server")
    has(told, "no-xmpp-server")


def own_address(t):
    """no SRV record at all: the domain's own address on 5269, with DANE of the domain's own name"""
    has(Scene(t, ["@ A {there}", "_5269._tcp TLSA {tlsa}"]).reached(), "its own address", "DNSSEC proves it (TLSA)")


def to_ourselves(t):
    """SRV leads to the gateway that asks: said at once, and the right way is taken where there is one"""
    lines = ["_xmpp-server._tcp SRV 0 0 5269 self", "self A {here}"]
    text, told = Scene(t, lines, signed=()).refused("remote-server-not-found")
    has(text, "leads to this gateway")
    has(told, "leads-to-ourselves")


def one_port(t):
    """servers and clients by one port with direct TLS: ALPN tells them apart, and who shows none is a client"""
    def change(text):
        text, n = re.subn(r'listen \{ service = "s2s-tls".*\n', "", text)
        hold(n == 1, "the lab has other listeners")
        return text.replace('service = "c2s-tls"', 'service = "c2s-tls" servers = true').replace("port = 5223", "port = 5270")
    scene = Scene(t, [DIRECT, "xmpp A {there}"], signed=(), vouched=True, change=change)
    has(scene.reached(), "connected to xmpp." + THERE, ":5270")
    t.lab.community(THERE)["c2s_tls"] = t.lab.community(THERE)["s2s_tls"]
    juliet = t.slix(f"juliet@{THERE}", direct_tls=True)
    hold(juliet.iq("get", "<ping xmlns='urn:xmpp:ping'/>", HERE).get("type") == "result", "juliet does not reach the other community")
    context = ssl.create_default_context(cafile=t.lab.state["ca"])
    for alpn, namespace in (("xmpp-client", "jabber:client"), ("xmpp-server", "jabber:server")):
        context.set_alpn_protocols([alpn])
        host, port = t.lab.community(THERE)["s2s_tls"].rsplit(":", 1)
        with context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=THERE) as sock:
            hold(sock.selected_alpn_protocol() == alpn, f"{alpn} was not chosen, but {sock.selected_alpn_protocol()}")
            sock.sendall(f"<stream:stream xmlns='{namespace}' xmlns:stream='http://etherx.jabber.org/streams' to='{THERE}' version='1.0'>".encode())
            answer = sock.recv(4096)
            hold(f"xmlns='{namespace}'".encode() in answer and b"invalid-namespace" not in answer, f"{alpn} was answered {answer}")


if __name__ == "__main__":
    suite.main(__doc__, dane_starttls, dane_direct, no_dane, dane_other, not_signed, forged, next_targets, not_here, own_address, to_ourselves, one_port)
