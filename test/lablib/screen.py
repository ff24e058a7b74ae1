# SPDX-License-Identifier: MIT
"""A program of the terminal, in a tmux of its own: type, look at the screen, wait until it shows something. A
screen reports to nobody, so it is asked until it has what is awaited."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from lablib import process
from lablib.peers import need
from lablib.process import PATIENCE, Failed


class Screen:
    def __init__(self, folder, command, patience=PATIENCE, size=(110, 36), env=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tmux = [need("tmux", "tmux"), "-S", str(self.folder / "tmux"), "-f", "/dev/null"]
        self.patience = patience
        self.shown = []  # (what it was, the screen then)
        subprocess.run([*self.tmux, "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), *command], check=True,
                       env=dict(os.environ, **(env or {}), TERM="screen-256color", LC_ALL="C.UTF-8"))
        subprocess.run([*self.tmux, "set-option", "-g", "remain-on-exit", "on"], check=True)
        self.pane = subprocess.run([*self.tmux, "display-message", "-p", "#{pane_pid}"], check=True, capture_output=True, text=True).stdout.strip()

    def type(self, line):
        self.keys(line)
        subprocess.run([*self.tmux, "send-keys", "Enter"], check=True)

    def keys(self, text):
        subprocess.run([*self.tmux, "send-keys", "-l", "--", text], check=True)

    def look(self):
        done = subprocess.run([*self.tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True)
        return "\n".join(line.rstrip() for line in done.stdout.rstrip("\n").split("\n"))

    def wait(self, pattern, what):
        """The screen, once it has `pattern` (over line ends too); kept as evidence."""
        limit = time.monotonic() + self.patience
        while not re.search(pattern, text := self.look(), re.S):
            if time.monotonic() > limit:
                raise Failed(f"the screen never showed {what} ({pattern!r}); it shows:\n{text}")
            time.sleep(0.05)
        self.shown.append((what, text))
        return text

    def rings(self):
        """Has the terminal's bell rung since the window was last looked at?"""
        done = subprocess.run([*self.tmux, "display-message", "-p", "#{window_bell_flag}"], check=True, capture_output=True, text=True)
        return done.stdout.strip() == "1"

    def evidence(self):
        return "\n".join(f"==== {what}\n{text}\n" for what, text in self.shown)

    def programs(self):
        """The identities of what runs in it: tmux gives each pane a session of the kernel's."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                session = (folder / "stat").read_text().rpartition(")")[2].split()[3]
            except OSError:
                continue
            if session == self.pane and (birth := process.birth(int(folder.name))) is not None:
                found.append({"pid": int(folder.name), "birth": birth})
        return found

    def close(self):
        """A program that does not mind that its terminal has gone would run for ever: each is ended by its own identity."""
        running = self.programs()
        for identity in running:  # before tmux, which waits for its children
            process.end(identity, signal.SIGKILL)
        subprocess.run([*self.tmux, "kill-server"], check=False, stderr=subprocess.DEVNULL)
        if left := [p["pid"] for p in [*running, *self.programs()] if process.is_alive(p)]:
            raise Failed(f"programs outlive their screen: {left}")
