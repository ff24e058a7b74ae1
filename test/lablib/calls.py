# SPDX-License-Identifier: MIT
"""What a provider does with a call that it was asked for: rings, fetches documents and sounds, tells what happened and which
key was pressed. Who answers is a telephone: `Ear` keeps what it hears and presses keys by itself, telephone.py has a
real one. In a thread of its own for each call."""
import io
import threading
import urllib.request
import wave
import xml.etree.ElementTree as ET
from pathlib import Path

from lablib.webhook import call_webhook

TURNS_MAX = 12


def fetch_sound(url):
    """As strict as providers are: the type, the length, WAV of 8 kHz PCM in one channel. Returns its bytes."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, method="HEAD"), timeout=30) as answer:
        length = int(answer.headers["Content-Length"])
        if answer.headers["Content-Type"] != "audio/wav" or answer.read():
            raise ValueError(f"HEAD says {answer.headers['Content-Type']}, or has a body")
    with opener.open(url, timeout=30) as answer:
        sound = answer.read()
        if answer.headers["Content-Type"] != "audio/wav" or len(sound) != length:
            raise ValueError(f"GET says {answer.headers['Content-Type']} and gives {len(sound)} of {length} bytes")
    with wave.open(io.BytesIO(sound)) as w:
        if (w.getframerate(), w.getnchannels(), w.getsampwidth(), w.getcomptype()) != (8000, 1, 2, "NONE"):
            raise ValueError(f"a sound of {w.getparams()}")
        if w.getnframes() * 2 + 44 != len(sound):
            raise ValueError("its head lies about its length")
    return sound


class Ear:
    """A telephone without a network: keeps each sound as a file and presses the next of `keys` ("" or "-": none)."""

    def __init__(self, folder, keys="2"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keys = list(keys)

    def ring(self, to, sid):
        """The state of the call: "in-progress", "busy", "no-answer"."""
        return "in-progress"

    def hear(self, sound, seconds):
        """Plays; then waits so long for a key. Returns it, or ""."""
        path = self.folder / f"{len(list(self.folder.glob('*.wav'))) + 1:04}.wav"
        part = path.with_suffix(".part")
        part.write_bytes(sound)
        part.rename(path)
        key = self.keys.pop(0) if self.keys and seconds else ""
        return "" if key == "-" else key

    def hang_up(self):
        pass


class Call(threading.Thread):
    """`form`: what was asked for. `note(**entry)` keeps a line of a log; `fetch` may be replaced in tests."""

    def __init__(self, sid, form, token, telephone, note):
        super().__init__(daemon=True)
        self.sid, self.form, self.token, self.telephone, self.note = sid, form, token, telephone, note

    def tell(self, url, **more):
        form = {"CallSid": self.sid, "To": self.form.get("To", ""), "From": self.form.get("From", ""), **more}
        status, body = call_webhook(url, form, self.token)
        self.note(kind="call-status" if "CallStatus" in more else "call-turn", sid=self.sid, answer=status, **more)
        return status, body

    def status(self, word):
        if self.form.get("StatusCallback"):
            self.tell(self.form["StatusCallback"], CallStatus=word)

    def play(self, parent, seconds):
        key = ""
        for verb in parent:
            if verb.tag == "Play":
                sound = fetch_sound(verb.text)
                self.note(kind="call-sound", sid=self.sid, url=verb.text, bytes=len(sound))
                key = self.telephone.hear(sound, seconds)
            elif verb.tag == "Say":
                self.note(kind="call-say", sid=self.sid, text=verb.text)
                key = self.telephone.hear(b"", seconds)
        return key

    def talk(self):
        """Documents, until one ends the call or nobody presses a key."""
        url, more = self.form["Url"], {"AnsweredBy": "human"}
        for _ in range(TURNS_MAX):
            status, body = self.tell(url, **more)
            if status != 200:
                raise ValueError(f"a document was answered {status}")
            document = ET.fromstring(body)
            gather = document.find("Gather")
            if gather is None:
                self.play(document, 0)
                return
            key = self.play(gather, int(gather.get("timeout", "5")))
            if not key:
                return
            url, more = gather.get("action"), {"Digits": key}

    def run(self):
        try:
            self.status("initiated")
            self.status("ringing")
            state = self.telephone.ring(self.form.get("To", ""), self.sid)
            if state == "in-progress":
                self.status(state)
                self.talk()
                self.telephone.hang_up()
                state = "completed"
            self.status(state)
        except Exception as e:  # the log is what a test reads
            self.note(kind="call-error", sid=self.sid, why=repr(e))
            self.telephone.hang_up()
            self.status("failed")
