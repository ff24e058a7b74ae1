# SPDX-License-Identifier: MIT
"""Clients of the terminal, as Debian has them: poezio and mcabber in a tmux of their own, go-sendxmpp as a command. Each is behind a
cable that can be cut. What was on a screen stays in BUILD/captures/CLIENT-CASE-NAME.txt."""
import itertools
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

from lablib import events
from lablib.cable import Cable
from lablib.lab import ROOT
from lablib.peers import need
from lablib.process import PATIENCE, Failed
from lablib.screen import Screen
from lablib.suite import ask_until, hold, wait_for


class Behind:
    """A client behind a cable."""

    def is_gone_there(self):
        """The gateway has noticed that its connection is cut: what has no XEP-0198 loses what is sent to it before that."""
        log = Path(self.t.lab.community(self.jid.split("@")[1])["log"])
        wait_for(lambda: f"{self.jid}] stream ended" in log.read_text(), "that the gateway notices")


class OnScreen(Behind):
    """`command` and `env` are the subclass's, after prepare(host, port, password)."""
    program = None

    def __init__(self, t, jid):
        self.t, self.jid = t, jid
        self.name = jid.split("@")[0]
        address, self.password = t.where(jid)
        self.cable = t.keep(Cable(address))
        self.home = t.folder / f"{self.program}-{self.name}"
        self.home.mkdir()
        self.ca = shutil.copy(t.lab.state["ca"], self.home / "ca.pem")
        command, env = self.prepare()
        command = [need(self.program, self.program), *command]
        if os.geteuid() == 0:  # poezio does not run as root
            t.folder.chmod(0o711)
            for path in (self.home, *self.home.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")
            command = [need("setpriv", "util-linux"), "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        env = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config"), "XDG_DATA_HOME": str(self.home / "data"),
               "XDG_CACHE_HOME": str(self.home / "cache"), "XDG_RUNTIME_DIR": str(self.home)} | env
        self.screen = Screen(self.home, command, PATIENCE, env=env)
        t.closing.append(self.close)

    def close(self):
        folder = ROOT / "build" / self.t.preset / "captures"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.program}-{self.t.name}-{self.name}.txt").write_text(self.screen.evidence() + "\n==== at the end\n" + self.screen.look())
        self.screen.close()

    def reads(self, other, text):
        """`text` is on the screen, in the conversation with `other`."""
        if text not in self.screen.wait(f"{self.mark(other)}|{re.escape(text)}", f"a sign that {other} has written"):
            self.turn_to(other)
        return self.screen.wait(re.escape(text), f"what {other} wrote to {self.jid}")

    def times_shown(self, text):
        return self.screen.look().count(text)


class Poezio(OnScreen):
    program = "poezio"

    def prepare(self):
        folder = self.home / "config" / "poezio"
        folder.mkdir(parents=True)
        (folder / "poezio.cfg").write_text(f"""[Poezio]
jid = {self.jid}/desk
password = {self.password}
custom_host = 127.0.0.1
custom_port = {self.cable.port}
ca_cert_path = {self.ca}
enable_smacks = true
auto_reconnect = true
""")
        return ["-d", str(self.home / "debug.log")], {}

    def logged_in(self):
        self.screen.wait("Your JID is", "poezio's log-in")

    def command(self, line):
        """In the list of contacts only a key of its own opens the line for commands."""
        self.screen.keys("/")
        self.screen.wait(r"(^|\n)[^\n]{0,24}/ *$", "the line for commands")
        self.enter(line)

    def enter(self, line):
        """What comes at once with its end is taken for something pasted, and not sent. So is an end that is read late, with what is
        typed next: it is typed once, and again only when it was not taken for long."""
        typed = line[-20:].strip()

        def is_typed():
            return typed in self.screen.look().split("\n")[-1]

        def is_taken():
            return not is_typed()
        self.screen.keys(line)
        ask_until(is_typed, f"{line!r} in poezio's last line")
        self.screen.type("")
        try:
            ask_until(is_taken, f"that poezio takes {line!r}", PATIENCE / 9)
        except Failed:
            self.screen.type("")
            ask_until(is_taken, f"that poezio takes {line!r}")

    def mark(self, other):
        return rf"(\d)\.{re.escape(other.split('@')[0].split('.')[0])}"

    def turn_to(self, other):
        number = re.search(self.mark(other), self.screen.wait(self.mark(other), f"a tab of {other}"))
        self.command(f"win {number.group(1)}")

    def say(self, other, text):
        self.command(f"message {other} {text}")


class Mcabber(OnScreen):
    program = "mcabber"

    def prepare(self):
        folder = self.home / ".mcabber"
        folder.mkdir(mode=0o700)
        file = folder / "mcabberrc"
        file.write_text(f"""set jid = {self.jid}
set password = {self.password}
set server = 127.0.0.1
set port = {self.cable.port}
set resource = desk
set tls = 1
set ssl_ca = {self.ca}
set lang = en
set log_win_height = 12
set roster_width = 8
""")
        file.chmod(0o600)
        return ["-f", str(file)], {}

    def logged_in(self):
        self.screen.wait("Your status has been set", "mcabber's log-in")

    def mark(self, other):
        return r"#\{"

    def turn_to(self, other):
        self.screen.type(f"/roster search {other}")
        self.screen.type("")  # opens the conversation

    def say(self, other, text):
        self.screen.type(f"/say_to {other} {text}")


LINES_MAX = 2000  # of go-sendxmpp: after a cut it prints without end


class GoSendxmpp(Behind):
    """`send` is one run; `listen` starts one that prints what comes: what is behind the first lines is not read, so that it waits."""

    def __init__(self, t, jid):
        self.t, self.jid = t, jid
        address, password = t.where(jid)
        self.cable = t.keep(Cable(address))
        self.command = [need("go-sendxmpp", "go-sendxmpp"), "-u", jid, "-p", password, "-j", self.cable.address]
        self.env = dict(os.environ, SSL_CERT_FILE=t.lab.state["ca"], HOME=str(t.folder))
        self.lines, self.ended, self.child = events.Heard(), None, None

    def send(self, other, text):
        done = subprocess.run([*self.command, other], input=text + "\n", capture_output=True, text=True, env=self.env, timeout=PATIENCE)
        if done.returncode:
            raise Failed(f"go-sendxmpp: {done.stdout}{done.stderr}")

    def listen(self):
        child = self.child = subprocess.Popen([*self.command, "--listen"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                              stderr=subprocess.STDOUT, text=True, env=self.env)
        self.ended = None

        def read():
            for line in itertools.islice(child.stdout, LINES_MAX):
                self.lines.append(line.rstrip("\n"))
            self.ended = child.wait()
            events.happened()

        threading.Thread(target=read, daemon=True).start()
        self.t.closing.append(self.stop)

    def stop(self):
        self.child.kill()
        wait_for(lambda: self.ended is not None, "the end of go-sendxmpp")

    def notices(self, do):
        """That its connection has gone: it says so, in words that are not always the same, or ends."""
        before = len(self.lines)
        do()
        wait_for(lambda: len(self.lines) > before or self.ended is not None, "that go-sendxmpp notices")

    def hears(self, text):
        line = wait_for(lambda: next((one for one in self.lines if text in one), None), f"{text!r}, printed by go-sendxmpp")
        hold(sum(text in one for one in self.lines) == 1, f"{text!r} was printed more than once: {self.lines}")
        return line
