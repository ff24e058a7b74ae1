# SPDX-License-Identifier: MIT
"""The main job on this machine, step by step. `gateway/quickstart` installs and calls this."""
import argparse
import email.policy
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lablib.client import C, Client
from lablib.events import wait_until
from lablib.hearing import find, loudness, say, without_silence
from lablib.lab import PROVIDER, ROOT, Lab
from lablib.process import Failed
from lablib.wctp import Carrier

MONTAGUE, CAPULET = "montague.example", "capulet.example"
ROMEO, JULIET, STRANGER = f"romeo@{MONTAGUE}", f"juliet@{CAPULET}", f"mercutio@{MONTAGUE}"
NUMBER, MAIL, PAGER = "+447700900123", "juliet@mail.example", "4155551212"
PAGER_PORT = 8026
PAGER_PROVIDER = '''
provider "pages" {
    profile = "wctp"
    options = { "url=http://{network}.1:%d/wctp" }
    secret_files = { "sender={folder}/sender", "code={folder}/code" }
    allow_http = true
}''' % PAGER_PORT


class Steps:
    """A TAP line a step; a step that does not hold ends the run."""

    def __init__(self, names):
        self.names = names
        self.done = 0
        print(f"1..{len(names)}", flush=True)

    def hold(self, text=""):
        self.done += 1
        print(f"ok {self.done} - {self.names[self.done - 1]}{' # ' + text if text else ''}", flush=True)

    def fail(self, why):
        print(f"not ok {self.done + 1} - {self.names[self.done]}", flush=True)
        for line in str(why).split("\n"):
            print(f"# {line}", flush=True)


NAMES = [
    "Causeway is built",
    "two communities are up, with certificates of a local authority",
    "juliet logs in with a stock client and lists her devices",
    "the code that came to her mailbox verifies her e-mail address",
    "the code that came as a text message verifies her telephone",
    "the code that came as a page (WCTP 1.3) verifies her pager",
    "her telephone may ring too: the number is known to be hers",
    "romeo and juliet subscribe to each other across dialback",
    "juliet logs off; romeo writes to her",
    "juliet gets an e-mail",
    "juliet gets a text message",
    "juliet gets a page",
    "she answers by text message; romeo reads it in the same conversation",
    "romeo writes again, urgently: juliet's telephone rings, and what he wrote is spoken",
    "she presses 2; romeo reads that she heard it",
    "juliet logs in and sees what was said",
    "a stranger's request waits, and he is told so",
    "juliet's client shows the request; she accepts and gets the message",
    "they talk in real time",
]


def build_program(verbose):
    """Long work shows progress: a line every few seconds with ninja's own count."""
    log = tempfile.NamedTemporaryFile("w+", prefix="causeway-build-", suffix=".log", delete=False)
    for command in (["cmake", "--preset", "release"],
                    ["cmake", "--build", "--preset", "release", "--target", "causeway", "--target", "strophe-client"]):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
            shown = time.monotonic()
            for line in child.stdout:
                log.write(line)
                if verbose and line.startswith("[") and time.monotonic() - shown > 3:
                    shown = time.monotonic()
                    print(f"# building {line.split(']')[0]}]", flush=True)
        log.flush()
        if child.returncode:
            raise Failed(f"{' '.join(command)} failed; its output is in {log.name}")
    os.unlink(log.name)


def wait_for(play, find, what, patience=60):
    """For what stands in files of the lab, or what the carrier of pages has heard."""
    if found := wait_until(find, play.lab.folder, patience):
        return found
    raise Failed(f"{what} did not come within {patience} s")


