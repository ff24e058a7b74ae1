# SPDX-License-Identifier: MIT
"""Real programs of Debian beside the lab's gateways: Prosody, ejabberd, Exim and Kannel, each in its own folder on its own
loopback address."""
import hashlib
import hmac
import os
import pwd
import re
import secrets
import shutil
import signal
import urllib.parse
from pathlib import Path

from lablib import process
from lablib.process import Failed

ITERATIONS = 4096
RESOLVER_PORT = 5353


def scram_record(password):
    """What Prosody's internal_hashed keeps of a password."""
    salt = secrets.token_hex(8)
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), ITERATIONS)
    stored = hashlib.sha1(hmac.new(salted, b"Client Key", "sha1").digest()).hexdigest()
    server = hmac.new(salted, b"Server Key", "sha1").hexdigest()
    return (f'return {{ ["salt"] = "{salt}"; ["iteration_count"] = {ITERATIONS}; '
            f'["stored_key"] = "{stored}"; ["server_key"] = "{server}"; }};\n')


def need(program, package):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin")
    if not found:
        raise Failed(f"{program} is missing: apt-get install {package}")
    return found


class Prosody:
    """Debian's Prosody. The lab gives the resolver and the authority; the domain must be among the lab's remotes. `hosts` are
    the addresses of others, for programs that do not ask the resolver for them."""

    modules = ("roster saslauth tls dialback disco carbons pep private blocklist vcard4 vcard_legacy version "
               "uptime time ping smacks csi_simple offline mam").split()

    def __init__(self, folder, domain, address, dns, authority, accounts, hosts):
        self.folder = Path(folder)
        self.domain, self.address = domain, address
        self.program = need("prosody", "prosody")
        self.log = self.folder / "prosody.log"
        self.c2s, self.c2s_tls, self.s2s = (f"{address}:{port}" for port in (5222, 5223, 5269))
        self.ca = str(authority.cert)
        self.passwords = {}
        self.identity = None
        self.folder.mkdir(parents=True)
        data = self.folder / "data" / domain.replace(".", "%2e") / "accounts"
        data.mkdir(parents=True)
        for name in accounts:
            password = self.passwords[name] = secrets.token_urlsafe(9)
            (data / f"{name}.dat").write_text(scram_record(password))
        chain, key = authority.issue(domain, self.folder)
        self.config = self.folder / "prosody.cfg.lua"
        self.config.write_text(f"""daemonize = false
run_as_root = true
data_path = "{self.folder}/data"
pidfile = "{self.folder}/prosody.pid"
log = {{ debug = "{self.log}" }}
network_backend = "epoll"
use_ipv6 = false
interfaces = {{ "{address}" }}
c2s_ports = {{ 5222 }}
c2s_direct_tls_ports = {{ 5223 }}
s2s_ports = {{ 5269 }}
s2s_direct_tls_ports = {{ 5270 }}
modules_enabled = {{ {", ".join(f'"{m}"' for m in self.modules)} }}
authentication = "internal_hashed"
storage = "internal"
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = false
ssl = {{ certificate = "{chain}"; key = "{key}"; cafile = "{authority.cert}" }}
certificates = "{self.folder}"
unbound = {{
    resolvconf = false; hoststxt = false; forward = "{dns.replace(":", "@")}";
    options = {{ ["do-not-query-localhost:"] = "no"; ["module-config:"] = "iterator" }};
}}
VirtualHost "{domain}"
""")

    def start(self):
        before = process.size_of(self.log)
        self.identity = process.start([self.program, "-F", "--config", str(self.config)], self.folder / "prosody.out", notify=False)
        for service, address in (("c2s", self.c2s), ("s2s", self.s2s)):
            host, port = address.rsplit(":", 1)
            process.wait_for_line(self.identity, self.log, f"Activated service '{service}' on [{host}]:{port}".encode(), before)

    def stop(self):
        if not process.end(self.identity, signal.SIGTERM):
            raise Failed(f"Prosody is not running any more: {process.tail(self.log)}")

    def close(self):
        if self.identity:
            process.end(self.identity, signal.SIGTERM)


