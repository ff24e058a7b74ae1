# SPDX-License-Identifier: MIT
"""slixmpp as Debian has it, unchanged, on a thread of its own. Needs the system's Python."""
import asyncio
import logging
import threading
import xml.etree.ElementTree as ET

logging.basicConfig(level=logging.CRITICAL)
import slixmpp  # noqa: E402 (it logs while it is imported)

from lablib.client import Waiting  # noqa: E402
from lablib.events import Heard  # noqa: E402
from lablib.process import PATIENCE, Failed  # noqa: E402


class Slix(Waiting):
    """Logged in when the constructor returns. `self.xmpp` is the ClientXMPP; `ask(coroutine_function)` runs
    something of it on its loop and gives the result."""

    def __init__(self, jid, password, address, ca, direct_tls=False, plugins=(), patience=PATIENCE, presence=True, shows=None):
        super().__init__(jid, patience)
        self.events = Heard()
        self.cutting = False  # a disconnection is the test's own
        self.address = address.rsplit(":", 1)
        self.direct_tls = direct_tls
        self.closed = False
        self.shows = shows  # (certificate, key): it logs in by them, and has no password
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(ready, jid, password, ca, plugins), daemon=True)
        self.thread.start()
        ready.wait(patience)
        self._begin(presence)

    def _run(self, ready, jid, password, ca, plugins):
        asyncio.set_event_loop(self.loop)
        self.xmpp = self._make(jid, password, ca)
        self.xmpp.loop = self.loop
        self.xmpp.auto_authorize = self.xmpp.auto_subscribe = None  # the test answers, as a person would
        for plugin in plugins:
            self.xmpp.register_plugin(plugin)
        self.xmpp.add_event_handler("session_start", lambda _: self.queue.put(f"connected {self.xmpp.boundjid.full}"))
        for name in ("failed_auth", "connection_failed", "disconnected"):
            self.xmpp.add_event_handler(name, lambda why, name=name: self._ended(name, why))
        for name in ("sm_enabled", "session_resumed", "sm_failed", "stanza_acked"):
            self.xmpp.add_event_handler(name, lambda _, name=name: self.events.append(name))
        self.xmpp.add_filter("in", self._note)
        self._connect()
        ready.set()
        self.loop.run_forever()

    def _make(self, jid, password, ca):
        xmpp = slixmpp.ClientXMPP(jid, "" if self.shows else password)
        xmpp.ca_certs = str(ca)
        if self.shows:
            xmpp.certfile, xmpp.keyfile = map(str, self.shows)
        return xmpp

    def _ended(self, name, why):
        if not self.cutting:
            self.queue.put(f"disconnected {name} {why}")

    def _connect(self):
        self.xmpp.connect((self.address[0], int(self.address[1])), use_ssl=self.direct_tls, force_starttls=not self.direct_tls,
                          disable_starttls=self.direct_tls)

    def _note(self, stanza):
        if stanza.name in ("message", "presence", "iq"):
            self._arrived("stanza " + ET.tostring(stanza.xml, encoding="unicode"))
        return stanza

    def ask(self, start):
        """start() is called on the loop and may give an awaitable."""
        async def whole():
            found = start()
            return await found if asyncio.isfuture(found) or asyncio.iscoroutine(found) else found
        return asyncio.run_coroutine_threadsafe(whole(), self.loop).result(self.patience)

    def send(self, xml):
        """A stanza as text; slixmpp counts it like its own."""
        element = ET.fromstring(f"<stream xmlns='jabber:client'>{xml}</stream>")[0]
        kind = {"message": self.xmpp.Message, "presence": self.xmpp.Presence, "iq": self.xmpp.Iq}[element.tag.rpartition("}")[2]]
        self.loop.call_soon_threadsafe(lambda: self.xmpp.send(kind(xml=element)))

    def resume_after_cut(self, meanwhile=None):
        """Cuts the connection without a close, calls meanwhile(), and connects again; returns when the old stream
        goes on."""
        self.cutting = True
        already = self.events.count("session_resumed")

        def cut():
            gone = self.loop.create_future()
            self.xmpp.add_event_handler("disconnected", lambda _: gone.done() or gone.set_result(None), disposable=True)
            self.xmpp.transport.abort()
            return gone
        self.ask(cut)
        if meanwhile:
            meanwhile()

        def again():
            back = self.loop.create_future()
            for name in ("session_resumed", "sm_failed", "session_start"):
                self.xmpp.add_event_handler(name, lambda _, n=name: back.done() or back.set_result(n), disposable=True)
            self._connect()
            return back
        how = self.ask(again)
        if how != "session_resumed" or self.events.count("session_resumed") != already + 1:
            raise Failed(f"{self.jid}: the stream was not resumed: {how}")
        self.cutting = False

    def close(self):
        if self.closed:
            return
        self.closed = self.cutting = True
        try:
            asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(self.patience)
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(self.patience)

    async def _end(self):
        await self.xmpp.disconnect()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


class Service(Slix):
    """slixmpp's ComponentXMPP (XEP-0114). Stanzas are said and seen as if they were of jabber:client."""
    NS = "jabber:component:accept"

    def __init__(self, domain, secret, address, plugins=(), patience=PATIENCE):
        super().__init__(domain, secret, address, None, plugins=plugins, patience=patience, presence=False)

    def _make(self, jid, password, ca):
        return slixmpp.ComponentXMPP(jid, password, self.address[0], int(self.address[1]))

    def _connect(self):
        self.xmpp.connect()

    def _note(self, stanza):
        if stanza.name in ("message", "presence", "iq"):
            self._arrived("stanza " + ET.tostring(stanza.xml, encoding="unicode").replace(self.NS, "jabber:client"))
        return stanza

    def send(self, xml):
        element = ET.fromstring(f"<stream xmlns='{self.NS}'>{xml}</stream>")[0]
        kind = {"message": self.xmpp.Message, "presence": self.xmpp.Presence, "iq": self.xmpp.Iq}[element.tag.rpartition("}")[2]]
        self.loop.call_soon_threadsafe(lambda: self.xmpp.send(kind(xml=element)))