class Play:
    def __init__(self, lab, carrier):
        self.lab, self.carrier = lab, carrier
        self.client_program = ROOT / "build" / lab.preset / "test" / "client" / "strophe-client"

    def log_in(self, jid):
        local, domain = jid.split("@")
        return Client(self.client_program, jid, self.lab.account(local, domain)["password"],
                      self.lab.community(domain)["c2s"], self.lab.state["ca"])

    def mail_with(self, part):
        for path in sorted(Path(self.lab.state["mail_dir"]).glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            text = message.get_body(("plain",)).get_content()
            if part(text):
                return path, text
        return None

    def text_with(self, part):
        return next((e for e in self.lab.texts() if part(e["text"])), None)

    def page_with(self, part):
        return next((p for p in self.carrier.pages if part(p.text)), None)

    @staticmethod
    def code_in(text):
        found = re.search(r"\b(\d{6})\b", text)
        return found and found.group(1)

    def verify(self, juliet, command, find_code):
        answer = juliet.tell(CAPULET, command)
        code = wait_for(self, find_code, f"a code after {command!r} (answer: {answer})")
        answer = juliet.tell(CAPULET, f"verify {code}")
        if "verified" not in answer.lower():
            raise Failed(f"'verify {code}' was answered: {answer}")
        return answer


def befriend(romeo, juliet):
    juliet.send(f"<presence type='subscribe' to='{ROMEO}'/>")
    romeo.wait(lambda s: s.tag == C + "presence" and s.get("type") == "subscribe", "a subscription request")
    romeo.send(f"<presence type='subscribed' to='{JULIET}'/>")
    romeo.send(f"<presence type='subscribe' to='{JULIET}'/>")
    juliet.wait(lambda s: s.tag == C + "presence" and s.get("type") == "subscribe", "a subscription request")
    juliet.send(f"<presence type='subscribed' to='{ROMEO}'/>")
    for one, other in ((juliet, ROMEO), (romeo, JULIET)):
        one.wait(lambda s, o=other: s.tag == C + "presence" and s.get("type") is None and s.get("from", "").startswith(o + "/"),
                 f"presence of {other}")


def ring(play, romeo, steps):
    """An urgent message is spoken: what the telephone heard is a WAV file that says what was written."""
    urgent = "The carriage is at the gate."
    romeo.send(f"<message type='chat' to='{JULIET}' id='urgent'><body>{urgent}</body>"
               "<headers xmlns='http://jabber.org/protocol/shim'><header name='Urgency'>high</header></headers></message>")
    sound = wait_for(play, play.lab.sounds, "the call")[0]
    words = f"Hello. This is capulet dot example. romeo at montague dot example wrote to you: {urgent}"
    like, _ = find(without_silence(loudness(say(words))), loudness(sound))
    if like < 0.9:
        raise Failed(f"{sound} does not say {words!r} (likeness {like:.2f})")
    steps.hold(str(sound))
    heard = romeo.wait_body("I have heard your message.", JULIET)
    steps.hold(f"from {heard.get('from')}")


def perform(play, steps):
    lab = play.lab
    juliet = play.log_in(JULIET)
    listed = juliet.tell(CAPULET, "devices")
    steps.hold(listed.split("\n")[0])

    def mail_code():
        found = play.mail_with(lambda text: Play.code_in(text))
        return found and Play.code_in(found[1])

    def text_code():
        found = play.text_with(lambda text: Play.code_in(text))
        return found and Play.code_in(found["text"])
    play.verify(juliet, f"add email {MAIL}", mail_code)
    steps.hold(MAIL)
    play.verify(juliet, f"add phone {NUMBER}", text_code)
    steps.hold(NUMBER)

    def page_code():
        found = play.page_with(lambda text: Play.code_in(text))
        return found and Play.code_in(found.text)
    play.verify(juliet, f"add pager {PAGER}", page_code)
    steps.hold(PAGER)
    answer = juliet.tell(CAPULET, f"add call {NUMBER}")
    if ", verified" not in answer:
        raise Failed(f"'add call' was answered: {answer}")
    for number in (1, 2, 3, 4):
        juliet.tell(CAPULET, f"full {number}")
    steps.hold(answer.split("\n")[0])

    romeo = play.log_in(ROMEO)
    befriend(romeo, juliet)
    steps.hold()

    juliet.close()
    romeo.wait(lambda s: s.get("type") == "unavailable" and s.get("from", "").startswith(JULIET), "juliet's log-off")
    said = "Wherefore art thou not on line? " + secrets.token_hex(3)
    romeo.message(JULIET, said)
    steps.hold(said)
    path, _ = wait_for(play, lambda: play.mail_with(lambda text: said in text), "the e-mail")
    steps.hold(str(path))
    sms = wait_for(play, lambda: play.text_with(lambda text: said in text), "the text message")
    steps.hold(f"{lab.state['provider_log']}: {sms['text']!r}")
    page = wait_for(play, lambda: play.page_with(lambda text: said in text), "the page")
    steps.hold(f"{page.text!r}")

    code = re.search(r"\b([a-z]\d+)\b", sms["text"])
    answer = "On the train, ten minutes " + secrets.token_hex(3)
    status, _ = lab.text_from(CAPULET, NUMBER, f"{code.group(1)} {answer}" if code else answer)
    got = romeo.wait_body(answer, JULIET)
    if status // 100 != 2:
        raise Failed(f"the provider's webhook was answered {status}")
    steps.hold(f"from {got.get('from')}")
    ring(play, romeo, steps)

    juliet = play.log_in(JULIET)
    juliet.wait_body(said, ROMEO)
    found = juliet.iq("set", "<query xmlns='urn:xmpp:mam:2' queryid='all'/>")
    if found.get("type") != "result":
        raise Failed("the archive does not answer")
    archived = [s for s in juliet.seen if s.find("{urn:xmpp:mam:2}result") is not None]
    bodies = [b.text for s in archived for b in s.iter(C + "body")]
    for text in (said, answer):
        if not any(text in body for body in bodies):
            raise Failed(f"the archive lacks {text!r}; it has {bodies}")
    steps.hold("the message, and in the archive the answer")

    stranger = play.log_in(STRANGER)
    asked = "We have not met. May I write to you? " + secrets.token_hex(3)
    stranger.message(JULIET, asked)
    notice = stranger.wait(lambda s: s.tag == C + "message" and s.find("{urn:causeway:contact:1}contact") is not None, "a notice")
    steps.hold(notice.findtext(C + "body"))
    prompt = juliet.wait(lambda s: s.tag == C + "message" and s.get("from") == CAPULET and STRANGER in (s.findtext(C + "body") or ""),
                         "the request")
    number = re.search(r"accept (\d+)", prompt.findtext(C + "body")).group(1)
    juliet.message(CAPULET, f"accept {number}")
    juliet.wait_body(asked, STRANGER)
    steps.hold(f"accept {number}")
    for one, other, to in ((juliet, stranger, STRANGER), (stranger, juliet, JULIET)):
        line = "In real time " + secrets.token_hex(3)
        one.message(to, line)
        other.wait_body(line)
    steps.hold()
    for one in (romeo, juliet, stranger):
        one.close()


def explain(lab):
    print("\nBoth communities stay up until Ctrl-C. Log in with an ordinary client:")
    for c in lab.state["communities"]:
        print(f"  {c['domain']}: STARTTLS {c['c2s']}, direct TLS {c['c2s_tls']}, HTTP {c['http']}, log {c['log']}")
    for a in lab.state["accounts"]:
        print(f"  account {a['jid']}, password {a['password']}")
    romeo, juliet = lab.account("romeo", MONTAGUE), lab.community(CAPULET)
    host, port = lab.community(MONTAGUE)["c2s"].split(":")
    print(f"""
The names exist on this machine only, so tell your client the address ("connect to server", "advanced") and let it
trust the authority {lab.state['ca']}:
  profanity:  apt-get install profanity; profanity
              /connect {romeo['jid']} server {host} port {port} tls trust
  Gajim:      add the account {romeo['jid']}, custom host {host} port {port}, START TLS
Then write to {MONTAGUE} itself: "help" lists what it understands.
Mail to devices: {lab.state['mail_dir']}; text messages and calls: {lab.state['provider_log']};
what was spoken in calls: {lab.state['provider_log']}.calls""", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="gateway/quickstart", description="Two communities on this machine, and the main job.")
    parser.add_argument("--once", action="store_true", help="end after the steps; 0 if all held")
    parser.add_argument("--dir", help="folder for stores, logs, mail; default: a new one under /tmp")
    options = parser.parse_args()
    folder = Path(options.dir or tempfile.mkdtemp(prefix="causeway-"))
    steps = Steps(NAMES)
    lab = Lab(folder)
    rc = 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        build_program(True)
        steps.hold()
        lab.create([MONTAGUE, CAPULET], names={MONTAGUE: ["romeo", "mercutio"], CAPULET: ["juliet"]},
                   providers=PROVIDER + PAGER_PROVIDER, secrets_of={"sender": "capulet", "code": "lab-code"})
        carrier = Carrier(f"{lab.state['network']}.1:{PAGER_PORT}", "capulet", "lab-code", {PAGER})
        steps.hold(str(folder))
        perform(Play(lab, carrier), steps)
        rc = 0
        if options.once:
            print(f"# all steps held; stores, logs and mail stay in {folder}")
        else:
            explain(lab)
            signal.pause()
    except Failed as e:
        steps.fail(f"{e}\nlogs: {folder}/*/causeway.log")
    except KeyboardInterrupt:
        print()
    finally:
        if lab.state:
            lab.down()
    return rc


if __name__ == "__main__":
    sys.exit(main())