class Ejabberd:
    """Debian's ejabberd, by Erlang itself: without its script there is no node name, no cookie, no port mapper, nothing but
    the ports that are configured. It asks a resolver of its choice for SRV alone and the system's for addresses, which
    does not know the lab: so it has a resolver of its own that gives addresses as the targets of SRV."""

    def __init__(self, folder, domain, address, dns, authority, accounts, hosts):
        self.folder = Path(folder)
        self.domain, self.address = domain, address
        self.program = need("erl", "ejabberd")
        self.code = next(Path("/usr/lib").glob("*/ejabberd-*"), None)
        if not self.code:
            raise Failed("ejabberd is missing: apt-get install ejabberd")
        self.log = self.folder / "ejabberd.log"
        self.c2s, self.c2s_tls, self.s2s = (f"{address}:{port}" for port in (5222, 5223, 5269))
        self.ca = str(authority.cert)
        self.passwords = {name: secrets.token_urlsafe(9) for name in accounts}
        self.identity = self.resolver = None
        self.folder.mkdir(parents=True)
        (self.folder / "dnsmasq.conf").write_text("".join(
            [f"port={RESOLVER_PORT}\nlisten-address={address}\nbind-interfaces\nno-resolv\nno-hosts\nlocal=/#/\nkeep-in-foreground\n"
             "pid-file=\n" + ("user=root\n" if os.geteuid() == 0 else "")] +
            [f"srv-host=_xmpp-server._tcp.{d},{a},5269,5,0\n" for d, a in hosts.items()]))
        chain, key = authority.issue(domain, self.folder)
        both = self.folder / "both.pem"
        both.write_text(Path(chain).read_text() + Path(key).read_text())
        (self.folder / "inetrc").write_text(
            '{lookup, [dns]}.\n{resolv_conf, "/dev/null"}.\n{hosts_file, "/dev/null"}.\n{edns, false}.\n'
            f'{{nameserver, {{{address.replace(".", ",")}}}, {RESOLVER_PORT}}}.\n')
        (self.folder / "accounts").write_text("".join(f'{{<<"{n}">>, <<"{p}">>}}.\n' for n, p in self.passwords.items()))
        modules = "adhoc caps carboncopy disco last offline ping private roster s2s_dialback stream_mgmt vcard version".split()
        (self.folder / "ejabberd.yml").write_text(f"""
hosts: ["{domain}"]
loglevel: debug
log_rotate_count: 0
certfiles: ["{both}"]
ca_file: "{authority.cert}"
auth_password_format: scram
s2s_use_starttls: required
outgoing_s2s_families: [ipv4]
listen:
  - {{port: 5222, ip: "{address}", module: ejabberd_c2s, starttls_required: true}}
  - {{port: 5223, ip: "{address}", module: ejabberd_c2s, tls: true}}
  - {{port: 5269, ip: "{address}", module: ejabberd_s2s_in}}
modules:
""" + "".join(f"  mod_{m}: {{}}\n" for m in modules))

    def start(self):
        accounts = (f'{{ok, L}} = file:consult("{self.folder}/accounts"),'
                    f'[ejabberd_auth:try_register(U, <<"{self.domain}">>, P) || {{U, P}} <- L].')
        env = dict(os.environ, HOME=str(self.folder), ERL_LIBS=str(self.code.parent), ERL_INETRC=str(self.folder / "inetrc"),
                   EJABBERD_CONFIG_PATH=str(self.folder / "ejabberd.yml"), EJABBERD_LOG_PATH=str(self.log),
                   ERL_CRASH_DUMP=str(self.folder / "crash.dump"))
        command = [self.program, "-noinput", "+sbwt", "none", "-mnesia", "dir", f'"{self.folder}/spool"', "-s", "ejabberd",
                   "-eval", accounts]
        if not self.resolver:
            self.resolver = process.start([need("dnsmasq", "dnsmasq-base"), f"--conf-file={self.folder}/dnsmasq.conf"],
                                          self.folder / "dnsmasq.log", notify=False)
        self.identity = process.start(command, self.folder / "ejabberd.out", notify=False, env=env, cwd=self.folder)
        for address in (self.c2s, self.s2s):
            process.wait_for_port(self.identity, address, self.log)

    def stop(self):
        if not process.end(self.identity, signal.SIGTERM):
            raise Failed(f"ejabberd is not running any more: {process.tail(self.log)}")

    def close(self):
        for identity in (self.identity, self.resolver):
            if identity:
                process.end(identity, signal.SIGTERM)


