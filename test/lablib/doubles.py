# SPDX-License-Identifier: MIT
"""A mailbox (SMTP) and a Twilio-shaped text message provider on loopback.

    doubles.py ADDRESS SMTP_PORT HTTP_PORT MAIL_DIR PROVIDER_LOG AUTH_TOKEN

Each mail becomes MAIL_DIR/NNNN.eml with its envelope in header lines in front. Each request to the provider
becomes a line of JSON in PROVIDER_LOG; it is answered as the provider would, and its status webhook is
called: sent, then delivered. A call is answered by a telephone that keeps what it hears as PROVIDER_LOG.calls/NNNN.wav and presses
the keys that stand in PROVIDER_LOG.keys (2 when there is no such file). A file PROVIDER_LOG.fail holding "STATUS BODY" makes the provider refuse (noted as
"refused"); while there is a file PROVIDER_LOG.hold it takes requests and does not answer them."""
import asyncio
import json
import os
import secrets
import sys
import time
import urllib.parse
from pathlib import Path

from lablib import notify
from lablib.calls import Call, Ear
from lablib.webhook import call_webhook


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
        with self.log.open("a") as out:  # one write a line: calls note from threads of their own
            out.write(json.dumps({"at": time.time(), **entry}) + "\n")

    async def report(self, url, sid, to, sender):
        for status in ("sent", "delivered"):
            form = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "To": to, "From": sender}
            try:
                answer = await asyncio.to_thread(call_webhook, url, form, self.token)
            except OSError as e:
                answer = (0, str(e))
            self.note(kind="status", sid=sid, status=status, answer=answer[0])

    def telephone(self):
        keys = Path(f"{self.log}.keys")
        return Ear(f"{self.log}.calls", keys.read_text().strip() if keys.exists() else "2")

    def answer_call(self, form):
        sid = "CA" + secrets.token_hex(16)
        self.note(kind="call", sid=sid, to=form.get("To", ""), sender=form.get("From", ""))
        Call(sid, form, self.token, self.telephone(), self.note).start()
        return 201, json.dumps({"sid": sid, "status": "queued"})

    def answer(self, target, form):
        fail = Path(str(self.log) + ".fail")
        if fail.exists():
            status, _, body = fail.read_text().partition(" ")
            self.note(kind="refused", status=int(status), to=form.get("To", ""), text=form.get("Body", ""))
            return int(status), body
        if target.endswith("/Calls.json"):
            return self.answer_call(form)
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
                status, text = self.answer(lines[0].split(" ")[1], form)
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
