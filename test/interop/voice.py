#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real call on loopback: the gateway asks a provider's API to call, Debian's baresip calls another one by SIP and RTP, which
records what it hears and presses keys. The recording says what was written; the key comes back into the conversation."""
import resource
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import hearing, suite  # noqa: E402
from lablib.calls import fetch_sound  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.devices import log_of, log_off, verify, wait_log  # noqa: E402
from lablib.suite import befriend, hold, token  # noqa: E402
from lablib.telephone import Network  # noqa: E402
from lablib.webhook import call_webhook  # noqa: E402

MONTAGUE, CAPULET = "montague.example", "capulet.example"
ROMEO, JULIET = f"romeo@{MONTAGUE}", f"juliet@{CAPULET}"
NUMBER, BUSY = "+447700900123", "+447700900124"
API_PORT, QUARTER_S = 8026, 900
PROVIDER = '''provider "calls" {
    profile = "twilio"
    from = "{our_number}"
    options = { "api=http://{network}.1:%d" }
    secret_files = { "auth_token={folder}/auth_token", "account_sid={folder}/account_sid", "key_sid={folder}/key_sid", "key_secret={folder}/key_secret" }
    allow_http = true
}''' % API_PORT


def start(t):
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]}, providers=PROVIDER,
               extra="gather_seconds = 0")
    network = Network(t.folder / "telephones", f"{t.lab.state['network']}.1:{API_PORT}", t.lab.state["provider_token"])
    t.keep(network)
    return network


def ended(network, count=1):
    """The provider has told how so many calls ended; returns the words."""
    def final(n):
        return n["kind"] == "call-status" and n["CallStatus"] in ("completed", "busy", "no-answer", "failed")
    with network.changed:
        held = network.changed.wait_for(lambda: sum(map(final, network.notes)) >= count, suite.PATIENCE)
        hold(held, f"the call did not end; the provider noted {network.notes}")
        errors = [n for n in network.notes if n["kind"] == "call-error" or n.get("answer", 200) >= 300]
        hold(not errors, f"the provider met {errors}")
        return [n["CallStatus"] for n in network.notes if final(n)]


def heard_in(recording, sound):
    """How well the recording holds the sound: loudness over its whole length, and samples of its loudest second."""
    whole, part = hearing.loudness(recording), hearing.loudness(sound)
    like, at = hearing.find(part, whole)
    _, a = hearing.samples(sound)
    _, b = hearing.samples(recording)
    loudest = max(range(len(part) - 50), key=lambda i: sum(part[i:i + 50]))
    first = a[loudest * 160:loudest * 160 + 8000]
    begin = (at + loudest) * 160
    fine = max(hearing.likeness(first, b[begin + lag:begin + lag + 8000]) for lag in range(-200, 200) if begin + lag >= 0)
    return like, fine


def list_telephone(t, network, juliet, number=NUMBER):
    """The code is read out in a call, understood from the recording, and entered."""
    callee = network.numbers[number]
    answer = juliet.tell(CAPULET, f"add call {number}")
    hold("phone call to" in answer, f"'add call' was answered: {answer}")
    before = sum(n["kind"] == "call-status" and n["CallStatus"] == "completed" for n in network.notes)
    ended(network, before + 1)
    code, like, margin = hearing.hear_code(callee.recording(), CAPULET)
    t.note(f"the code understood from the recording: {code}, likeness of its digits at least {like:.3f}, {margin:.3f} more than of any other")
    verify(juliet, CAPULET, code)
    for note in network.notes:
        hold(code not in str(note), f"the code was given to the provider as text: {note}")


def by_call(t):
    """the code is heard and entered; a message is spoken, heard as it was made; a key there is an answer here"""
    network = start(t)
    phone = network.listed(NUMBER, "juliet")
    juliet, romeo = t.slix(JULIET), t.slix(ROMEO)
    list_telephone(t, network, juliet)
    juliet.tell(CAPULET, "full 1")
    befriend(romeo, juliet)
    log_off(juliet, romeo)

    mark, begun = len(network.notes), time.time()
    network.keys = ["1", "early 2"]
    said = "The nurse waits at the gate, and the carriage leaves at nine. [[x]] https://verona.example/gate"
    romeo.message(JULIET, said)
    network.wait_note(lambda n: n.get("Digits") == "2", "the second key")
    romeo.wait_body("I have heard your message.", JULIET)
    hold(ended(network, 2)[-1] == "completed", "the call did not end well")
    notes = network.notes[mark:]
    turns = [n.get("Digits", "") for n in notes if n["kind"] == "call-turn"]
    hold(turns == ["", "1", "2"], f"the turns were {turns}")
    hold([n["CallStatus"] for n in notes if n["kind"] == "call-status"] == ["initiated", "ringing", "in-progress", "completed"], "other states")
    sounds = [n["url"] for n in notes if n["kind"] == "call-sound"]
    hold(is_same_sound(sounds[0], sounds[1], begun) and "/heard/" in sounds[2], f"the sounds were {sounds}")
    hold(all("nurse" not in str(n) for n in notes), "the text was given to the provider")

    # What was heard is what was made, and what was made says what was written.
    sound = fetch_sound(sounds[0])
    like, fine = heard_in(phone.recording(), sound)
    other, _ = hearing.find(hearing.loudness(hearing.say("Something else altogether was said on that evening, about quite another matter.")),
                            hearing.loudness(phone.recording()))
    t.note(f"the recording against what was made: loudness {like:.4f}, samples {fine:.4f}; against another sentence {other:.2f}")
    hold(like > 0.98 and fine > 0.97, "the recording is not what was made")
    hold(other < 0.7, "it is like anything")
    text = ("Hello. This is capulet dot example. romeo at montague dot example wrote to you: The nurse waits at the gate, and the "
            "carriage leaves at nine. x a web address.")
    mine = hearing.without_silence(hearing.loudness(hearing.say(text)))
    like = hearing.likeness(mine, hearing.without_silence(hearing.loudness(sound)))
    t.note(f"what was made against a speech of the same words: {like:.4f}")
    hold(like > 0.95, "it does not say what was written")
    addresses(t, sounds[0])
    juliet = t.slix(JULIET)
    juliet.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == said, "the message itself")


def is_same_sound(one, other, begun):
    """One address each time, so that a provider may keep what it fetched. It expires at a quarter of an hour: where the clock
    passed one since the call began, it is the next address of the same sound."""
    def parts(url):
        stem, expires, _ = url.rsplit("/", 2)
        return stem, int(expires)
    (stem, expires), (other_stem, later) = parts(one), parts(other)
    passed = begun // QUARTER_S != time.time() // QUARTER_S
    return one == other or (passed and stem == other_stem and later == expires + QUARTER_S)


def addresses(t, url):
    """Of sounds: none but those that were given out, and none in a log."""
    stem, _, last = url.rpartition("/")
    for wrong in (f"{stem}/{'A' + last[1:] if last[0] != 'A' else 'B' + last[1:]}", url.replace("/message/", "/heard/"), url[:-4]):
        try:
            urllib.request.urlopen(wrong, timeout=suite.PATIENCE)
            hold(False, f"{wrong} was answered")
        except urllib.error.HTTPError as e:
            hold(e.code == 404, f"{wrong}: {e.code}")
    for community in (MONTAGUE, CAPULET):
        log = log_of(t, community)
        hold("/audio/" not in log and last[:-4] not in log and "nurse" not in log, f"{community}'s log says too much")


def nobody_hears(t):
    """busy, and a call that ends without a key: neither is an answer; a forged key is none"""
    network = start(t)
    network.listed(NUMBER, "juliet")
    juliet, romeo = t.slix(JULIET), t.slix(ROMEO)
    list_telephone(t, network, juliet)
    befriend(romeo, juliet)
    log_off(juliet, romeo)

    network.keys = ["early hang up"]
    mark = len(network.notes)
    romeo.message(JULIET, f"Are you there? {token()}")
    ended(network, 2)
    wait_log(t, CAPULET, r"delivery \S+: completed", "the end of the call")
    url = next(n["url"] for n in network.notes[mark:] if n["kind"] == "call-sound")
    ref = url.split("/audio/")[1].split("/")[0]
    hold(f"delivery {ref} by phone call: sent" in log_of(t, CAPULET), "it was not counted as sent before")

    network.numbers.pop(NUMBER).close()
    network.refusing(NUMBER, "engaged")
    romeo.message(JULIET, f"And now? {token()}")
    words = ended(network, 3)
    hold(words[-1] == "busy", f"the calls ended: {words}")
    wait_log(t, CAPULET, r"delivery \S+: busy", "the busy line")

    # Somebody who knows the address, but not the account's token.
    form = {"CallSid": "CA0", "Digits": "2"}
    hook = call_url(network)
    hold(call_webhook(hook, form, "a guess")[0] == 403, "a forged key was taken")
    hold(call_webhook(hook[:-1] + ("A" if hook[-1] != "A" else "B"), form, t.lab.state["provider_token"])[0] == 403, "a forged address was taken")
    status, body = call_webhook(hook, form, t.lab.state["provider_token"])
    hold(status == 200 and "/over/" in body, f"a key that comes too late was answered {status} {body}")
    romeo.settle()
    hold(not any("heard" in (s.findtext(C + "body") or "") for s in romeo.seen), "romeo was told that it was heard")


def call_url(network):
    return network.calls[-1].form["Url"]


def cost(t):
    """how much CPU the speech of 200 characters takes"""
    text = ("Wherefore art thou not on line? The carriage leaves the square at nine, and the nurse will be waiting beside the door "
            "with the letters. Bring the lantern, and tell nobody of it but the friar. Good night!")
    hold(190 <= len(text) <= 210, f"{len(text)} characters")
    best = 1e9
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        hearing.say(text)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    t.note(f"espeak-ng alone, {len(text)} characters: {best * 1000:.0f} ms")
    hold(best < 0.1, "more than 100 ms")


if __name__ == "__main__":
    suite.main(__doc__, by_call, nobody_hears, cost)
