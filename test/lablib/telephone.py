# SPDX-License-Identifier: MIT
"""A telephone network on loopback: Debian's baresip twice, and a provider's API that lets one call the other. What the
callee's user agent heard is a recording of it; a key is pressed there and comes back as RTP (RFC 4733)."""
import http.server
import io
import json
import queue
import secrets
import signal
import socket
import threading
import time
import urllib.parse
import wave
from pathlib import Path

from lablib import process
from lablib.calls import Call
from lablib.peers import need
from lablib.process import PATIENCE, Failed

CONFIG = """poll_method epoll
sip_listen 127.0.0.1:{sip}
net_interface 127.0.0.1
call_local_timeout 60
call_max_calls 4
audio_player aufile,{folder}/unused.wav
audio_source aufile,{silence}
audio_alert aufile,{silence}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_txmode poll
audio_level no
rtp_ports {rtp}-{rtp_end}
rtcp_mux no
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module sndfile.so
module aufile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {folder}/recordings
"""


EARLY_S = 2  # into what is said


def write_wav(path, pcm):
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(8000)
        w.writeframes(pcm)


class Agent:
    """One baresip, steered over its TCP port: netstrings of JSON."""

    def __init__(self, folder, name, account=""):
        self.folder = Path(folder)
        (self.folder / "recordings").mkdir(parents=True)
        first, self.ports = process.free_ports("127.0.0.1")
        self.sip, self.control = first, first + 2  # the one between is SIP over TLS
        self.uri = f"sip:{name}@127.0.0.1:{self.sip}"
        silence = self.folder / "silence.wav"
        write_wav(silence, bytes(2 * 8000 * 300))
        (self.folder / "config").write_text(CONFIG.format(sip=self.sip, control=self.control, folder=self.folder, silence=silence,
                                                          rtp=first + 4, rtp_end=first + 22))
        (self.folder / "accounts").write_text(f"<{self.uri}>;regint=0;audio_codecs=PCMU{account}\n")
        (self.folder / "contacts").write_text("")
        self.log = self.folder / "baresip.log"
        self.identity = process.start([need("baresip", "baresip-core"), "-f", str(self.folder)], self.log, notify=False)
        process.wait_for_port(self.identity, f"127.0.0.1:{self.control}", self.log)
        self.socket = socket.create_connection(("127.0.0.1", self.control))
        self.events = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        data = b""
        while True:
            try:
                piece = self.socket.recv(65536)
            except OSError:
                return
            if not piece:
                return
            data += piece
            while (colon := data.find(b":")) > 0 and len(data) > colon + 1 + int(data[:colon]):
                end = colon + 1 + int(data[:colon])
                event = json.loads(data[colon + 1:end])
                data = data[end + 1:]
                if event.get("event"):
                    self.events.put(event)

    def command(self, command, params=""):
        text = json.dumps({"command": command, "params": params}).encode()
        self.socket.sendall(str(len(text)).encode() + b":" + text + b",")

    def wait(self, types, patience):
        """The first event of one of the types; None: none came."""
        limit = time.monotonic() + patience
        while (left := limit - time.monotonic()) > 0:
            try:
                event = self.events.get(timeout=left)
            except queue.Empty:
                break
            if event["type"] in types:
                return event
        return None

    def forget(self):
        """What happened before is of no interest."""
        while not self.events.empty():
            self.events.get_nowait()

    def recording(self, patience=PATIENCE):
        """What was heard in the last call, when it has ended: the file is whole when it does not grow any more and has a length."""
        limit = time.monotonic() + patience
        while time.monotonic() < limit:
            files = sorted((self.folder / "recordings").glob("dump-*-dec.wav"), key=lambda p: p.stat().st_mtime_ns)
            if files:
                with wave.open(io.BytesIO(files[-1].read_bytes())) as w:
                    if w.getnframes() * 2 + 44 <= files[-1].stat().st_size and w.getnframes():
                        return files[-1]
            time.sleep(0.05)
        raise Failed(f"no recording in {self.folder}; its log ends with:\n{process.tail(self.log)}")

    def close(self):
        self.socket.close()
        process.end(self.identity, signal.SIGTERM)
        self.ports.close()


