# SPDX-License-Identifier: MIT
"""Zones of DNS on loopback, signed (ldnsutils) or not, served by Debian's nsd: what the lab's own resolver cannot do."""
import hashlib
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

from lablib import process
from lablib.peers import need
from lablib.process import Failed

PORT = 5353


def run(*args, cwd):
    done = subprocess.run(args, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout.strip()


def tlsa(cert, usage=3, selector=1):
    """What a TLSA record says of a certificate (PEM file), by SHA-256."""
    form = ["x509", "-in", str(cert), "-outform", "DER"] if selector == 0 else ["x509", "-in", str(cert), "-noout", "-pubkey"]
    out = subprocess.run(["openssl", *form], capture_output=True, check=True).stdout
    if selector == 1:
        out = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=out, capture_output=True, check=True).stdout
    return f"{usage} {selector} 1 {hashlib.sha256(out).hexdigest()}"


class Zones:
    """`zones`: {origin: lines without their origin}. `signed`: those that are, and whose keys `anchor` names. `broken`: of
    these, those of which an address was changed behind the signature's back."""

    def __init__(self, folder, address, zones, signed=(), broken=()):
        self.folder, self.address = Path(folder), address
        self.server = f"{address}@{PORT}"
        self.identity = None
        self.folder.mkdir(parents=True)
        self.anchor = self.folder / "anchor"
        self.anchor.write_text("")
        files = {origin: self.write(origin, lines, origin in signed) for origin, lines in zones.items()}
        for origin in broken:
            text = files[origin].read_text()
            files[origin].write_text(re.sub(r"(\sA\s+127\.\d+\.\d+\.)\d+", r"\g<1>99", text))
        user = "root" if os.geteuid() == 0 else ""
        (self.folder / "nsd.conf").write_text(
            f'server:\n ip-address: {address}@{PORT}\n username: "{user}"\n zonesdir: "{self.folder}"\n database: ""\n server-count: 1\n'
            f' pidfile: "{self.folder}/nsd.pid"\n xfrdfile: ""\n zonelistfile: "{self.folder}/zone.list"\n xfrdir: "{self.folder}"\n'
            ' zonefiles-check: no\nremote-control:\n control-enable: no\n' +
            "".join(f'zone:\n name: "{origin}"\n zonefile: "{path}"\n' for origin, path in files.items()))

    def write(self, origin, lines, signed):
        path = self.folder / f"{origin}.zone"
        path.write_text(f"$ORIGIN {origin}.\n$TTL 60\n@ SOA ns.{origin}. admin.{origin}. 1 3600 600 86400 60\n@ NS ns\n"
                        f"ns A {self.address}\n" + "".join(f"{line}\n" for line in lines))
        if not signed:
            return path
        keys = [run(need("ldns-keygen", "ldnsutils"), *kind, "-a", "ECDSAP256SHA256", f"{origin}.", cwd=self.folder)
                for kind in (("-k",), ())]
        run(need("ldns-signzone", "ldnsutils"), "-n", str(path), keys[1], keys[0], cwd=self.folder)
        with self.anchor.open("a") as anchor:
            anchor.write((self.folder / f"{keys[0]}.ds").read_text())
        return Path(f"{path}.signed")

    def start(self):
        """nsd reports to nobody; the first answer is the event."""
        log = self.folder / "nsd.log"
        self.identity = process.start([need("nsd", "nsd"), "-d", "-c", str(self.folder / "nsd.conf")], log, notify=False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.05)
            s.connect((self.address, PORT))
            for _ in range(400):
                try:
                    s.send(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04xmpp\x03lab\x00\x00\x01\x00\x01")
                    s.recv(512)
                    return self
                except TimeoutError:
                    continue
                except ConnectionRefusedError:  # it does not listen yet
                    if process.ends_within(self.identity, 0.02):
                        break
        raise Failed(f"nsd does not answer: {process.tail(log)}")

    def close(self):
        if self.identity:
            process.end(self.identity, signal.SIGTERM)
