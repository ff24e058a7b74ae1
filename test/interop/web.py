#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients over WebSocket (RFC 7395) against the program itself: found by host-meta, they chat with clients over TCP, and a
stream that was cut goes on over the other transport. The frames are those of two stock libraries, python3-websocket
(lablib/web.py) and python3-websockets."""
import asyncio
import http.client
import json
import ssl
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import websockets  # noqa: E402
from lablib import suite  # noqa: E402
from lablib.process import Failed  # noqa: E402
from lablib.raw import SASL, Ended, Terminal, condition  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402
from lablib.web import FRAMING, Bosh, Web  # noqa: E402

HERE = "montague.example"
ROMEO, BENVOLIO = f"romeo@{HERE}", f"benvolio@{HERE}"
REL = "urn:xmpp:alt-connections:websocket"
OPEN = f"<open xmlns='{FRAMING[1:-1]}' to='{HERE}' version='1.0'/>"


def url(t, service="websocket"):
    scheme = "wss" if service == "websocket" else "ws"
    return f"{scheme}://{t.lab.community(HERE)[service]}/xmpp-websocket"


def web(t, **options):
    return t.keep(Web(url(t), HERE, t.lab.state["ca"], **options))


def terminal(t, over, name="romeo", previous=None):
    """`over`: False is TCP, True a WebSocket, "bosh" BOSH."""
    password = t.lab.account(name, HERE)["password"]
    if over == "bosh":
        where = t.keep(Bosh(t.lab.community(HERE)["websocket"], HERE, t.lab.state["ca"]))
    else:
        where = web(t) if over else t.lab.community(HERE)["c2s"]
    return t.keep(Terminal(where, t.lab.state["ca"], f"{name}@{HERE}", password, previous=previous))


def bodies(one):
    return [m.findtext("{jabber:client}body") for m in one.live()]


def chat(t):
    """one over WebSocket, one over TCP; cut, written to meanwhile, resumed over the other transport, three times"""
    chat_over(t, True, (False, True, True))


def bosh(t):
    """the same begun over BOSH: resumed over TCP, BOSH, WebSocket and BOSH"""
    chat_over(t, "bosh", (False, "bosh", True, "bosh"))


def chat_over(t, first, others):
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    friend, one = terminal(t, False, "benvolio"), terminal(t, first)
    said, heard, count = [], [], 0
    for over_web in others:
        for _ in range(3):
            count += 1
            one.message(friend.jid, f"r{count}")
            friend.message(one.jid, f"b{count}")
            said.append(f"r{count}")
            heard.append(f"b{count}")
        one.wait_acked()
        one.wait(lambda: len(one.live()) >= 3, "what the friend wrote")
        got = bodies(one)
        one.drop()
        count += 1
        friend.message(one.jid, f"b{count}")  # while the stream is cut, or not yet known to be
        heard.append(f"b{count}")
        friend.wait_acked()
        again = terminal(t, over_web, previous=one)
        hold(again.resumed, f"it was not resumed: {ET.tostring(again.resume_answer)}")
        again.wait_id(f"b{count}")
        again.settle()
        got += bodies(again)
        expected = heard[-4:]
        hold(got == expected, f"it heard {got}, and not {expected}")
        again.got.clear()
        one = again
    friend.wait(lambda: len(friend.live()) >= len(said), "what was written over WebSocket")
    hold(bodies(friend) == said, f"the friend heard {bodies(friend)}, and not {said}")


def found(t):
    """host-meta and host-meta.json tell the way, by TLS and behind a proxy; nobody is sent to what is not there"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    c = t.lab.community(HERE)
    context = ssl.create_default_context(cafile=t.lab.state["ca"])
    context.check_hostname = False  # the address is numeric; the certificate's name is tested by the WebSocket itself
    told = []
    for service, path in (("websocket", "host-meta"), ("websocket", "host-meta.json"), ("http", "host-meta"), ("http", "host-meta.json")):
        host, port = c[service].split(":")
        link = (http.client.HTTPSConnection(host, int(port), context=context) if service == "websocket"
                else http.client.HTTPConnection(host, int(port)))
        link.request("GET", f"/.well-known/{path}", headers={"Host": HERE})
        answer = link.getresponse()
        text = answer.read().decode()
        hold(answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == "*", f"{path}: {answer.status} {text}")
        links = (json.loads(text)["links"] if path.endswith("json") else
                 [e.attrib for e in ET.fromstring(text) if e.tag == "{http://docs.oasis-open.org/ns/xri/xrd-1.0}Link"])
        told += [one["href"] for one in links if one["rel"] == REL]
        link.close()
    hold(told == [f"wss://{HERE}:5443/xmpp-websocket"] * 4, f"it tells {told}")
    one = web(t)
    one.log_in(ROMEO, t.lab.account("romeo", HERE)["password"])
    hold(one.jid.startswith(ROMEO), f"it is {one.jid}")
    one.close()
    hold(one.code == 1000, f"the WebSocket ends with {one.code}")