class Exim:
    """Debian's Exim as an unprivileged user: mail for `boxes` at `domain` goes into Maildirs, for `lost` ones nowhere
    (which its sender hears); mail for reply+... at each domain of `answers` goes to HOST:PORT there by LMTP."""

    def __init__(self, folder, domain, address, port, boxes, answers=None, lost=()):
        self.folder = Path(folder)
        self.domain = domain
        self.server = f"{address}:{port}"
        self.log = self.folder / "log-mainlog"
        self.program = need("exim4", "exim4-daemon-light")
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.uid, self.gid = user.pw_uid, user.pw_gid
        self.identity = None
        self.folder.mkdir(parents=True)
        for name in ("spool", "mail"):
            (self.folder / name).mkdir()
        config = self.folder / "exim.conf"
        answers = dict(answers or {})
        boxes, lost_boxes = [*boxes, *lost], " : ".join(lost) or "nobody-is-lost"
        accepted = "".join(f"  accept domains = {answered}\n" for answered in answers)
        routes = "".join(f"""
answers_{n}:
  driver = manualroute
  domains = {answered}
  caseful_local_part
  local_parts = ^reply\\N[+]\\N
  route_list = * {where.rsplit(":", 1)[0]}
  transport = answers_{n}
  self = send
""" for n, (answered, where) in enumerate(answers.items()))
        transports = "".join(f"""
answers_{n}:
  driver = smtp
  protocol = lmtp
  port = {where.rsplit(":", 1)[1]}
  hosts_try_fastopen =
  allow_localhost
""" for n, (_, where) in enumerate(answers.items()))
        config.write_text(f"""exim_user = {self.uid}
exim_group = {self.gid}
never_users =
spool_directory = {self.folder}/spool
log_file_path = {self.folder}/log-%slog
pid_file_path = {self.folder}/exim.pid
primary_hostname = mta.{domain}
local_interfaces = {address}.{port}
daemon_smtp_ports = {port}
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
message_size_limit = 1M
queue_run_in_order = true
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
deliver_drop_privilege = true
keep_environment =
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
begin acl
acl_rcpt:
  accept domains = {domain}
         local_parts = {" : ".join(boxes)}
{accepted}  deny message = relay not permitted
acl_data:
  accept
begin routers
{routes}
lost:
  driver = redirect
  domains = {domain}
  local_parts = {lost_boxes}
  allow_fail
  data = :fail: 550 no such person any more

user:
  driver = accept
  domains = {domain}
  local_parts = {" : ".join(boxes)}
  transport = maildir
begin transports
{transports}
maildir:
  driver = appendfile
  directory = {self.folder}/mail/$local_part_data
  maildir_format
  create_directory
  user = {self.uid}
  group = {self.gid}
  delivery_date_add
  envelope_to_add
  return_path_add
begin retry
* * F,1m,1s
begin rewrite
begin authenticators
""")
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, self.uid, self.gid)
        config.chmod(0o600)

    def start(self):
        for parent in self.folder.parents:  # temporary folders are 0700; Exim's user must pass through
            if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        host, port = self.server.rsplit(":", 1)
        before = process.size_of(self.log)
        self.identity = process.start([self.program, "-C", str(self.folder / "exim.conf"), "-bdf", "-oX", f"{host}.{port}"],
                                      self.folder / "exim.out", notify=False, cwd=self.folder,
                                      user=self.uid if os.geteuid() == 0 else None)
        process.wait_for_line(self.identity, self.log, b"listening for SMTP", before)

    def mails(self, localpart):
        """Files in that person's Maildir, oldest first."""
        return sorted((self.folder / "mail" / localpart / "new").glob("*"), key=lambda p: p.stat().st_mtime_ns)

    def close(self):
        if self.identity:
            process.end(self.identity, signal.SIGTERM)


