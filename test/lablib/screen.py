# SPDX-License-Identifier: MIT
"""A program of the terminal, in a tmux of its own: type, look at the screen, wait until it shows something. A
screen reports to nobody, so it is asked until it has what is awaited."""
import os
import re
import subprocess
import time
from pathlib import Path

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

    def type(self, line):
        subprocess.run([*self.tmux, "send-keys", "-l", "--", line], check=True)
        subprocess.run([*self.tmux, "send-keys", "Enter"], check=True)

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

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False, stderr=subprocess.DEVNULL)
