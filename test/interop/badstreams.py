#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hostile use of what keeps streams alive: foreign and forgotten streams, races for one resource, WebSocket messages that are no stanza,
clients that read nothing or dribble, connections that never speak. Each gets its named error or its bound, memory is measured, and others are
served meanwhile. (What is wrong with single elements is in badclients.py, tokens shown again are in sasl2.py.)"""
import resource
import select
import socket
import sys
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import websocket

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.process import Failed  # noqa: E402
from lablib.raw import SASL, SM, STREAM, C, Ended, Terminal, condition, ended_by, name_of  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402
from lablib.web import Web  # noqa: E402

HERE = "montague.example"
ROMEO, BENVOLIO, MERCUTIO = f"romeo@{HERE}", f"benvolio@{HERE}", f"mercutio@{HERE}"
PEOPLE = {HERE: ["romeo", "benvolio", "mercutio"]}


def proved(t, name):
    """Logged in, and nothing bound."""
    raw = t.raw(HERE)
    raw.secure(HERE)
    hold(raw.auth_scram(name, t.lab.account(name, HERE)["password"]).tag == SASL + "success", f"{name} cannot log in")
    raw.open(HERE)
    return raw


def memory(t):
    """KiB of the gateway that are in memory."""
    for line in Path(f"/proc/{t.lab.community(HERE)['pid']}/status").read_text().split("\n"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise Failed("the gateway has no memory")


def resumptions(t):
    """another's stream, one that is guessed, more than was sent, before and after a kill: refused by name, and its owner goes on"""
    t.make_lab([HERE], PEOPLE)
    owner, friend = t.terminal(ROMEO), t.terminal(BENVOLIO)
    for kill in (False, True):
        if kill:
            owner.raw.send("<r xmlns='urn:xmpp:sm:3'/>")
            owner.wait_acked()
            t.lab.kill(HERE)
            owner.wait_end()
            friend.wait_end()
            t.lab.start(HERE)
            friend = t.terminal(BENVOLIO)
        for previd in (owner.token, owner.token[:-1] + "-", "x" * 500, ""):
            raw = proved(t, "mercutio")
            raw.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='0'/>")
            answer = raw.next()
            hold(answer.tag == SM + "failed" and condition(answer) == "item-not-found" and answer.get("h") is None,
                 f"{previd!r}: {ET.tostring(answer)}")
            raw.bind()  # and it may go on by itself
            raw.close()
        for h in ("-1", "1.5", "99999999999", "", "x"):
            raw = proved(t, "romeo")
            raw.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{owner.token}' h='{h}'/>")
            answer = raw.next()
            hold(answer.tag == SM + "failed" and condition(answer) == "bad-request", f"h {h!r}: {ET.tostring(answer)}")
            raw.close()
        owner.drop()
        owner = t.terminal(ROMEO, previous=owner)
        hold(owner.resumed, f"{'after a kill ' * kill}its owner is not resumed: {condition(owner.resume_answer)}")
        ident = token()
        friend.message(ROMEO, ident)
        owner.wait_id(ident)
    owner.drop()
    raw = proved(t, "romeo")
    raw.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{owner.token}' h='{owner.handled + 1000}'/>")
    hold(ended_by(raw) == "undefined-condition", "h beyond what was sent")


def race(t):
    """eight connections ask for one resource at the same moment, again and again: one has it in the end, the others a conflict"""
    t.make_lab([HERE], PEOPLE)
    friend = t.terminal(BENVOLIO)
    for _ in range(5):
        raws = [proved(t, "romeo") for _ in range(8)]
        ready = threading.Barrier(len(raws))

        def bind(raw):
            ready.wait()
            raw.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>one</resource></bind></iq>")
        threads = [threading.Thread(target=bind, args=(raw,)) for raw in raws]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for raw in raws:  # all have bound before the first is asked: whoever is there then stays
            answer = raw.next()
            hold(answer.get("type") == "result", f"refused: {ET.tostring(answer)}")
        left = []
        for raw in raws:
            ident = token()
            try:
                raw.send(f"<iq type='get' id='{ident}'><ping xmlns='urn:xmpp:ping'/></iq>")
                answer = raw.next()
            except (Ended, OSError):
                continue
            if answer.tag == STREAM + "error":
                hold(condition(answer) == "conflict", f"ended by {condition(answer)}")
            else:
                left.append(raw)
        hold(len(left) == 1, f"{len(left)} of {len(raws)} have the resource")
        left[0].send("<presence/>")
        ident = token()
        friend.message(f"{ROMEO}/one", ident)
        while (got := left[0].next()).get("id") != ident:
            hold(name_of(got) == "presence", f"{ET.tostring(got)}")
        left[0].close()


def frames(t):
    """a WebSocket message is one stanza: half of one, one and a half, or text are ended by name; fragments of one are one"""
    t.make_lab([HERE], PEOPLE)
    c = t.lab.community(HERE)
    friend = t.terminal(BENVOLIO)

    def web():
        one = t.keep(Web(f"wss://{c['websocket']}/xmpp-websocket", HERE, t.lab.state["ca"]))
        return one.log_in(ROMEO, t.lab.account("romeo", HERE)["password"])
    message = f"<message xmlns='jabber:client' to='{BENVOLIO}' type='chat' id='ID'><body>hello</body></message>"
    for text in (message[:40], message + message[:40], message + message, "hello", message + "</stream:stream>"):
        one = web()
        one.send_message(text)
        got = ended_by(one)
        hold(got in ("not-well-formed", "bad-format"), f"{text!r}: {got}")
    one = web()
    whole = message.replace("ID", "fragments").encode()
    for at in range(0, len(whole), 5):
        last = at + 5 >= len(whole)
        opcode = websocket.ABNF.OPCODE_TEXT if at == 0 else websocket.ABNF.OPCODE_CONT
        one.sock.send_frame(websocket.ABNF(1 if last else 0, 0, 0, 0, opcode, 1, whole[at:at + 5]))
    friend.wait_id("fragments")
    hold([m.get("id") for m in friend.live()] == ["fragments"], f"something else arrived: {[m.get('id') for m in friend.live()]}")


