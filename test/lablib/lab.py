# SPDX-License-Identifier: MIT
"""Communities on loopback: see test/lab for the command."""
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from lablib import process
from lablib.authority import Authority
from lablib.webhook import call_webhook
from lablib.process import Failed

ROOT = Path(__file__).resolve().parents[2]
PORTS = {"c2s": 5222, "c2s_tls": 5223, "s2s": 5269, "s2s_tls": 5270, "http": 5280, "lmtp": 2424, "websocket": 5443,
         "websocket_plain": 5281}
SMTP_PORT, PROVIDER_PORT, DNS_PORT = 2525, 8025, 5353
OUR_NUMBER = "+447700900001"

PROVIDER = '''provider "sms" {
    profile = "twilio"
    from = "{our_number}"
    options = { "api=http://{provider}" }
    secret_files = { "auth_token={folder}/auth_token", "account_sid={folder}/account_sid", "key_sid={folder}/key_sid", "key_secret={folder}/key_secret" }
    allow_http = true
}'''


def free_network():
    """(a 127.A.B.0/24 of which nobody uses our ports, its claim)."""
    for _ in range(200):
        network = f"127.{random.randint(16, 250)}.{random.randint(1, 250)}"
        held = process.claim(network)
        if not held:
            continue
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind((f"{network}.1", DNS_PORT))
            for port in (*PORTS.values(), SMTP_PORT, PROVIDER_PORT):
                with socket.socket() as s:
                    s.bind((f"{network}.10", port))
            return network, held
        except OSError:
            held.close()
    raise Failed("no free addresses on loopback")


def find_program(preset):
    program = os.environ.get("CAUSEWAY_PROGRAM")
    if program:
        return Path(program)
    return ROOT / "build" / preset / "gateway" / "causeway"


