# SPDX-License-Identifier: MIT
"""Cases of an interop test: each has a folder and whatever it starts; what it started is taken down when it
ends, and then every gateway must have ended with status 0 and without a sanitizer's report.

    def a_case(t): ...          t is a Case
    if __name__ == "__main__":
        suite.main(__doc__, a_case, another)

prints TAP. Arguments: names of cases; --preset P (or CAUSEWAY_PRESET; asan); --home prosody plays the cases
that say make_home with Prosody in Causeway's place; --keep leaves the folder."""
import argparse
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from lablib import emitted, events, process
from lablib.authority import Authority
from lablib.client import C, Client
from lablib.lab import ROOT, Lab
from lablib.peers import Prosody
from lablib.process import PATIENCE, Failed
from lablib.raw import Raw, Terminal

REPORT = re.compile(r"(Address|Leak|Thread|UndefinedBehavior|Memory)Sanitizer|runtime error:|Assertion|CHECK failed")


def hold(condition, text):
    if not condition:
        raise Failed(text)


def wait_for(find, what, patience=PATIENCE):
    """For what another process writes to files of the case (logs, stores, mails, what the doubles note) or a thread of this one
    hears (events.Heard, events.happened): asked when one of these has changed."""
    if found := events.wait_until(find, Case.folder_now, patience):
        return found
    raise Failed(f"{what} did not come within {patience} s")


def ask_until(find, what, patience=PATIENCE):
    """For what only an answer can tell: each time another process is asked, which tells nobody when it would answer otherwise."""
    limit = time.monotonic() + patience
    while not (found := find()):
        if time.monotonic() > limit:
            raise Failed(f"{what} did not come within {patience} s")
        time.sleep(0.05)
    return found


class Case:
    folder_now = None  # of the case that is played: one at a time

    def __init__(self, name, preset, home, peer):
        self.name = name
        self.peer = peer
        self.preset, self.home = preset, home
        self.servers = {}  # domain -> what serves it
        self.folder = Case.folder_now = Path(tempfile.mkdtemp(prefix=f"causeway-{name}-"))
        self.closing = []  # called in reverse order
        self.lab = None
        self.notes = []
        self.log_lines = 25  # of each log, when the case fails

    # ---- what a case starts

    def make_lab(self, domains, names=None, remotes=(), **options):
        self.lab = Lab(self.folder / "lab", self.preset)
        self.closing.append(self._close_lab)
        self.lab.create(domains, names=names, remotes=remotes, **options)
        return self.lab

    def make_home(self, domain, names, remotes=(), **options):
        """A lab whose one community is served by Causeway; with --home prosody by Prosody, which proves the
        test itself."""
        if self.home == "causeway":
            self.make_lab([domain], {domain: names}, remotes, **options)
        else:
            self.make_lab([], remotes={domain: 100, **dict(remotes)})
            self.serve(Prosody, domain, 100, names)
        return self.lab

    def peer_server(self, domain, number, names):
        """The suite's other program for a domain that is among the lab's remotes."""
        return self.serve(self.peer, domain, number, names)

    def serve(self, program, domain, number, names):
        hosts = {c["domain"]: c["address"] for c in self.lab.state["communities"]} | {d: s.address for d, s in self.servers.items()}
        server = program(self.folder / f"peer-{domain}", domain, f"{self.lab.state['network']}.{number}",
                         self.lab.state["dns"], Authority(Path(self.lab.state["ca"]).parent), names, hosts)
        self.servers[domain] = self.keep(server)
        server.start()
        return server

    def where(self, jid, service="c2s"):
        """(address, password) of an account on whatever serves it."""
        local, domain = jid.split("@")
        if domain in self.servers:
            return getattr(self.servers[domain], service), self.servers[domain].passwords[local]
        return self.lab.community(domain)[service], self.lab.account(local, domain)["password"]

    def keep(self, closeable):
        self.closing.append(closeable.close)
        return closeable

    def strophe(self, jid, **options):
        program = ROOT / "build" / self.preset / "test" / "client" / "strophe-client"
        address, password = self.where(jid)
        return self.keep(Client(program, jid, password, address, self.lab.state["ca"], patience=PATIENCE, **options))

    def slix(self, jid, direct_tls=False, **options):
        from lablib.slix import Slix
        address, password = self.where(jid, "c2s_tls" if direct_tls else "c2s")
        return self.keep(Slix(jid, password, address, self.lab.state["ca"], direct_tls=direct_tls, patience=PATIENCE, **options))

    def terminal(self, jid, **options):
        address, password = self.where(jid)
        return self.keep(Terminal(address, self.lab.state["ca"], jid, password, patience=PATIENCE, **options))

    def raw(self, domain, service="c2s", patience=PATIENCE, source=None):
        return self.keep(Raw(self.lab.community(domain)[service], self.lab.state["ca"], patience, source))

    # ---- the end

    def _close_lab(self):
        state, logs = self.lab.state, []
        if not state:
            return
        domains = [(c["domain"], c["log"], c["pid"]) for c in state["communities"]]
        self.lab.down()
        for domain, log, pid in domains:
            identity = state["processes"].get(domain) or {}
            if pid and identity.get("status") != 0:
                logs.append(f"{domain} ended with status {identity.get('status')}; its log ends with:\n{process.tail(log, 40)}")
            else:
                logs += self.reports(domain, log)
        if logs:
            raise Failed("\n".join(logs))

    @staticmethod
    def reports(domain, log):
        try:
            text = Path(log).read_text(errors="replace")
        except OSError:
            return []
        found = REPORT.search(text)
        return [f"{domain}'s log has a report:\n{text[max(0, found.start() - 200):found.start() + 3000]}"] if found else []

    def close(self):
        """Everything is closed even if something fails; returns what failed."""
        wrong = []
        while self.closing:
            try:
                self.closing.pop()()
            except Exception as e:  # one that will not close must not keep the others open
                wrong.append(str(e) if isinstance(e, Failed) else traceback.format_exc())
        return wrong

    def again(self):
        """For a case that makes several labs, one after the other."""
        wrong = self.close()
        hold(not wrong, "\n".join(wrong))
        shutil.rmtree(self.folder / "lab")

    def logs(self):
        for path in sorted(self.folder.rglob("*.log")):
            lines = process.tail(path, self.log_lines)
            if lines.strip():
                yield f"--- {path.relative_to(self.folder)}\n{lines}"

    def note(self, text):
        self.notes.append(text)


