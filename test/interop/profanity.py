#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""profanity, as Debian has it, at a terminal: what a person sees of a stranger's request, and how they answer with
what they have. The screens stay in BUILD/captures/profanity-*.txt."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.cable import Cable  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.lab import ROOT  # noqa: E402
from lablib.peers import need  # noqa: E402
from lablib.screen import Screen  # noqa: E402
from lablib.suite import PATIENCE, hold, token, wait_for  # noqa: E402

CAPULET, MONTAGUE = "capulet.example", "montague.example"
JULIET, MERCUTIO = f"juliet@{CAPULET}", f"mercutio@{MONTAGUE}"
CONTACT = "{urn:causeway:contact:1}contact"


def keep(t, screen):
    """Whatever becomes of the case, what was on the screen is kept."""
    folder = ROOT / "build" / t.preset / "captures"

    def close():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"profanity-{t.name}.txt").write_text(screen.evidence())
        screen.close()
    t.closing.append(close)


def profanity(t, jid, cable=None):
    """Logged in, at the console, with the bell on."""
    address, password = t.where(jid)
    host, port = (cable.address if cable else address).split(":")
    home = t.folder / "profanity"
    screen = Screen(home, [need("profanity", "profanity")], PATIENCE,
                    env={"XDG_CONFIG_HOME": str(home / "config"), "XDG_DATA_HOME": str(home / "data"), "HOME": str(home)})
    keep(t, screen)
    screen.wait(r"offline\]", "profanity's console")
    screen.type("/beep on")
    screen.type("/reconnect 1")
    screen.type(f"/connect {jid} server {host} port {port} tls trust")
    screen.wait("Enter password", "the question for the password")
    screen.type(password)
    screen.wait("logged in successfully", "the log-in")
    return screen


def two_communities(t):
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["mercutio"], CAPULET: ["juliet"]})
    return profanity(t, JULIET), t.strophe(MERCUTIO)


def accepted(t):
    """a stranger's request is shown and rings; "accept 1" brings the message; they talk"""
    screen, stranger = two_communities(t)
    asked, answer = f"May I write to you? {token()}", f"You may. {token()}"
    stranger.message(JULIET, asked)
    stranger.wait(lambda s: s.find(CONTACT) is not None, "the notice to the stranger")
    screen.wait(f"chat message: {CAPULET} \\(win 2\\)", "the console tells of a message from the community")
    suite.ask_until(screen.rings, "the bell")
    screen.type("/win 2")
    screen.wait(f"{MERCUTIO} would like to write.*{re.escape(asked)}.*accept 1", "the request, with what was written and how to answer")
    screen.type("accept 1")
    screen.wait(f"{MERCUTIO} \\(win 3\\)|\\[3\\]|{MERCUTIO} \\(3\\)", "the message of who was accepted, in a window of its own")
    screen.type("/win 3")
    screen.wait(re.escape(asked), "what the stranger wrote")
    screen.type(answer)
    stranger.wait_body(answer, JULIET)
    again = f"Thank you. {token()}"
    stranger.message(JULIET, again)
    screen.wait(re.escape(again), "the conversation")


def just_written_to(t):
    """who writes to the stranger has accepted too"""
    screen, stranger = two_communities(t)
    stranger.message(JULIET, f"Hello {token()}")
    screen.wait(f"chat message: {CAPULET} \\(win 2\\)", "the console tells of a message from the community")
    words = f"Who are you? {token()}"
    screen.type(f"/msg {MERCUTIO} {words}")
    stranger.wait_body(words, JULIET)
    screen.wait("Hello", "what was held")


def declined(t):
    """"decline 1 openly": the stranger is told, juliet's screen says that it was done"""
    screen, stranger = two_communities(t)
    stranger.message(JULIET, f"Hello {token()}", ident="d1")
    screen.wait(f"chat message: {CAPULET} \\(win 2\\)", "the console tells of a message from the community")
    screen.type("/win 2")
    screen.wait("decline 1", "the request")
    screen.type("decline 1 openly")
    stranger.wait(lambda s: s.tag == C + "message" and s.get("type") == "error", "the refusal")
    screen.wait("eclined", "that it was declined")


def devices(t):
    """a person's devices by writing to the community"""
    screen, _ = two_communities(t)
    screen.type(f"/msg {CAPULET} help")
    screen.wait("add phone", "what the community understands")
    screen.type("devices")
    screen.wait("You have listed no devices", "the devices")


def cut(t):
    """its cable is cut, it is written to meanwhile, and it comes back: all is there once, in order, and what it says arrives"""
    t.make_lab([CAPULET], {CAPULET: ["juliet", "nurse"]})
    cable = t.keep(Cable(t.where(JULIET)[0]))
    screen, friend = profanity(t, JULIET, cable), t.terminal(f"nurse@{CAPULET}")
    before = f"before {token()}"
    friend.message(JULIET, token(), before)
    screen.wait("\\(win 2\\)", "the console tells of a message")
    screen.type("/win 2")
    screen.wait(before, "what the friend wrote")
    said, connections = f"ready {token()}", cable.count
    screen.type(said)
    friend.wait(lambda: any(said in "".join(m.itertext()) for m in friend.live()), said)
    cable.cut()
    meanwhile = [f"meanwhile {n} {token()}" for n in range(3)]
    for text in meanwhile:
        friend.message(JULIET, token(), text)
    friend.wait_acked()
    cable.mend()
    wait_for(lambda: cable.count > connections, "profanity's return")
    screen.wait(".*".join(meanwhile), "what was written meanwhile, in order")
    after = f"here again {token()}"
    screen.type(after)
    friend.wait(lambda: any(after in "".join(m.itertext()) for m in friend.live()), after)
    shown = screen.look()
    hold(all(shown.count(text) == 1 for text in meanwhile), f"something is shown twice:\n{shown}")


if __name__ == "__main__":
    suite.main(__doc__, accepted, just_written_to, declined, devices, cut)
