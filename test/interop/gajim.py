#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gajim, as Debian has it, on a display without a screen: a stranger's request is notified and shown, and a person
answers it by typing. Screenshots stay in BUILD/captures/gajim-*.png."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import process, suite  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.lab import ROOT  # noqa: E402
from lablib.peers import need  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402

CAPULET, MONTAGUE = "capulet.example", "montague.example"
JULIET, MERCUTIO = f"juliet@{CAPULET}", f"mercutio@{MONTAGUE}"
CONTACT = "{urn:causeway:contact:1}contact"
HELPER = str(ROOT / "test" / "lablib" / "gajim_start.py")
SIZE = "1100x800"


class Desk:
    """A display, a session bus with a notification service of the test's own, and Gajim with an account."""

    def __init__(self, t, jid):
        self.t, self.folder = t, t.folder / "desk"
        self.folder.mkdir()
        self.captures = ROOT / "build" / t.preset / "captures"
        self.captures.mkdir(parents=True, exist_ok=True)
        self.env = dict(os.environ, HOME=str(self.folder), XDG_RUNTIME_DIR=str(self.folder), LANG="C.UTF-8", NO_AT_BRIDGE="1",
                        GDK_BACKEND="x11", GSETTINGS_BACKEND="memory", PYTHONDONTWRITEBYTECODE="1", PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
        for name in ("DBUS_SESSION_BUS_ADDRESS", "WAYLAND_DISPLAY", "CAUSEWAY_PROGRAM"):
            self.env.pop(name, None)
        self.user = {}
        if os.geteuid() == 0:  # Gajim does not run as root
            self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            t.folder.chmod(0o711)
            shutil.chown(self.folder, "nobody", "nogroup")
        self.display()
        self.bus()
        self.gajim(jid)

    def run(self, *command):
        done = subprocess.run([str(c) for c in command], env=self.env, capture_output=True, text=True, cwd="/", timeout=suite.PATIENCE, **self.user)
        hold(done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}")

    def start(self, name, *command, **options):
        """A program of the desk, ended with the case."""
        log = open(self.folder / f"{name}.log", "w")
        child = subprocess.Popen(command, env=self.env, stdout=options.get("stdout", log), stderr=log, stdin=subprocess.DEVNULL,
                                 pass_fds=options.get("pass_fds", ()), text=True, cwd="/", **self.user)
        log.close()

        def end():
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.t.closing.append(end)
        return child

    def display(self):
        read, write = os.pipe()
        self.start("xvfb", need("Xvfb", "xvfb"), "-displayfd", str(write), "-screen", "0", SIZE + "x24", "-nolisten", "tcp", pass_fds=(write,))
        os.close(write)
        with open(read) as line:
            number = line.readline().strip()  # written when the display can be used
        hold(number, "Xvfb did not start")
        self.env["DISPLAY"] = ":" + number
        self.start("openbox", need("openbox", "openbox"))

    def bus(self):
        child = self.start("dbus", need("dbus-daemon", "dbus-daemon"), "--session", "--nofork", "--print-address=1", stdout=subprocess.PIPE)
        self.env["DBUS_SESSION_BUS_ADDRESS"] = child.stdout.readline().strip()
        self.notes = self.folder / "notifications"
        self.start("notifications", "/usr/bin/python3", HELPER, "notifications", str(self.notes))
        wait_for(self.notes.exists, "the notification service")

    def gajim(self, jid):
        address, password = self.t.where(jid)
        host, port = address.split(":")
        local, domain = jid.split("@")
        certificate = Path(self.t.lab.community(domain)["config"]).with_name(f"{domain}.pem")
        (self.folder / "account.json").write_text(json.dumps({
            "certificate": str(self.folder / "peer.pem"),
            "app": {"use_keyring": False, "check_for_update": False, "ask_online_status": False, "remote_control": True},
            "account": {"name": local, "hostname": domain, "password": password, "savepass": True, "active": True, "autoconnect": True,
                        "use_custom_host": True, "custom_host": host, "custom_port": int(port), "custom_type": "START TLS"}}))
        shutil.copy(certificate, self.folder / "peer.pem")
        (self.folder / "peer.pem").chmod(0o644)
        self.run("/usr/bin/python3", HELPER, "settings", self.folder)
        self.start("gajim", need("gajim", "gajim"), "--config-path", str(self.folder / "config"), "-l", "nbxmpp=INFO")

    def open_chat(self, jid):
        self.run("gajim", "--config-path", self.folder / "config", f"xmpp:{jid}?message")

    def type(self, text):
        self.run(need("xdotool", "xdotool"), "type", "--delay", "30", text)
        self.run(need("xdotool", "xdotool"), "key", "Return")

    def notified(self, part):
        """A notification with `part`, once it has come."""
        def find():
            lines = [json.loads(line) for line in self.notes.read_text().split("\n") if line]
            return next((n for n in lines if part in n["summary"] + " " + n["body"]), None)
        return wait_for(find, f"a notification with {part!r}")

    def picture(self, name):
        path = self.folder / f"gajim-{name}.png"
        self.run(need("import", "imagemagick"), "-window", "root", path)
        shutil.copy(path, self.captures)
        self.t.note(f"screenshot: {self.captures / path.name}")


def accepted(t):
    """the request is notified and shown; "accept 1", typed by a person, lets the stranger in; they talk"""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["mercutio"], CAPULET: ["juliet"]})
    desk, stranger = Desk(t, JULIET), t.strophe(MERCUTIO)
    log = Path(t.lab.community(CAPULET)["log"])
    wait_for(lambda: f"{JULIET} logged in" in log.read_text(), "Gajim's log-in")
    asked = f"May I write to you? {token()}"
    stranger.message(JULIET, asked)
    stranger.wait(lambda s: s.find(CONTACT) is not None, "the notice to the stranger")
    note = desk.notified("would like to write to you")
    t.note(f"notified: {note}")
    desk.open_chat(CAPULET)
    desk.picture("asked")
    desk.type("accept 1")
    note = desk.notified("New message from mercutio")
    t.note(f"notified: {note}")
    desk.picture("accepted")
    desk.open_chat(MERCUTIO)
    answer = f"You may {token()}"
    desk.type(answer)
    got = stranger.wait_body(answer, JULIET)
    hold(got.tag == C + "message", "no message")
    desk.picture("answered")


if __name__ == "__main__":
    suite.main(__doc__, accepted)