def befriend(one, other):
    """Both see each other's presence when it returns. Works with any Waiting on any server."""
    def of(jid, kind):
        bare = jid.split("/")[0]
        return lambda s: s.tag == C + "presence" and s.get("type") == kind and s.get("from", "").split("/")[0] == bare
    for a, b in ((one, other), (other, one)):
        a.send(f"<presence type='subscribe' to='{b.jid}'/>")
        b.wait(of(a.jid, "subscribe"), f"{a.jid}'s wish to subscribe")
        b.send(f"<presence type='subscribed' to='{a.jid}'/>")
        a.wait(of(b.jid, None), f"presence of {b.jid}")


def token():
    return secrets.token_hex(3)


def perform(case, options, peer):
    """Returns (seconds, failure or None, notes)."""
    began = time.monotonic()
    t = Case(case.__name__, options.preset, options.home, peer)
    why = []
    try:
        case(t)
    except Failed as e:
        frame = traceback.extract_tb(e.__traceback__)
        where = next((f for f in frame if "/interop/" in f.filename or f.filename.endswith("/federation.py")), frame[-1])
        why.append(f"{Path(where.filename).name}:{where.lineno}: {e}")
    except Exception:
        why.append(traceback.format_exc())
    why += t.close()
    why += emitted.mistakes()
    if why:
        why += t.logs()
    if options.keep and why:
        why.append(f"everything is in {t.folder}")
    else:
        shutil.rmtree(t.folder, ignore_errors=True)
    return time.monotonic() - began, why, t.notes


def main(doc, *cases, peer=Prosody):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default=os.environ.get("CAUSEWAY_PRESET", "asan"))
    parser.add_argument("--home", choices=("causeway", "prosody"), default="causeway")
    parser.add_argument("--keep", action="store_true", help="leave the folders of failed cases")
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    chosen = [c for c in cases if not options.case or c.__name__ in options.case]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, case in enumerate(chosen, 1):
        seconds, why, notes = perform(case, options, peer)
        failed += bool(why)
        print(f"{'not ok' if why else 'ok'} {number} - {(case.__doc__ or case.__name__).strip()} # {seconds:.1f} s", flush=True)
        for line in "\n".join([*notes, *why]).split("\n") if notes or why else []:
            print(f"# {line}", flush=True)
    sys.exit(1 if failed or not chosen else 0)
