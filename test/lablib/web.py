# SPDX-License-Identifier: MIT
"""XMPP over WebSocket (RFC 7395) and BOSH by hand. The frames are python3-websocket's, which knows nothing of XMPP and nothing of
Causeway; there is no XMPP client library with this transport in Debian 12, so this is the nearest double of one."""
import http.client
import random
import socket
import ssl
import threading
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

    def __init__(self, url, domain=None, ca=None, patience=PATIENCE, shows=None, **options):
        """`shows`: (certificate, key) of its own."""
        self.ca, self.patience = ca, patience
        tls = {"ca_certs": str(ca), "server_hostname": domain} if ca else {}
        if shows:
            tls |= {"certfile": str(shows[0]), "keyfile": str(shows[1])}
        try:
            sock = websocket.create_connection(
                url, timeout=patience, enable_multithread=True, subprotocols=["xmpp"],
                sslopt=tls or None, **options)
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
        return self._opened()

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


BOSH = "http://jabber.org/protocol/httpbind"


class Bosh(Raw):
    """The same over BOSH (XEP-0206), by Python's HTTP client: each request on a connection of its own or one that is free, at most
    two at a time, one of them always waiting."""

    def __init__(self, address, domain, ca, patience=PATIENCE):
        self.host, self.port = address.rsplit(":", 1)
        self.patience, self.context = patience, ssl.create_default_context(cafile=str(ca))
        self.changed = threading.Condition()
        self.flying, self.free, self.answers, self.due = {}, [], {}, None
        self.rid, self.sid, self.lasts = random.randrange(1 << 40), None, True
        self.stopped = self.dropped = False
        self._begin(self)  # whoever closes the socket closes this
        self.domain = domain

    def restart(self):
        self.ready = []

    def _post(self, attrs, text=""):
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.flying) < 2 or not self.lasts, self.patience):
                raise Failed("no answer made room for a request")
            if not self.lasts:
                raise Ended("the session has ended")
            self.rid += 1
            number, self.due = self.rid, self.due or self.rid
            one = self.free.pop() if self.free else Connection(self.host, int(self.port), self.domain, self.context, self.patience)
            self.flying[number] = one
        body = f"<body rid='{number}' {attrs} xmlns:xmpp='urn:xmpp:xbosh' xmlns='{BOSH}'>{text}</body>"
        threading.Thread(target=self._ask, args=(number, one, body), daemon=True).start()

    def _ask(self, number, one, body):
        try:
            if not one.sock:
                one.connect()
            if self.dropped:
                raise OSError("it was cut")
            one.request("POST", "/http-bind", body, {"Content-Type": "text/xml; charset=utf-8"})
            answer = ET.fromstring(one.getresponse().read())
        except (OSError, http.client.HTTPException, ET.ParseError, AttributeError, ValueError) as e:  # the last two: cut by us
            answer = e
        with self.changed:
            self.flying.pop(number, None)
            if self.dropped:
                one.close()
            else:
                self.free.append(one)
            self.answers[number] = answer
            self.lasts = self.lasts and not isinstance(answer, Exception) and answer.get("type") != "terminate"
            idle = not self.flying and self.lasts and self.sid
            self.changed.notify_all()
        if idle:
            self._post(f"sid='{self.sid}'")

    def _send(self, text):
        root = ET.fromstring(f"<x xmlns='jabber:client' xmlns:stream='{STREAM[1:-1]}'>{text}</x>")
        self._post(f"sid='{self.sid}'", "".join(ET.tostring(element, encoding="unicode") for element in root))

    def _take(self, deadline):
        with self.changed:
            if not self.changed.wait_for(lambda: self.stopped or self.due in self.answers, deadline - time.monotonic()):
                raise Failed(f"nothing came within {self.patience} s")
            if self.stopped:
                raise Ended("stopped")
            answer = self.answers.pop(self.due)
            self.due += 1
        if isinstance(answer, Exception):
            raise Ended(f"a request broke: {answer}")
        for element in answer:
            emitted.note_element(element)
            self.ready.append(("element", element))
        if answer.get("type") == "terminate":
            self.ready.append(("close", answer))
        self.sid = answer.get("sid") or self.sid

    def open(self, domain, ns="jabber:client", extra="", version="1.0"):
        self.domain = domain
        self.restart()
        to = f"to={quoteattr(domain)} xml:lang='en'"
        self._post(f"sid='{self.sid}' {to} xmpp:restart='true'" if self.sid else f"{to} wait='30' hold='1' ver='1.6' xmpp:version='{version}'")
        return self._opened()

    secure = Web.secure

    def stop(self):
        """Nothing is asked or heard any more; the connections are left as they are."""
        with self.changed:
            self.stopped, self.lasts = True, False
            self.changed.notify_all()

    def each_connection(self, do):
        with self.changed:
            for one in [*self.flying.values(), *self.free]:
                try:
                    if one.sock:
                        do(one.sock)
                except OSError:  # it is being made, or broken already
                    pass

    def drop(self):
        def cut(sock):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.shutdown(socket.SHUT_RDWR)  # wakes who reads
        with self.changed:
            self.lasts, self.dropped = False, True
            self.each_connection(cut)
            while self.free:
                self.free.pop().close()
            self.changed.notify_all()

    def say_end(self):
        self._post(f"sid='{self.sid}' type='terminate'")

    def close(self):
        try:
            if self.lasts:
                self.say_end()
        except Failed:
            pass
        with self.changed:
            self.changed.wait_for(lambda: not self.flying, self.patience)
        self.drop()


class Connection(http.client.HTTPSConnection):
    """To an address, under the community's name."""

    def __init__(self, host, port, domain, context, patience):
        super().__init__(host, port, timeout=patience, context=context)
        self.name = domain

    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.name)