def behind_a_proxy(t):
    """plain, on loopback: no channel binding, who is behind it by X-Forwarded-For, a page's origin let in"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    one = t.keep(Web(url(t, "websocket_plain"), origin="https://chat.example", header=["X-Forwarded-For: 192.0.2.1, 198.51.100.7"]))
    features = one.secure(HERE)
    offered = [m.text for m in features.iter(SASL + "mechanism")]
    hold("SCRAM-SHA-256" in offered and not any(m.endswith("-PLUS") for m in offered), f"it offers {offered}")
    answer = one.auth_scram("romeo", t.lab.account("romeo", HERE)["password"])
    hold(answer.tag == SASL + "success", f"no login: {condition(answer)}")
    log = Path(t.lab.community(HERE)["log"])
    wait_for(lambda: "198.51.100.7" in log.read_text(), "a line with the client's address")


def wrong(t):
    """each with its name and a line in the log, and the next is served"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    log = Path(t.lab.community(HERE)["log"])
    rows = [("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
             f"to='{HERE}' version='1.0'>", "bad-format"),
            (OPEN + OPEN, "not-well-formed"), ("<presence xmlns='jabber:client'/>", "bad-format"),
            (OPEN.replace(HERE, "verona.example"), "host-unknown"), ("x" * 20000, "policy-violation")]
    for text, name in rows:
        one = web(t)
        one.send_message(text)
        try:
            error = one.next()
        except Ended as e:
            raise Failed(f"{name}: {e}") from None
        hold(condition(error) == name, f"{text[:60]}: {condition(error)}, and not {name}")
        one.close()
        wait_for(lambda: name in log.read_text(), f"a line with {name}")
    for options in ({"subprotocols": ["mqtt"]},):
        try:
            import websocket
            websocket.create_connection(url(t), sslopt={"ca_certs": t.lab.state["ca"], "server_hostname": HERE}, **options)
            raise Failed(f"{options} was let in")
        except websocket.WebSocketBadStatusException as e:
            hold(e.status_code == 400, f"{options}: {e}")
    web(t).log_in(ROMEO, t.lab.account("romeo", HERE)["password"]).close()


def another_library(t):
    """python3-websockets: it offers compression, which is not taken; fragments, ping, a proper end"""
    t.make_lab([HERE], {HERE: ["romeo"]})
    context = ssl.create_default_context(cafile=t.lab.state["ca"])

    async def play():
        async with websockets.connect(url(t), subprotocols=["xmpp"], ssl=context, server_hostname=HERE) as ws:
            hold(ws.subprotocol == "xmpp" and not ws.extensions, f"{ws.subprotocol} {ws.extensions}")

            async def pieces():
                for i in range(0, len(OPEN), 7):
                    yield OPEN[i:i + 7]
            await ws.send(pieces())
            hold(ET.fromstring(await ws.recv()).tag == FRAMING + "open", "no <open/>")
            hold("mechanism" in await ws.recv(), "no features")
            await (await ws.ping(token()))
            await ws.send(f"<close xmlns='{FRAMING[1:-1]}'/>")
            hold(ET.fromstring(await ws.recv()).tag == FRAMING + "close", "no <close/>")
            await ws.wait_closed()
            hold(ws.close_code == 1000, f"it ends with {ws.close_code}")
    asyncio.run(play())


if __name__ == "__main__":
    suite.main(__doc__, chat, bosh, found, behind_a_proxy, wrong, another_library)