def reads_nothing(t):
    """a client takes nothing from its socket: what waits is bounded, it is cut, and its stream goes on with all, once and in order"""
    t.make_lab([HERE], PEOPLE)
    friend = t.terminal(BENVOLIO)
    deaf = proved(t, "romeo")
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    deaf.bind()
    deaf.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    enabled = deaf.next()
    deaf.send("<presence/>")
    while name_of(deaf.next()) != "presence":
        pass
    log = Path(t.lab.community(HERE)["log"])
    before, body = memory(t), "x" * 8000
    sent = []
    while "cut" not in log.read_text() and "takes nothing" not in log.read_text() and f"{ROMEO}] stream ended" not in log.read_text():
        hold(len(sent) < 1500, "twelve megabytes wait, and it is not cut")
        for _ in range(20):
            sent.append(f"m-{len(sent)}")
            friend.message(ROMEO, sent[-1], body)
        friend.wait_room(20)
        if len(sent) >= 400:  # three megabytes wait: it is cut when it has taken nothing of them for a while
            wait_for(lambda: f"{ROMEO}] stream ended" in log.read_text(), "that it is cut")
    friend.wait_acked()
    peak = memory(t)
    t.note(f"{len(sent)} messages of 8 KB to a client that reads nothing: {peak - before} KiB more in memory")
    hold(peak - before < 200000, f"{peak - before} KiB more in memory")

    class Kept:  # what a Terminal would know of its stream
        token, jid, handled, acked, sent, log = enabled.get("id"), deaf.jid, 1, 0, [None], ["<presence/>"]
    address, password = t.where(ROMEO)
    again = t.keep(Terminal(address, t.lab.state["ca"], ROMEO, password, previous=Kept))
    hold(again.resumed, f"not resumed: {condition(again.resume_answer)}")
    again.wait_id(sent[-1])
    got = [m.get("id") for m in again.live()]
    hold(got == sent, f"{len(got)} of {len(sent)} came, or out of order")


def dribble(t):
    """a byte now and then, before TLS, inside TLS and behind a login: each is ended by name when its time is over, however busy it is"""
    t.make_lab([HERE], PEOPLE, options="login_seconds = 5")
    friend = t.terminal(BENVOLIO)
    plain, inside, late = t.raw(HERE), t.raw(HERE), t.raw(HERE)
    inside.open(HERE)
    inside.starttls()
    late.secure(HERE)
    late.auth_scram("romeo", t.lab.account("romeo", HERE)["password"])
    text = f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{HERE}' a='"
    ended, began = {}, time.monotonic()

    def feed(name, raw):
        raw.restart()
        try:
            for byte in text + "x" * 10000:
                raw.send(byte)
                if select.select([raw.sock], [], [], 0.05)[0]:
                    break
        except (Failed, OSError):
            pass
        ended[name] = ended_by(raw)
    threads = [threading.Thread(target=feed, args=pair) for pair in (("before TLS", plain), ("inside TLS", inside), ("behind a login", late))]
    for thread in threads:
        thread.start()
    friend.settle()
    for thread in threads:
        thread.join(suite.PATIENCE)
    t.note(f"ended after {time.monotonic() - began:.0f} s: {ended}")
    hold(len(ended) == 3 and all(e in ("connection-timeout", "policy-violation") for e in ended.values()), f"{ended}")


def silent(t):
    """ten thousand connections that never speak, half of them where TLS is first: what they cost, others served, all ended by name"""
    count = 10000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hold(hard == resource.RLIM_INFINITY or hard > count + 1000, f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * count), hard))
    t.make_lab([HERE], PEOPLE)
    friend = t.terminal(BENVOLIO)
    c = t.lab.community(HERE)
    before, socks = memory(t), []
    low = [socket.socket() for _ in range(20)]  # select knows no more than 1024 descriptors: what is to be waited for needs a low one
    try:
        began = time.monotonic()
        for n in range(count):
            host, port = c["c2s" if n % 2 else "c2s_tls"].split(":")
            socks.append(socket.create_connection((host, int(port)), timeout=suite.PATIENCE, source_address=(f"127.{n // 100 % 100 + 20}.7.1", 0)))
        for sock in low:
            sock.close()
        one = t.terminal(ROMEO)  # behind them at one of the doors
        friend.settle()
        peak = memory(t)
        t.note(f"{count} connections in {time.monotonic() - began:.1f} s: {peak - before} KiB more in memory, {(peak - before) * 1024 // count} bytes each")
        ident = token()
        friend.message(ROMEO, ident)
        one.wait_id(ident)
        for n, sock in enumerate(socks):
            sock.settimeout(suite.PATIENCE)
            try:
                data = b""
                while chunk := sock.recv(4096):
                    data += chunk
            except ConnectionError:
                pass
            hold(n % 2 == 0 or b"connection-timeout" in data, f"connection {n} was ended by {data!r}")
        friend.settle()
        t.note(f"all ended after {time.monotonic() - began:.0f} s; {memory(t) - before} KiB more than before")
    finally:
        for sock in socks + low:
            sock.close()


if __name__ == "__main__":
    suite.main(__doc__, resumptions, race, frames, reads_nothing, dribble, silent)
