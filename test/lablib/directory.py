# SPDX-License-Identifier: MIT
"""Debian's slapd as a process of the test's own on loopback: the configuration, the entries and the certificate are made here."""
import base64
import os
import shutil
import signal
import subprocess
from pathlib import Path

from lablib import process
from lablib.authority import Authority
from lablib.peers import need
from lablib.process import Failed

BASE = "dc=house,dc=example"
PEOPLE = f"ou=people,{BASE}"
SEARCHER, SEARCHER_PASSWORD = f"cn=causeway,{BASE}", "searching"
ROOT, ROOT_PASSWORD = f"cn=root,{BASE}", "rooting"


class Slapd:
    """People: {uid: password}. The certificate names the address (libldap takes localhost as the
    machine's own name). Searching needs who searches."""

    def __init__(self, folder, ca, people=(), policy=False):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.program = need("slapd", "slapd")
        self.address = "127.0.0.1"
        first, self.held = process.free_ports(self.address)
        self.port, self.tls_port = first, first + 1
        self.log = self.folder / "slapd.log"
        self.authority = Authority(Path(ca).parent)
        self.certificate = self.authority.issue("ldap.house.example", self.folder, addresses=[self.address])
        self.policy = policy
        self.identity = None
        (self.folder / "db").mkdir()
        self.configure()
        self.fill(people)

    @property
    def url(self):
        return f"ldap://{self.address}:{self.port}"

    @property
    def tls_url(self):
        return f"ldaps://{self.address}:{self.tls_port}"

    def configure(self):
        chain, key = self.certificate
        (self.folder / "slapd.conf").write_text(f"""include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {self.folder}/slapd.pid
argsfile {self.folder}/slapd.args
TLSCACertificateFile {self.authority.cert}
TLSCertificateFile {chain}
TLSCertificateKeyFile {key}
database mdb
suffix "{BASE}"
rootdn "{ROOT}"
rootpw {ROOT_PASSWORD}
directory {self.folder}/db
limits dn.exact="{SEARCHER}" size.prtotal=unlimited
maxsize 16777216
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{SEARCHER}" read by anonymous auth by * none
""" + (f"""overlay ppolicy
ppolicy_default "cn=policy,{BASE}"
ppolicy_use_lockout
""" if self.policy else ""))

    def entry(self, uid, password, more=""):
        secret = base64.b64encode(password.encode()).decode()
        return (f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
                f"mail: {uid}@montague.example\nuserPassword:: {secret}\n{more}\n")

    def fill(self, people):
        ldif = (f"dn: {BASE}\nobjectClass: domain\ndc: house\n\ndn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n"
                f"dn: {SEARCHER}\nobjectClass: person\ncn: causeway\nsn: causeway\nuserPassword: {SEARCHER_PASSWORD}\n\n")
        if self.policy:
            ldif += (f"dn: cn=policy,{BASE}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\n"
                     "pwdLockout: TRUE\npwdMaxFailure: 3\npwdMustChange: TRUE\n\n")
        ldif += "".join(self.entry(uid, password) for uid, password in dict(people).items())
        self.offline("slapadd", ldif)

    def offline(self, tool, ldif):
        done = subprocess.run([str(Path(self.program).parent / tool), "-f", str(self.folder / "slapd.conf")], input=ldif,
                              capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{tool}: {done.stderr.strip()}")

    def start(self):
        self.identity = process.start([self.program, "-d", "stats", "-f", str(self.folder / "slapd.conf"), "-h",
                                       f"ldap://{self.address}:{self.port} ldaps://{self.address}:{self.tls_port}"],
                                      self.log, notify=False)
        process.wait_for_port(self.identity, f"{self.address}:{self.port}", self.log)
        return self

    def change(self, ldif):
        """LDIF with changetype, while it runs."""
        program = shutil.which("ldapmodify") or "/usr/bin/ldapmodify"
        if not Path(program).exists():
            raise Failed("ldapmodify is missing: apt-get install ldap-utils")
        done = subprocess.run([program, "-x", "-H", f"ldap://{self.address}:{self.port}", "-D", ROOT, "-w", ROOT_PASSWORD], input=ldif,
                              capture_output=True, text=True, env=dict(os.environ, LDAPNOINIT="1"))
        if done.returncode:
            raise Failed(f"ldapmodify: {done.stderr.strip()}")

    def add(self, uid, password):
        self.change(self.entry(uid, password).replace("\nobjectClass", "\nchangetype: add\nobjectClass", 1))

    def remove(self, uid):
        self.change(f"dn: uid={uid},{PEOPLE}\nchangetype: delete\n")

    def has_logged(self, words):
        return words in self.log.read_text(errors="replace")

    def stop(self):
        process.end(self.identity, signal.SIGTERM)

    def close(self):
        if self.identity and process.is_alive(self.identity):
            self.stop()
        self.held.close()
