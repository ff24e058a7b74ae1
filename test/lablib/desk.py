# SPDX-License-Identifier: MIT
"""A person's desk without a screen: Xvfb, a window manager, a session bus, notifications that a test can read, and typing."""
import json
import os
import shutil
import subprocess

from lablib import suite
from lablib.lab import ROOT
from lablib.peers import need
from lablib.suite import hold, token, wait_for

HELPER = str(ROOT / "test" / "lablib" / "gajim_start.py")
SIZE = "1100x800"


class Desk:
    """A display, a session bus with a notification service of the test's own, and a client with an account: begin(jid) starts it."""
    name = None

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
        if os.geteuid() == 0:  # a person's client is not run as root
            self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            t.folder.chmod(0o711)
            shutil.chown(self.folder, "nobody", "nogroup")
        self.display()
        self.bus()
        self.begin(jid)

    def give(self, folder):
        """What is in it belongs to who runs the client."""
        for path in (folder, *folder.rglob("*")) if self.user else ():
            shutil.chown(path, "nobody", "nogroup")

    def run(self, *command):
        done = subprocess.run([str(c) for c in command], env=self.env, capture_output=True, text=True, cwd="/", timeout=suite.PATIENCE, **self.user)
        hold(done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}")

    def start(self, name, *command, **options):
        """A program of the desk, ended with the case."""
        log = open(self.folder / f"{name}.log", "w")
        user = self.user if options.get("as_user", True) else {}
        child = subprocess.Popen(command, env=self.env, stdout=options.get("stdout", log), stderr=log, stdin=subprocess.DEVNULL,
                                 pass_fds=options.get("pass_fds", ()), text=True, cwd="/", **user)
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
        path = self.folder / f"{self.name}-{name}.png"
        self.run(need("import", "imagemagick"), "-window", "root", path)
        shutil.copy(path, self.captures)
        self.t.note(f"screenshot: {self.captures / path.name}")


def cut_and_back(desk, friend, cable, mine, theirs):
    """Two talk, the cable of the desk's client is cut, it is written to meanwhile, and it comes back: its history, desk.messages(), has all of
    it once and in order, and what is typed then arrives."""
    def heard(text):
        friend.wait(lambda: any(text in "".join(m.itertext()) for m in friend.live()), text)

    before = f"before {token()}"
    friend.message(mine, token(), before)
    wait_for(lambda: before in desk.messages(), before)
    desk.open_chat(theirs)
    said, connections = f"ready {token()}", cable.count
    desk.type(said)
    heard(said)
    cable.cut()
    meanwhile = [f"meanwhile {n} {token()}" for n in range(3)]
    for text in meanwhile:
        friend.message(mine, token(), text)
    friend.wait_acked()
    cable.mend()
    wait_for(lambda: cable.count > connections, "the client's return")
    wait_for(lambda: meanwhile[-1] in desk.messages(), "what was written meanwhile")
    desk.open_chat(theirs)  # while there was no connection the field for typing may have lost the cursor
    after = f"here again {token()}"
    desk.type(after)
    heard(after)
    wait_for(lambda: after in desk.messages(), after)
    has = [text for text in desk.messages() if text in (before, said, *meanwhile, after)]
    hold(has == [before, said, *meanwhile, after], f"its history has {has}")
    desk.picture("back")
