# SPDX-License-Identifier: MIT
"""XMPP over WebSocket (RFC 7395) by hand. The frames are python3-websocket's, which knows nothing of XMPP and nothing of
Causeway; there is no XMPP client library with this transport in Debian 12, so this is the nearest double of one."""
import socket
import time
import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

import websocket

from lablib import emitted
from lablib.process import PATIENCE, Failed
from lablib.raw import STREAM, Ended, Raw, condition

FRAMING = "{urn:ietf:params:xml:ns:xmpp-framing}"


class Web(Raw):
    """As Raw; an element is sent as a message of its own, with its namespaces declared."""

    def __init__(self, url, domain=None, ca=None, patience=PATIENCE, **options):
        self.ca, self.patience = ca, patience
        try:
            sock = websocket.create_connection(
                url, timeout=patience, enable_multithread=True, subprotocols=["xmpp"],
                sslopt={"ca_certs": str(ca), "server_hostname": domain} if ca else None, **options)
        except websocket.WebSocketException as e:
            raise Failed(f"{url}: {e}") from None
        if sock.getsubprotocol() != "xmpp":
            raise Failed(f"the subprotocol is {sock.getsubprotocol()}")
        self._begin(sock)

    def restart(self):
        self.ready = []

    def _send(self, text):
        root = ET.fromstring(f"<x xmlns='jabber:client' xmlns:stream='{STREAM[1:-1]}'>{text}</x>")
        for element in root:
            self.send_message(ET.tostring(element, encoding="unicode"))

    def send_message(self, text, opcode=websocket.ABNF.OPCODE_TEXT):
        try:
            with self.lock:
                self.sock.send(text, opcode)
        except websocket.WebSocketException as e:
            raise Ended(f"the WebSocket broke: {e}") from None

    def say_end(self):
        self.send_message(f"<close xmlns='{FRAMING[1:-1]}'/>")

    def _take(self, deadline):
        try:
            if not getattr(self.sock.sock, "pending", lambda: 0)():
                self._ready("read", deadline)
            with self.lock:
                opcode, data = self.sock.recv_data()
        except (websocket.WebSocketException, OSError, AttributeError) as e:  # the last: it was cut by us meanwhile
            raise Ended(f"the WebSocket broke: {e}") from None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self.code = int.from_bytes(data[:2], "big")
            raise Ended(f"the WebSocket was closed: {self.code}")
        element = ET.fromstring(data)
        kind = {FRAMING + "open": "open", FRAMING + "close": "close"}.get(element.tag, "element")
        if kind == "element":
            emitted.note_element(element)
        self.ready.append((kind, element))

    def open(self, domain, ns="jabber:client", extra="", version="1.0"):
        self.domain = domain
        self.restart()
        self.send_message(f"<open xmlns='{FRAMING[1:-1]}' to={quoteattr(domain)} version='{version}' {extra}/>")
        element = self.next()
        if element.tag == STREAM + "features":
            self.features = element
            return element
        self.ready.insert(0, ("element", element))
        return None

    def secure(self, domain):
        """TLS is there already."""
        if self.open(domain) is None:
            raise Failed(f"no features: {condition(self.next())}")
        return self.features

    def drop(self):
        self.sock.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.shutdown()

    def close(self):
        try:
            self.say_end()
            deadline = time.monotonic() + self.patience
            while True:
                self._take(deadline)
        except (Failed, OSError, websocket.WebSocketException, ET.ParseError):
            pass
        self.sock.shutdown()