class Network:
    """The API at `address`; numbers that are there: {number: Agent}. `keys`: what the callee presses, one after
    the other, when all was said; "early 2": before; "hang up"."""

    def __init__(self, folder, address, token):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.token = token
        self.exchange = Agent(self.folder / "exchange", "exchange")
        self.numbers = {}
        self.keys = []
        self.notes, self.changed = [], threading.Condition()
        self.calls = []
        host, port = address.split(":")
        network = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                network.asked(self, form)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def listed(self, number, name):
        agent = self.numbers[number] = Agent(self.folder / name, name, ";answermode=auto")
        return agent

    def refusing(self, number, name):
        """Somebody who is on the telephone: answers 486."""
        agent = self.numbers[number] = Agent(self.folder / name, name)
        agent.busy = True
        return agent

    def note(self, **entry):
        with self.changed:
            self.notes.append(entry)
            self.changed.notify_all()

    def wait_note(self, match, what, patience=PATIENCE):
        with self.changed:
            if not self.changed.wait_for(lambda: any(match(n) for n in self.notes), patience):
                raise Failed(f"{what} did not come; the provider noted {self.notes[-12:]}")
            return next(n for n in self.notes if match(n))

    def asked(self, handler, form):
        sid = "CA" + secrets.token_hex(16)
        self.note(kind="call", sid=sid, to=form.get("To", ""))
        body = json.dumps({"sid": sid, "status": "queued"}).encode()
        handler.send_response(201)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        call = Call(sid, form, self.token, Line(self), self.note)
        self.calls.append(call)
        call.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        for call in self.calls:
            call.join(30)
        for agent in (self.exchange, *self.numbers.values()):
            agent.close()


class Line:
    """The telephone of one call (calls.Call): the exchange's user agent calls the callee's."""

    def __init__(self, network):
        self.network, self.agent, self.callee = network, network.exchange, None
        self.open = False

    def ring(self, to, sid):
        self.callee = self.network.numbers.get(to)
        if not self.callee:
            return "no-answer"
        self.agent.forget()
        self.callee.forget()
        self.agent.command("dial", self.callee.uri)
        if getattr(self.callee, "busy", False) and self.callee.wait({"CALL_INCOMING"}, PATIENCE):
            self.callee.command("hangup")
        event = self.agent.wait({"CALL_ESTABLISHED", "CALL_CLOSED"}, PATIENCE)
        if not event:
            return "no-answer"
        self.open = event["type"] == "CALL_ESTABLISHED"
        return "in-progress" if self.open else "busy" if event["param"].startswith("486") else "no-answer"

    def hear(self, sound, seconds):
        with wave.open(io.BytesIO(sound)) as w:
            pcm, length = w.readframes(w.getnframes()), w.getnframes() / 8000
        path = self.network.folder / f"play-{secrets.token_hex(4)}.wav"
        write_wav(path, pcm + bytes(2 * 8000 * 300))  # the call ends with the file, so there must be more
        self.network.note(kind="playing", path=str(path), seconds=length)
        self.agent.command("ausrc", f"aufile,{path}")
        key = self.network.keys.pop(0) if self.network.keys and seconds else ""
        early, key = key.startswith("early "), key.removeprefix("early ")
        if self.agent.wait({"CALL_CLOSED"}, EARLY_S if early else length + 0.5):
            self.open = False
            return ""
        if not seconds:
            return ""
        if key == "hang up":
            self.callee.command("hangup")
        elif key:
            self.callee.command("sndcode", key)
        event = self.agent.wait({"CALL_DTMF_START", "CALL_CLOSED"}, seconds)
        if event and event["type"] == "CALL_CLOSED":
            self.open = False
        return event["param"] if event and event["type"] == "CALL_DTMF_START" else ""

    def hang_up(self):
        if not self.open:
            return
        self.agent.command("hangup")
        for agent in (self.agent, self.callee):
            agent.wait({"CALL_CLOSED"}, 10)
        self.open = False