class Kannel:
    """Debian's Kannel (bearerbox, smsbox) with its own fakesmsc as the carrier. `inbound`: where texts go."""
    TEST = "/usr/lib/kannel/test/fakesmsc"

    def __init__(self, folder, address, inbound):
        self.folder, self.address = Path(folder), address
        self.identities, self.smsc, self.runs = {}, None, 0
        need("bearerbox", "kannel")
        if not Path(self.TEST).exists():
            raise Failed("fakesmsc is missing: apt-get install kannel-extras")
        self.folder.mkdir(parents=True)
        self.smsc_port, self.ports = process.free_ports("")  # the fake carrier's port has no address of its own
        self.config = self.folder / "kannel.conf"
        local = f"{address};127.0.0.1"
        self.config.write_text(f"""group = core
admin-port = 13000
admin-interface = {address}
admin-password = lab
status-password = lab
admin-deny-ip = "*.*.*.*"
admin-allow-ip = "{local}"
smsbox-port = 13001
smsbox-interface = {address}
box-deny-ip = "*.*.*.*"
box-allow-ip = "{local}"
log-file = "{self.folder}/bearerbox.log"
log-level = 0
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = FAKE
port = {self.smsc_port}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = {address}
sendsms-port = 13013
sendsms-interface = {address}
global-sender = 13013
log-file = "{self.folder}/smsbox.log"
log-level = 0

group = sendsms-user
username = gw
password = gwpass
user-deny-ip = "*.*.*.*"
user-allow-ip = "{address.rpartition('.')[0]}.*;127.0.0.1"
max-messages = 10
concatenation = true
forced-smsc = FAKE

group = sms-service
keyword = default
get-url = "{inbound}?from=%p&to=%P&text=%b&id=%I"
max-messages = 0
omit-empty = true
catch-all = true
""")

    def start(self):
        said = self.folder / "smsbox.log"
        before = process.size_of(said)
        for name, port in (("bearerbox", 13001), ("smsbox", 13013)):
            log = self.folder / f"{name}.out"
            self.identities[name] = process.start([need(name, "kannel"), str(self.config)], log, notify=False, cwd=self.folder)
            process.wait_for_port(self.identities[name], f"{self.address}:{port}", log)
        # smsbox opens its port before it is ready: a text that comes then crashes it (its counter of texts in parts).
        process.wait_for_line(self.identities["smsbox"], said, b"Connected to bearerbox", before)
        self.listen()

    def carrier(self, *messages):
        """The carrier connects: it sends these (lines of fakesmsc), then shows what it gets."""
        if self.smsc:
            process.end(self.smsc, signal.SIGTERM)
        self.runs += 1
        arguments = [self.TEST, "-H", "127.0.0.1", "-r", str(self.smsc_port), "-i", "0.05", "-m", str(len(messages))]
        self.smsc = process.start([*arguments, *(messages or ["1 2 text nothing"])], self.folder / f"fakesmsc-{self.runs}.log",
                                  notify=False, cwd=self.folder)

    def listen(self):
        self.carrier()

    def texts(self):
        """What the carrier was given, in order: (sender, receiver, text, parts). Its protocol is one of lines, so a
        line feed makes it show one text as two; a text in parts comes as UCS-2 with the header that joins them."""
        found, parts = [], []
        for run in range(1, self.runs + 1):
            log = self.folder / f"fakesmsc-{run}.log"
            for got in re.findall(r"Got message \d+: <(.*)>$", log.read_text(errors="replace") if log.exists() else "", re.M):
                whole = re.match(r"(\S+) (\S+) (text|udh|data|ucs2) (.*)$", got)
                if not whole:
                    found[-1] = (*found[-1][:2], f"{found[-1][2]}\n{got}", 1)
                    continue
                sender, receiver, kind, said = whole.groups()
                if kind == "udh":
                    header, _, said = said.split(" ", 2)
                    parts.append(urllib.parse.unquote_to_bytes(said.replace("+", " ")))
                    count, number = urllib.parse.unquote_to_bytes(header)[4:6]
                    if number == count:
                        found.append((sender, receiver, b"".join(parts).decode("utf-16-be"), count))
                        parts = []
                else:
                    found.append((sender, receiver, said if kind == "text" else urllib.parse.unquote_plus(said), 1))
        return found

    def close(self):
        for identity in (self.smsc, self.identities.get("smsbox"), self.identities.get("bearerbox")):
            if identity:
                process.end(identity, signal.SIGTERM)
