#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A provider of text messages that does not behave, over real sockets: it answers late, never, with 10 MB, with a
redirect to loopback, half, or with something else. Each has its name in the log; nothing goes out twice, nothing
follows the redirect, and who writes meanwhile is not kept waiting. And a profile with a mistake: its
provider is off, the gateway goes on."""
import json
import re
import socket
import sys
import threading
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import devices, suite  # noqa: E402
from lablib.events import Heard  # noqa: E402
from lablib.lab import PROVIDER  # noqa: E402
from lablib.process import Failed  # noqa: E402
from lablib.suite import befriend, hold, wait_for  # noqa: E402

MONTAGUE, CAPULET = "montague.example", "capulet.example"
JULIET = f"juliet@{CAPULET}"
PHONE, PORT, TRAP = "+447700900123", 8027, 8028
SENDERS = ["romeo", "benvolio", "mercutio", "abram", "balthasar", "lady", "friar"]


def http(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Provider:
    """Speaks what it is told to, byte for byte. `script`: what it does with the next texts; then it takes them."""

    def __init__(self, address):
        self.texts, self.script, self.connections = Heard(), [], 0
        self.end = threading.Event()
        self.socket = socket.create_server(address)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while not self.end.is_set():
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        with link:
            try:
                data = b""
                while True:
                    while b"\r\n\r\n" not in data:
                        more = link.recv(65536)
                        if not more:
                            return
                        data += more
                    head, _, data = data.partition(b"\r\n\r\n")
                    length = int(re.search(rb"content-length: *(\d+)", head, re.I).group(1))
                    while len(data) < length:
                        data += link.recv(65536)
                    form = dict(urllib.parse.parse_qsl(data[:length].decode()))
                    data = data[length:]
                    self.texts.append(form["Body"])
                    act = self.script.pop(0) if self.script else self.take
                    if not act(link):
                        return
            except OSError:
                return

    def take(self, link):
        link.sendall(http(201, json.dumps({"sid": f"SM{len(self.texts)}"}).encode()))
        return True

    def close(self):
        self.end.set()
        self.socket.close()


def make(t, names=SENDERS):
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: list(names), CAPULET: ["juliet"]},
               providers=PROVIDER.replace("{provider}", "{network}.1:%d" % PORT))
    host = f"{t.lab.state['network']}.1"
    provider = t.keep(Provider((host, PORT)))
    juliet = t.slix(JULIET)
    senders = [t.slix(f"{name}@{MONTAGUE}") for name in names]
    for sender in senders:
        befriend(sender, juliet)
    devices.list_device(juliet, CAPULET, f"add phone {PHONE}", lambda: wait_for(lambda: provider.texts, "the code")[0])
    devices.log_off(juliet, *senders)
    return provider, senders


def deliveries(t):
    """sender -> (state, reason)"""
    return {peer.split("@")[0]: (state, reason) for peer, state, reason in
            devices.deliveries(t, CAPULET, "peer, state, reason", "purpose = 'message'")}


def becomes(t, name, state, reason):
    def find():
        now = deliveries(t).get(name)
        return now if now and now[0] == state and re.search(reason, now[1]) else None
    try:
        wait_for(find, state)
    except Failed:
        raise Failed(f"the text of {name} is {deliveries(t).get(name)}, not {state}: {reason}") from None


def what_it_answers(t):
    """10 MB, a redirect to loopback, another shape, half an answer, a reset, no HTTP: one name each, nothing twice"""
    provider, senders = make(t)
    host = f"{t.lab.state['network']}.1"
    trap = t.keep(Provider((host, TRAP)))

    def big(link):
        link.sendall(http(201, b'{"sid":"SM1","x":"' + b"x" * 10_000_000 + b'"}'))

    def redirect(link):
        return link.sendall(http(302, b"", f"Location: http://{host}:{TRAP}/2010-04-01/")) is None

    def shape(link):
        return link.sendall(http(201, b'{"data":{"id":"SM1"}}')) is None

    def half(link):
        link.sendall(b"HTTP/1.1 201 X\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{\"sid\":")

    def reset(link):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    def other(link):
        link.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    rows = [(big, "in doubt", "too long|longer"), (redirect, "due", "HTTP 302: a redirect, which is not followed"),
            (shape, "in doubt", "HTTP 201 with an answer of another shape"), (half, "in doubt", "."), (reset, "in doubt", "."),
            (other, "in doubt", "."), (provider.take, "sent", "^$")]
    for (act, state, reason), sender in zip(rows, senders):
        provider.script.append(act)
        name = sender.jid.split("@")[0]
        sender.message(JULIET, f"from {name}")
        becomes(t, name, state, reason)
    becomes(t, senders[1].jid.split("@")[0], "sent", "^$")  # the redirected one, when it is asked again
    hold(trap.connections == 0, "the redirect was followed")
    for name in SENDERS:
        asked = sum(f"from {name}" in text for text in provider.texts)
        hold(asked == (2 if name == SENDERS[1] else 1), f"the text of {name} was given {asked} times")


def never_and_late(t):
    """no answer at all is in doubt after half a minute; a late one counts; other deliveries go on meanwhile"""
    provider, senders = make(t, SENDERS[:2])
    silent = threading.Event()

    def never(link):
        silent.wait(suite.PATIENCE)

    def late(link):
        silent.wait(5)
        return provider.take(link)
    provider.script.append(late)
    senders[0].message(JULIET, "from romeo")
    becomes(t, "romeo", "sent", "^$")
    provider.script.append(never)
    senders[1].message(JULIET, "from benvolio")
    wait_for(lambda: len(provider.texts) == 3, "the second text")
    senders[1].settle()  # the gateway itself does not wait
    becomes(t, "benvolio", "in doubt", ".")
    silent.set()
    hold([sum(f"from {n}" in text for text in provider.texts) for n in SENDERS[:2]] == [1, 1], f"{provider.texts}")


def bad_profile(t):
    """a profile with an unknown key is named with file and line, its provider is off, and the gateway serves all the same"""
    t.make_lab([CAPULET], {CAPULET: ["juliet"]})
    c = t.lab.community(CAPULET)
    profile = t.folder / "mine.conf"
    profile.write_text("[profile]\nname = mine\nkinds = sms\nformat = 1\n[send.sms]\nurl = https://x.example\nok = http 200\ncolour = red\n")
    config = Path(c["config"])
    config.write_text(config.read_text().replace('profile = "twilio"', f'profile = "{profile}"'))
    try:
        t.lab.causeway(CAPULET, "check")
    except Failed as e:
        hold(f"{profile}:8: unknown key `colour`" in str(e), f"check says: {e}")
    else:
        hold(False, "check says nothing")
    t.lab.stop(CAPULET)
    t.lab.start(CAPULET)
    hold(f"is off: {profile}:8: unknown key `colour`" in Path(c["log"]).read_text(), "the log does not name the mistake")
    said = t.strophe(JULIET).tell(CAPULET, f"add phone {PHONE}")
    hold(f"{CAPULET} does not send text messages" in said, f"she is told: {said}")


def bad_secret(t):
    """a secret that everybody may read turns its provider off and nothing else; check names the file"""
    t.make_lab([CAPULET], {CAPULET: ["juliet"]})
    c = t.lab.community(CAPULET)
    secret = Path(c["config"]).with_name("auth_token")
    secret.chmod(0o644)
    try:
        t.lab.causeway(CAPULET, "check")
    except Failed as e:
        hold(re.search(rf"provider sms is off: .*:\d+: secret_files: {secret}: can be read by everybody; chmod o= {secret}", str(e)),
             f"check says: {e}")
    else:
        hold(False, "check says nothing")
    t.lab.stop(CAPULET)
    t.lab.start(CAPULET)
    said = t.strophe(JULIET).tell(CAPULET, f"add phone {PHONE}")
    hold(f"{CAPULET} does not send text messages" in said, f"she is told: {said}")


if __name__ == "__main__":
    suite.main(__doc__, what_it_answers, never_and_late, bad_profile, bad_secret)
