# SPDX-License-Identifier: MIT
"""What another process or thread does, as an event that is waited for: files that change (inotify), processes that end
(pidfd), and what threads of this process do (happened). Nothing here looks again after a while."""
import ctypes
import os
import select
import struct
import time
from pathlib import Path

IN_MODIFY, IN_MOVED_TO, IN_CREATE, IN_ISDIR, IN_Q_OVERFLOW = 0x2, 0x80, 0x100, 0x40000000, 0x4000
HEAD = struct.Struct("iIII")  # struct inotify_event without its name
libc = ctypes.CDLL(None, use_errno=True)
told = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)


def happened():
    """Any thread: something that the test may be waiting for has changed."""
    os.eventfd_write(told, 1)


class Heard(list):
    """What a thread has heard so far; who waits is told of each."""

    def append(self, item):
        super().append(item)
        happened()


class Watch:
    """Wakes when a file in the folder is written to, made, or moved there; `deep`: or in any below it, also in one that is
    made meanwhile. From the constructor on nothing is missed: look first, then wait."""

    def __init__(self, folder, deep=True):
        self.root, self.deep, self.folders = Path(folder), deep, {}
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self.add(self.root)

    def add(self, folder):
        number = libc.inotify_add_watch(self.fd, os.fsencode(folder), IN_MODIFY | IN_MOVED_TO | IN_CREATE)
        if number < 0:
            if folder.is_dir():
                raise OSError(ctypes.get_errno(), f"inotify_add_watch: {folder}")
            return  # it went again
        self.folders[number] = folder
        if self.deep:
            try:
                below = [entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
            except FileNotFoundError:
                return
            for path in below:
                self.add(Path(path))

    def take(self):
        """Reads what there is; folders that are new are watched from now on, before anybody looks into them."""
        data = os.read(self.fd, 1 << 16)
        while data:
            number, mask, _, length = HEAD.unpack_from(data)
            name = data[HEAD.size:HEAD.size + length].rstrip(b"\0")
            data = data[HEAD.size + length:]
            if mask & IN_Q_OVERFLOW:  # some were lost: among them perhaps a new folder
                self.add(self.root)
            elif self.deep and mask & IN_ISDIR and mask & (IN_CREATE | IN_MOVED_TO):
                self.add(self.folders[number] / os.fsdecode(name))

    def wait(self, seconds, *others):
        """False: nothing happened in that time. Descriptors in `others` that can be read count too."""
        ready = select.select([self.fd, told, *others], [], [], max(seconds, 0))[0]
        if self.fd in ready:
            self.take()
        if told in ready:
            os.eventfd_read(told)
        return bool(ready)

    def close(self):
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_until(find, folder, patience):
    """What find() gives, asked at first and then whenever something happens in the folder or in a thread of this process;
    None: nothing within the patience (seconds)."""
    limit = time.monotonic() + patience
    with Watch(folder) as watch:
        while not (found := find()):
            if not watch.wait(limit - time.monotonic()):
                return find() or None
    return found
