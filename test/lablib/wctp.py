# SPDX-License-Identifier: MIT
"""A carrier's WCTP 1.3 gateway with pagers behind it, on loopback. Every document that passes, in either direction, is
validated by xmllint against wctp-1.3.dtd beside this file (or the one that WCTP_DTD names)."""
import http.server
import os
import secrets
import subprocess
import threading
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from lablib.events import Heard
from lablib.process import Failed

DTD = os.environ.get("WCTP_DTD") or str(Path(__file__).with_name("wctp-1.3.dtd"))
HEAD = ('<?xml version="1.0"?><!DOCTYPE wctp-Operation SYSTEM "http://dtd.wctp.org/wctp-dtd-v1r3.dtd">'
        '<wctp-Operation wctpVersion="wctp-dtd-v1r3">%s</wctp-Operation>')
SUBMIT = "wctp-SubmitRequest/wctp-SubmitHeader"


def mistakes(document):
    """What xmllint says against it; "": it is valid."""
    done = subprocess.run(["xmllint", "--noout", "--nonet", "--dtdvalid", DTD, "-"], input=document, capture_output=True)
    return "" if done.returncode == 0 else done.stderr.decode(errors="replace") or f"xmllint ended with {done.returncode}"


def confirmation(code, text, failed):
    kind = "Failure error" if failed else "Success success"
    name, prefix = kind.split()
    return HEAD % f"<wctp-Confirmation><wctp-{name} {prefix}Code={quoteattr(str(code))} {prefix}Text={quoteattr(text)}/></wctp-Confirmation>"


class Page:
    def __init__(self, root):
        header = root.find(SUBMIT)
        self.pager = header.find("wctp-Recipient").get("recipientID")
        self.message_id = header.find("wctp-MessageControl").get("messageID")
        self.control = dict(header.find("wctp-MessageControl").attrib)
        self.text = root.findtext("wctp-SubmitRequest/wctp-Payload/wctp-Alphanumeric")


class Carrier:
    """`answers`: what it says instead of taking a page, for the next ones: (code, text)."""

    def __init__(self, address, sender, code, pagers):
        self.sender, self.code, self.pagers = sender, code, pagers
        self.pages, self.wrong, self.answers = Heard(), Heard(), []
        self.notify = None  # where what becomes of a page is told
        carrier = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = carrier.take(body, self.headers.get_content_type()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass
        host, port = address.rsplit(":", 1)
        self.server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body, content_type):
        answer = self.judge(body, content_type)
        said = mistakes(answer.encode())
        if said:
            self.wrong.append(f"the carrier's own answer: {said}")
        return answer

    def judge(self, body, content_type):
        said = mistakes(body)
        if said or content_type != "text/xml":
            self.wrong.append(f"{content_type}: {body!r}: {said}")
            return confirmation(302, "XML validation error", True)
        root = ElementTree.fromstring(body)
        header = root.find(SUBMIT)
        originator = header.find("wctp-Originator").attrib if header is not None else {}
        if header is None:
            return confirmation(300, "Operation not supported", True)
        if originator.get("senderID") != self.sender:
            return confirmation(401, "Invalid senderID", True)
        if originator.get("securityCode") != self.code:
            return confirmation(402, "Invalid security code", True)
        if header.find("wctp-Recipient").get("recipientID") not in self.pagers:
            return confirmation(403, "Invalid recipientID", True)
        if self.answers:
            return confirmation(*self.answers.pop(0), True)
        self.pages.append(Page(root))
        return confirmation(200, "Message accepted", False)

    # ---- what the carrier tells

    def post(self, inside, url=None):
        document = HEAD % inside
        said = mistakes(document.encode())
        if said:
            raise Failed(f"the carrier would send what is not valid: {said}")
        request = urllib.request.Request(url or self.notify, data=document.encode(), headers={"Content-Type": "text/xml"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                body = answer.read()
        except urllib.error.HTTPError as e:
            return e.code, None
        said = mistakes(body)
        if said:
            raise Failed(f"what it was answered is not valid: {said}\n{body!r}")
        success = ElementTree.fromstring(body).find("wctp-Confirmation/wctp-Success")
        return 200, None if success is None else success.get("successCode")

    def header(self, message_id, pager):
        return (f"<wctp-ResponseHeader responseToMessageID={quoteattr(message_id)}><wctp-Originator senderID={quoteattr(pager)}/>"
                f'<wctp-MessageControl messageID="c{secrets.token_hex(8)}"/><wctp-Recipient recipientID={quoteattr(self.sender)}/>'
                "</wctp-ResponseHeader>")

    def status(self, page, kind):
        return self.post(f"<wctp-StatusInfo>{self.header(page.message_id, page.pager)}<wctp-Notification type={quoteattr(kind)}/></wctp-StatusInfo>")

    def failure(self, page, code, text):
        return self.post(f"<wctp-StatusInfo>{self.header(page.message_id, page.pager)}"
                         f"<wctp-Failure errorCode={quoteattr(str(code))} errorText={quoteattr(text)}/></wctp-StatusInfo>")

    def reply_document(self, page, text, message_id=None, pager=None):
        return (f"<wctp-MessageReply>{self.header(message_id or page.message_id, pager or page.pager)}"
                f"<wctp-Payload><wctp-Alphanumeric>{escape(text)}</wctp-Alphanumeric></wctp-Payload></wctp-MessageReply>")

    def reply(self, page, text, **more):
        return self.post(self.reply_document(page, text, **more))

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        if self.wrong:
            raise Failed("what is not valid WCTP passed:\n" + "\n".join(self.wrong))
