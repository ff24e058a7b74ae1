# SPDX-License-Identifier: MIT
"""A mailbox (SMTP) and a Twilio-shaped text message provider on loopback.

    doubles.py ADDRESS SMTP_PORT HTTP_PORT MAIL_DIR PROVIDER_LOG AUTH_TOKEN

Each mail becomes MAIL_DIR/NNNN.eml with its envelope in header lines in front. Each request to the provider
becomes a line of JSON in PROVIDER_LOG; it is answered as the provider would, and its status webhook is
called: sent, then delivered. A file PROVIDER_LOG.fail holding "STATUS BODY" makes the provider refuse (noted as
"refused"); while there is a file PROVIDER_LOG.hold it takes requests and does not answer them."""
import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from lablib import notify


def signature(url, form, token):
    text = url + "".join(k + form[k] for k in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def call_webhook(url, form, token, patience=20, wrong_signature=False):
    """What the provider does with an address that it was given. Returns (status, body)."""
    body = urllib.parse.urlencode(form).encode()
    sig = "AAAA" + signature(url, form, token)[4:] if wrong_signature else signature(url, form, token)
    request = urllib.request.Request(url, data=body, headers={
        "Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": sig,
        "I-Twilio-Idempotency-Token": secrets.token_hex(8)})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=patience) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


class Mailbox:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.count = len(list(self.folder.glob("*.eml")))

    def keep(self, sender, recipients, data):
        self.count += 1
        part = self.folder / f".{self.count:04}.part"
        part.write_bytes(f"X-Envelope-From: {sender}\r\nX-Envelope-To: {', '.join(recipients)}\r\n".encode() + data)
        part.rename(self.folder / f"{self.count:04}.eml")

    async def serve(self, reader, writer):
        async def say(line):
            writer.write(line.encode() + b"\r\n")
            await writer.drain()
        sender, recipients = "", []
        await say("220 mailbox ESMTP")
        while line := (await reader.readline()).decode(errors="replace").strip():
            verb = line.upper()
            if verb.startswith("EHLO"):
                await say("250-mailbox")
                await say("250 8BITMIME")
            elif verb.startswith("MAIL FROM:"):
                sender, recipients = line[10:].split(" ")[0].strip("<>"), []
                await say("250 OK")
            elif verb.startswith("RCPT TO:"):
                recipients.append(line[8:].split(" ")[0].strip("<>"))
                await say("250 OK")
            elif verb == "DATA":
                await say("354 go on")
                data = b""
                while (row := await reader.readline()) not in (b".\r\n", b""):
                    data += row[1:] if row.startswith(b".") else row
                self.keep(sender, recipients, data)
                await say("250 OK kept")
            elif verb == "QUIT":
                await say("221 bye")
                break
            else:
                await say("250 OK")
        writer.close()


class Provider:
    def __init__(self, log, token):
        self.log = Path(log)
        self.log.touch()
        self.token = token
        self.tasks = set()

    def note(self, **entry):
        with self.log.open("a") as out:
            out.write(json.dumps({"at": time.time(), **entry}) + "\n")

    async def report(self, url, sid, to, sender):
        for status in ("sent", "delivered"):
            form = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "To": to, "From": sender}
            try:
                answer = await asyncio.to_thread(call_webhook, url, form, self.token)
            except OSError as e:
                answer = (0, str(e))
            self.note(kind="status", sid=sid, status=status, answer=answer[0])

    def answer(self, form):
        fail = Path(str(self.log) + ".fail")
        if fail.exists():
            status, _, body = fail.read_text().partition(" ")
            self.note(kind="refused", status=int(status), to=form.get("To", ""), text=form.get("Body", ""))
            return int(status), body
        sid = "SM" + secrets.token_hex(16)
        self.note(kind="sms", sid=sid, to=form.get("To", ""), sender=form.get("From", ""), text=form.get("Body", ""))
        if form.get("StatusCallback"):
            task = asyncio.create_task(self.report(form["StatusCallback"], sid, form.get("To", ""), form.get("From", "")))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return 201, json.dumps({"sid": sid, "status": "queued", "error_code": None})

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if ":" in line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
                status, text = self.answer(form)
                while Path(f"{self.log}.hold").exists() and not reader.at_eof():
                    await asyncio.sleep(0.02)
                out = text.encode()
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(out)}\r\n\r\n".encode() + out)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        writer.close()


async def main(address, smtp_port, http_port, mail_dir, provider_log, token):
    await asyncio.start_server(Mailbox(mail_dir).serve, address, int(smtp_port), limit=1 << 22)
    await asyncio.start_server(Provider(provider_log, token).serve, address, int(http_port))
    notify.ready()
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.umask(0o077)
    asyncio.run(main(*sys.argv[1:]))
