#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's Kannel carries the text messages, with its own fakesmsc as the carrier: from a message to somebody who
is absent to the text at the carrier, and from there back into the conversation; receipts also before answers."""
import http.server
import re
import sys
import threading
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.devices import deliveries, list_device, log_off, wait_log  # noqa: E402
from lablib.events import Heard  # noqa: E402
from lablib.lab import OUR_NUMBER  # noqa: E402
from lablib.peers import Kannel  # noqa: E402
from lablib.suite import ask_until, befriend, hold, token, wait_for  # noqa: E402

MONTAGUE, CAPULET = "montague.example", "capulet.example"
ROMEO, JULIET = f"romeo@{MONTAGUE}", f"juliet@{CAPULET}"
PHONE = "+447700900123"
PROXY_PORT = 13099
PROVIDER = '''provider "sms" {
    profile = "kannel"
    from = "{our_number}"
    options = { "base=http://{network}.1:%d/cgi-bin/sendsms" }
    secret_files = { "username={folder}/username", "password={folder}/password" }
    allow_http = true
}'''


def make(t, domains, names, port=13013):
    t.make_lab(domains, names, providers=PROVIDER % port, secrets_of={"username": "gw", "password": "gwpass"})
    inbound = t.lab.causeway(CAPULET, "webhooks").strip().split(" ", 1)[1]
    kannel = t.keep(Kannel(t.folder / "kannel", f"{t.lab.state['network']}.1", inbound))
    return kannel


def text(kannel, already):
    """The text beyond the `already` first ones, as (sender, receiver, text, parts)."""
    def find():
        texts = kannel.texts()
        return texts[already] if len(texts) > already else None
    return wait_for(find, f"text {already + 1} at the carrier")


def list_phone(kannel, juliet):
    """Juliet lists her phone; the code goes through Kannel. Returns how many texts there were."""
    def code_text():
        sender, receiver, said, _ = text(kannel, 0)
        hold((sender, receiver) == (OUR_NUMBER, PHONE), f"the code went from {sender} to {receiver}")
        return said
    list_device(juliet, CAPULET, f"add phone {PHONE}", code_text)
    return len(kannel.texts())


def rows(t):
    return deliveries(t, CAPULET)


def kannel_itself(t):
    """Kannel as it runs here takes a text, gives it to its carrier, and says what became of it"""
    t.make_lab([])
    heard = Heard()

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass
    host = f"{t.lab.state['network']}.1"
    server = http.server.ThreadingHTTPServer((host, 18080), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    t.closing.append(server.shutdown)
    kannel = t.keep(Kannel(t.folder / "kannel", host, f"http://{host}:18080/in"))
    kannel.start()
    query = urllib.parse.urlencode({"username": "gw", "password": "gwpass", "from": "+100", "to": "+200", "text": "hello", "dlr-mask": 31,
                                    "dlr-url": f"http://{host}:18080/dlr?st=%d"})

    def send():
        with urllib.request.urlopen(f"http://{host}:13013/cgi-bin/sendsms?{query}") as answer:
            return answer.status == 202
    ask_until(send, "an answer of 202")
    hold(text(kannel, 0) == ("+100", "+200", "hello", 1), "another text came")
    wait_for(lambda: any("st=1" in h for h in heard), "a receipt")
    kannel.carrier("+200 +100 text back")
    wait_for(lambda: any(h.startswith("/in?") and "text=back" in h for h in heard), "the text that came back")


def both_ways(t):
    """a message becomes a text, its answer a message; the receipts of both are there"""
    kannel = make(t, [MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]})
    kannel.start()
    romeo, juliet = t.slix(ROMEO), t.slix(JULIET)
    befriend(romeo, juliet)
    already = list_phone(kannel, juliet)
    log_off(juliet, romeo)
    said = f"But soft & {{what}} light 1+1=2? {token()}"
    romeo.message(JULIET, said)
    sender, receiver, got, _ = text(kannel, already)
    hold((sender, receiver) == (OUR_NUMBER, PHONE), f"from {sender} to {receiver}")
    hold(said in got and ROMEO in got, f"the text is {got!r}")
    code = re.match(r"(\w+) ", got).group(1)
    wait_for(lambda: ("message", "delivered") in rows(t), "the receipt in the outbox")
    answer = f"Wherefore art thou? {token()}"
    kannel.carrier(f"{PHONE} {OUR_NUMBER} text {code} {answer}")
    back = romeo.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == answer, "the answer")
    hold(back.get("from").split("/")[0] == JULIET, f"it is from {back.get('from')}")
    kannel.carrier(f"{PHONE} {OUR_NUMBER} text STOP")
    wait_log(t, CAPULET, "STOP is obeyed", "STOP")
    texts = len(kannel.texts())
    romeo.message(JULIET, "art thou there?")
    romeo.settle()
    wait_for(lambda: len(rows(t)) >= 2, "rows")
    hold(len(kannel.texts()) == texts, "a text went to somebody who said STOP")


def receipt_before_answer(t):
    """the carrier's receipt comes before Kannel's answer to us does"""
    kannel = make(t, [MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]}, port=PROXY_PORT)
    kannel.start()
    host = f"{t.lab.state['network']}.1"
    held, let_go = threading.Event(), threading.Event()

    class Slow(http.server.BaseHTTPRequestHandler):
        """Asks Kannel at once; gives its answer on when told."""
        def do_GET(self):
            with urllib.request.urlopen(f"http://{host}:13013{self.path}") as answer:
                status, body = answer.status, answer.read()
            if slow:
                held.set()
                let_go.wait(suite.PATIENCE)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass
    slow = []
    server = http.server.ThreadingHTTPServer((host, PROXY_PORT), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    t.closing.append(server.shutdown)
    romeo, juliet = t.slix(ROMEO), t.slix(JULIET)
    befriend(romeo, juliet)
    already = list_phone(kannel, juliet)
    log_off(juliet, romeo)
    slow.append(True)
    romeo.message(JULIET, "quickly")
    text(kannel, already)
    hold(held.wait(suite.PATIENCE), "Kannel was not asked")
    wait_for(lambda: ("message", "delivered") in rows(t), "the receipt in the outbox, before the answer")
    let_go.set()
    wait_log(t, CAPULET, "by text message: delivered", "the answer, after which it is still delivered,")
    hold(("message", "delivered") in rows(t), f"the answer undid the receipt: {rows(t)}")
    hold(len(kannel.texts()) == already + 1, "it was sent twice")


def while_kannel_is_down(t):
    """Kannel is down when the message comes; the text goes once when it is back, and a long one in parts"""
    kannel = make(t, [MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]})
    kannel.start()
    romeo, juliet = t.slix(ROMEO), t.slix(JULIET)
    befriend(romeo, juliet)
    already = list_phone(kannel, juliet)
    log_off(juliet, romeo)
    kannel.close()
    said = "Dein ist mein ganzes Herz " + "\u2665 " * 40 + token()
    romeo.message(JULIET, said)
    wait_log(t, CAPULET, "[Cc]onnect", "a line about Kannel")
    kannel.start()
    _, receiver, got, parts = text(kannel, already)
    hold(said in got and parts > 1 and receiver == PHONE, f"{parts} parts to {receiver}: {got!r}")
    wait_for(lambda: ("message", "delivered") in rows(t), "the receipt in the outbox")
    hold(len(kannel.texts()) == already + 1, "it was sent twice")


if __name__ == "__main__":
    suite.main(__doc__, kannel_itself, both_ways, receipt_before_answer, while_kannel_is_down)
