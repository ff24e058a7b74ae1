# SPDX-License-Identifier: MIT
"""A relay between a client that was not made for tests and the gateway: its connections can be cut, as a network does it."""
import socket
import struct
import threading

from lablib.process import Failed


class Relay:
    def __init__(self, to, address="127.0.0.1"):
        self.to, self.pairs, self.lock, self.closed = to.rsplit(":", 1), set(), threading.Lock(), False
        self.open = threading.Event()  # clear: connections are refused
        self.open.set()
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.address = f"{address}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.open.is_set():
                self._reset(near)
                continue
            try:
                far = socket.create_connection((self.to[0], int(self.to[1])))
            except OSError:
                self._reset(near)
                continue
            with self.lock:
                self.pairs.add((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other, (near, far)), daemon=True).start()

    def _pump(self, one, other, pair):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(pair)

    def _drop(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for s in pair:
            self._reset(s)

    @staticmethod
    def _reset(s):
        try:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.shutdown(socket.SHUT_RDWR)  # wakes who waits in recv
        except OSError:
            pass
        s.close()

    def cut(self):
        """All connections break, and none comes up until `mend`."""
        self.open.clear()
        with self.lock:
            pairs = list(self.pairs)
        if not pairs:
            raise Failed("the relay has nothing to cut")
        for pair in pairs:
            self._drop(pair)

    def mend(self):
        self.open.set()

    def close(self):
        self.listener.close()
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self._drop(pair)
