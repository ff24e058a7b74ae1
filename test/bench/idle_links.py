#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an idle link costs the gateway in resident memory, by transport: KiB each, beside what it had with a tenth of them.

    /usr/bin/python3 test/bench/idle_links.py [--links 2000] [--preset release] [tcp|websocket|bosh ...]

Each link is bound and has stream management; over BOSH a request of it is held. TLS is the gateway's. No presence: the people are few,
and would hear of each other."""
import argparse
import asyncio
import base64
import os
import re
import ssl
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib.lab import Lab  # noqa: E402

HERE, PEOPLE = "montague.example", 700
SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
BIND = "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
BODY = "<body rid='%d' %s xmlns:xmpp='urn:xmpp:xbosh' xmlns='http://jabber.org/protocol/httpbind'>%s</body>"


class Link:
    def __init__(self, port, person, password, context):
        self.port, self.context = port, context
        token = base64.b64encode(f"\0{person}\0{password}".encode()).decode()
        self.auth = f"<auth {SASL} mechanism='PLAIN'>{token}</auth>"

    async def connect(self, address):
        self.reader, self.writer = await asyncio.open_connection(address, self.port, ssl=self.context, server_hostname=HERE, limit=1 << 18)

    async def until(self, words):
        while not re.search(words, self.got):
            data = await self.reader.read(65536)
            if not data:
                raise SystemExit(f"the link ended: {self.got}")
            self.got += data.decode(errors="replace")

    got = ""

    async def say(self, text, words):
        self.got = ""
        self.writer.write(self.frame(text))
        await self.until(words)

    def frame(self, text):
        return text.encode()

    async def open(self):
        await self.say(f"<stream:stream to='{HERE}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
                       "</stream:features>")

    async def restart(self):
        await self.open()

    async def begin(self, address):
        await self.connect(address)
        await self.open()
        await self.say(self.auth, "<success")
        await self.restart()
        await self.say(BIND, "</iq>")
        if "<jid>" not in self.got:
            raise SystemExit(f"it was not bound: {self.got}")
        await self.say(ENABLE, "<enabled")


class WebSocketLink(Link):
    async def connect(self, address):
        await super().connect(address)
        await self.say_plain(f"GET /xmpp-websocket HTTP/1.1\r\nHost: {HERE}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n")

    async def say_plain(self, text):
        self.got = ""
        self.writer.write(text.encode())
        await self.until("\r\n\r\n")

    def frame(self, text):
        data = text.encode()
        head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else bytes([0x81, 0xFE]) + len(data).to_bytes(2, "big")
        return head + bytes(4) + data

    async def open(self):
        await self.say(f"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='{HERE}' version='1.0'/>", "</stream:features>")


class BoshLink(Link):
    rid, sid = 0, ""

    def post(self, attrs, text):
        self.rid += 1
        body = BODY % (self.rid, f"{self.sid} {attrs}", text)
        return (f"POST /http-bind HTTP/1.1\r\nHost: {HERE}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
                f"Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\nOrigin: https://chat.example\r\n"
                f"Content-Type: text/xml; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()

    def frame(self, text):
        return self.post("", text)

    async def open(self):
        self.writer.write(self.post(f"to='{HERE}' wait='3600' hold='1' ver='1.6' xmpp:version='1.0'", ""))
        await self.until("</body>")
        self.sid = re.search(" sid='[^']*'", self.got)[0]

    async def restart(self):
        self.got = ""
        self.writer.write(self.post("xmpp:restart='true'", ""))
        await self.until("</stream:features>")

    async def begin(self, address):
        await super().begin(address)
        self.writer.write(self.frame(""))  # held


KINDS = {"tcp": ("c2s_tls", Link), "websocket": ("websocket", WebSocketLink), "bosh": ("websocket", BoshLink)}


def resident_kib(pid):
    return int(re.search(r"Rss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())[1])


async def measure(lab, kind, links):
    community = lab.community(HERE)
    address, port = community[KINDS[kind][0]].rsplit(":", 1)
    context = ssl.create_default_context(cafile=lab.state["ca"])
    all_links, at = [], {}
    people = [(f"p{n}", lab.account(f"p{n}", HERE)["password"]) for n in range(PEOPLE)]
    for number in range(links):
        if number == links // 10:
            await asyncio.sleep(1)
            at[number] = resident_kib(community["pid"])
        one = KINDS[kind][1](int(port), *people[number % PEOPLE], context)
        await one.begin(address)
        all_links.append(one)
    await asyncio.sleep(2)
    each = (resident_kib(community["pid"]) - at[links // 10]) / (links - links // 10)
    print(f"{kind}: {each:.1f} KiB each at {links} links", flush=True)
    for one in all_links:
        one.writer.transport.abort()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", type=int, default=2000)
    parser.add_argument("--preset", default="release")
    parser.add_argument("kind", nargs="*")
    o = parser.parse_args()
    os.environ.setdefault("CAUSEWAY_LAB_LOG", "error")
    for kind in o.kind or KINDS:
        with tempfile.TemporaryDirectory(prefix="causeway-idle-") as folder:
            lab = Lab(Path(folder) / "lab", o.preset)
            try:
                lab.create([HERE], names={HERE: [f"p{n}" for n in range(PEOPLE)]}, options="connections_per_address = 100000\n    idle_seconds = 86400")
                asyncio.run(measure(lab, kind, o.links))
            finally:
                lab.down()


main()