def build(preset):
    """Builds what is missing or old; silent when nothing is to be done."""
    if os.environ.get("CAUSEWAY_PROGRAM"):
        return
    for command in (["cmake", "--preset", preset], ["cmake", "--build", "--preset", preset, "--target", "causeway"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")


class Lab:
    def __init__(self, folder, preset="release"):
        self.folder = Path(folder).resolve()
        self.file = self.folder / "lab.json"
        self.state = json.loads(self.file.read_text()) if self.file.exists() else None
        self.preset = self.state["preset"] if self.state else preset
        self.held = None  # the claim to its network, if it was made here

    # ---- making

    def create(self, domains, accounts=2, names=None, remotes=(), extra="", mail_port=SMTP_PORT, options="", providers=PROVIDER,
               secrets_of=(), direct_s2s=False, dns=(), trusts=None):
        """Makes everything in the folder and starts it. `names`: {domain: [localpart]} instead of user1...;
        `remotes`: {domain: last number of its address} of servers that are not ours, for DNS; `extra`: more for
        each community's section, with {domain} filled in; `options`: more for the gateway's; `providers`: the [provider] sections, with the
        names of this file's PROVIDER filled in; `secrets_of`: NAME -> value of files for their secrets; `mail_port`: where
        mail goes, the double's unless something else is to listen on the network's first address; `direct_s2s`: DNS
        says that servers are reached by direct TLS first; `dns`: more lines for dnsmasq, with {network} filled in; `trusts`: file of
        the authorities that the gateways trust, the lab's own if not given."""
        if self.state:
            raise Failed(f"{self.file} exists: `test/lab down {self.folder}` first")
        if domains:
            build(self.preset)
        self.folder.mkdir(parents=True, exist_ok=True)
        network, self.held = free_network()
        authority = Authority(self.folder / "ca")
        self.state = {
            "preset": self.preset, "network": network, "ca": str(authority.cert), "dns": f"{network}.1:{DNS_PORT}",
            "communities": [], "accounts": [], "mail_dir": str(self.folder / "mail"),
            "provider_log": str(self.folder / "provider.log"), "provider_token": secrets.token_hex(16),
            "smtp": f"{network}.1:{mail_port}", "provider": f"{network}.1:{PROVIDER_PORT}", "processes": {},
        }
        try:
            for i, domain in enumerate(domains):
                self.add_community(domain, f"{network}.{10 + i}", authority, extra, options, providers, dict(secrets_of), trusts)
            self.start_dns({d: f"{network}.{n}" for d, n in dict(remotes).items()}, direct_s2s, dns)
            self.start_doubles()
            for domain in domains:
                self.add_accounts(domain, (names or {}).get(domain) or [f"user{n + 1}" for n in range(accounts)])
            for domain in domains:
                self.start(domain)
        except BaseException:
            self.down()
            raise
        return self

    def save(self):
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(self.state, indent=1) + "\n")
        part.replace(self.file)

    def add_community(self, domain, address, authority, extra, options, providers, secrets_of, trusts):
        folder = self.folder / domain
        folder.mkdir(exist_ok=True)
        chain, key = authority.issue(domain, folder)
        values = {"auth_token": self.state["provider_token"], "account_sid": "lab-account_sid", "key_sid": "lab-key_sid",
                  "key_secret": "lab-key_secret"}
        for name, value in (values | secrets_of).items():
            (folder / name).write_text(f"{value}\n")
            (folder / name).chmod(0o600)
        for name, value in {"network": self.state["network"], "provider": self.state["provider"], "folder": folder,
                            "our_number": OUR_NUMBER}.items():
            providers = providers.replace("{%s}" % name, str(value))
        listeners = "".join(f'listen {{ service = "{service}" address = "{address}" port = {port} }}\n'
                            for service, port in (("c2s", 5222), ("c2s-tls", 5223), ("s2s", 5269), ("s2s-tls", 5270), ("http", 5280), ("lmtp", 2424),
                                                 ("websocket", 5443)))
        listeners += f'listen {{ service = "websocket" address = "{address}" tls = false }}\n'
        config = folder / "causeway.conf"
        config.write_text(f'''# A community of the lab; every address is on loopback.
gateway {{
    store = "{folder}/causeway.db"
    schema_dir = "{ROOT}/schemas/sql"
    profile_dir = "{ROOT}/schemas/provider"
    ca_file = "{trusts or authority.cert}"
    dns_server = "{self.state['dns'].replace(':', '@')}"
    egress_allow = {{ "any 127.0.0.0/8" }}
    public_url = "http://{address}:5280"
    mail_reader = "{ROOT}/build/{self.preset}/contact-router/causeway-mail-reader"
    log_level = "{os.environ.get('CAUSEWAY_LAB_LOG', 'info')}"
    io_loops = {os.environ.get('CAUSEWAY_LAB_IO_LOOPS', '0')}
    {options}
}}
{listeners}community "{domain}" {{
    certificate = "{chain}"
    key = "{key}"
    admins = {{ "admin@{domain}" }}
    mail_server = "smtp://{self.state['smtp']}"
    sms_per_day = 1000
    calls_per_day = 1000
    sms_prefixes = {{ "+4477009" }}
    {extra.replace("{domain}", domain)}
}}
{providers}
''')
        entry = {"domain": domain, "address": address, "pid": 0, "config": str(config), "store": str(folder / "causeway.db"),
                 "log": str(folder / "causeway.log")}
        entry.update({name: f"{address}:{port}" for name, port in PORTS.items()})
        self.state["communities"].append(entry)
        self.save()

    def start_dns(self, remotes, direct_s2s, more):
        network = self.state["network"]
        lines = [f"port={DNS_PORT}", f"listen-address={network}.1", "bind-interfaces", "no-resolv", "no-hosts", "local=/#/",
                 "keep-in-foreground", "user=" + ("root" if os.geteuid() == 0 else ""), "pid-file="]
        hosts = {c["domain"]: c["address"] for c in self.state["communities"]}
        for domain, address in (hosts | remotes).items():
            lines += [f"host-record=xmpp.{domain},{address}", f"srv-host=_xmpp-server._tcp.{domain},xmpp.{domain},5269,5,0"]
            if direct_s2s:
                lines.append(f"srv-host=_xmpps-server._tcp.{domain},xmpp.{domain},5270,0,0")
            if domain in hosts:
                lines += [f"srv-host=_xmpp-client._tcp.{domain},xmpp.{domain},5222,5,0",
                          f"srv-host=_xmpps-client._tcp.{domain},xmpp.{domain},5223,5,0"]
        lines += [line.replace("{network}", network) for line in more]
        conf = self.folder / "dnsmasq.conf"
        conf.write_text("\n".join(line for line in lines if not line.endswith("user=")) + "\n")
        program = shutil.which("dnsmasq") or "/usr/sbin/dnsmasq"
        if not Path(program).exists():
            raise Failed("dnsmasq is missing: apt-get install dnsmasq-base")
        log = self.folder / "dnsmasq.log"
        self.state["processes"]["dns"] = process.start([program, f"--conf-file={conf}"], log, notify=False)
        self.save()
        self.wait_for_dns(log)

    def wait_for_dns(self, log):
        """dnsmasq reports to nobody; the first answer is the event. The socket's timeout only bounds a lost one."""
        query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04xmpp\x03lab\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.05)
            s.connect((f"{self.state['network']}.1", DNS_PORT))
            for _ in range(400):
                try:
                    s.send(query)
                    s.recv(512)
                    return
                except TimeoutError:
                    continue
                except ConnectionRefusedError:  # it does not listen yet
                    if process.ends_within(self.state["processes"]["dns"], 0.02):
                        break
        raise Failed(f"dnsmasq does not answer: {process.tail(log)}")

    def start_doubles(self):
        env = dict(os.environ, PYTHONPATH=str(ROOT / "test"))
        self.state["processes"]["doubles"] = process.start(
            [sys.executable, "-m", "lablib.doubles", f"{self.state['network']}.1", str(SMTP_PORT), str(PROVIDER_PORT),
             self.state["mail_dir"], self.state["provider_log"], self.state["provider_token"]],
            self.folder / "doubles.log", env=env)
        self.save()

    def causeway(self, domain, *args, stdin=None):
        """Runs the program's command for a community; returns its output."""
        command = [str(find_program(self.preset)), *args, "--config", self.community(domain)["config"]]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def add_accounts(self, domain, localparts):
        self.add_accounts_of(domain, [f"{name}@{domain}" for name in (*localparts, "admin")])

    def add_accounts_of(self, domain, jids):
        """At the gateway of `domain`, which may serve others too."""
        new = [{"jid": jid, "password": secrets.token_urlsafe(9), "admin": jid.startswith("admin@")} for jid in jids]
        self.causeway(domain, "account", "add", "-", stdin="".join(f"{a['jid']} {a['password']}\n" for a in new))
        self.state["accounts"] += new
        self.save()

    # ---- one community

    def community(self, domain):
        for c in self.state["communities"]:
            if c["domain"] == domain:
                return c
        raise Failed(f"the lab has no community {domain}")

    def start(self, domain):
        c = self.community(domain)
        if process.is_alive(self.state["processes"].get(domain)):
            raise Failed(f"{domain} runs already, pid {c['pid']}")
        identity = process.start([str(find_program(self.preset)), "run", "--config", c["config"]], c["log"])
        self.state["processes"][domain] = identity
        c["pid"] = identity["pid"]
        self.save()

    def end(self, domain, number):
        c = self.community(domain)
        if not process.end(self.state["processes"].get(domain), number):
            raise Failed(f"{domain} does not run")
        c["pid"] = 0
        self.save()

    def stop(self, domain):
        self.end(domain, signal.SIGTERM)

    def kill(self, domain):
        self.end(domain, signal.SIGKILL)

    def down(self):
        for name in [c["domain"] for c in self.state["communities"]] + ["doubles", "dns"]:
            identity = self.state["processes"].get(name)
            try:
                process.end(identity, signal.SIGTERM)
            except Failed:
                process.end(identity, signal.SIGKILL)
        self.file.unlink(missing_ok=True)
        self.state = None
        if self.held:
            self.held.close()

    # ---- for tests

    def account(self, localpart, domain):
        jid = f"{localpart}@{domain}"
        return next(a for a in self.state["accounts"] if a["jid"] == jid)

    def texts(self):
        """What the provider was asked to send so far."""
        with open(self.state["provider_log"]) as log:
            return [e for e in map(json.loads, log) if e["kind"] == "sms"]

    def provider_notes(self, kind):
        """Lines of the provider's log of that kind: call, call-status, call-turn, call-sound, call-error."""
        with open(self.state["provider_log"]) as log:
            return [e for e in map(json.loads, log) if e["kind"] == kind]

    def sounds(self):
        """What was said in calls so far, as WAV files."""
        return sorted(Path(self.state["provider_log"] + ".calls").glob("*.wav"))

    def mails(self):
        import email
        import email.policy
        return [email.message_from_bytes(p.read_bytes(), policy=email.policy.default)
                for p in sorted(Path(self.state["mail_dir"]).glob("*.eml"))]

    def text_from(self, domain, number, text, sid=None, wrong_signature=False):
        """Somebody answers by text message: the provider calls the community's webhook."""
        url = dict(line.split(" ", 1) for line in self.causeway(domain, "webhooks").strip().split("\n"))["sms"]
        form = {"MessageSid": sid or "SM" + secrets.token_hex(16), "From": number, "To": OUR_NUMBER, "Body": text,
                "NumMedia": "0"}
        return call_webhook(url, form, self.state["provider_token"], wrong_signature=wrong_signature)
