# SPDX-License-Identifier: MIT
"""A cable between a client that was not made for tests, or that nobody can ask to drop its connection, and the gateway: it passes on
what it gets, and can be cut."""
import socket
import threading

from lablib import events
from lablib.process import Failed

RESET = b"\1\0\0\0\0\0\0\0"


class Cable:
    def __init__(self, address, near="127.0.0.1:0"):
        host, port = address.rsplit(":", 1)
        self.there = (host, int(port))
        self.lock = threading.Lock()
        self.whole = True
        self.ends = []      # open sockets, both ends of each connection
        self.count = 0      # connections so far
        host, port = near.rsplit(":", 1)
        self.listener = socket.create_server((host, int(port)))
        self.port = self.listener.getsockname()[1]
        self.address = f"{host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            with self.lock:
                if not self.whole:
                    self._reset(near)
                    continue
                try:
                    far = socket.create_connection(self.there)
                except OSError:
                    self._reset(near)
                    continue
                self.ends += [near, far]
                self.count += 1
            events.happened()
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(a, b), daemon=True).start()

    def _pass_on(self, a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            with self.lock:
                self._reset_all([end for end in self.ends if end in (a, b)])

    @staticmethod
    def _reset(sock):
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.shutdown(socket.SHUT_RD)  # wakes who reads from it
        except OSError:
            pass
        sock.close()

    def _reset_all(self, ends):
        for end in ends:
            self._reset(end)
            self.ends.remove(end)

    def cut(self):
        """All connections are reset, and new ones are until mend."""
        with self.lock:
            self.whole = False
            if not self.ends:
                raise Failed("the cable has nothing to cut")
            self._reset_all(list(self.ends))

    def mend(self):
        with self.lock:
            self.whole = True

    def close(self):
        self.listener.close()
        with self.lock:
            self.whole = False
            self._reset_all(list(self.ends))
