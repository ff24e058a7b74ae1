#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""poezio, as Debian has it, at a terminal: it logs in unchanged, chats with mcabber, and its stream goes on after a cut (XEP-0198, by
slixmpp). A tab that it opens it fills from the archive, beside what came, so that its screen may show a message again: that each came
once is seen in its log. A stranger's request is in a tab of the community, and answered there. The screens stay in
BUILD/captures/poezio-*.txt."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.suite import hold, token  # noqa: E402
from lablib.terminals import Mcabber, Poezio  # noqa: E402

HERE, THERE = "montague.example", "capulet.example"
ROMEO, BENVOLIO, JULIET = f"romeo@{HERE}", f"benvolio@{HERE}", f"juliet@{THERE}"


def chat(t):
    """with mcabber, both ways"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    one, other = Poezio(t, ROMEO), Mcabber(t, BENVOLIO)
    one.logged_in()
    other.logged_in()
    for _ in range(2):
        said, answer = f"hello {token()}", f"good day {token()}"
        one.say(BENVOLIO, said)
        other.reads(ROMEO, said)
        other.say(ROMEO, answer)
        one.reads(BENVOLIO, answer)


def resumed(t):
    """its cable is cut, it is written to meanwhile, and its stream goes on: all is there once, and what it says arrives"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    one, friend = Poezio(t, ROMEO), t.terminal(BENVOLIO)
    one.logged_in()

    def says(text):
        one.say(BENVOLIO, text)
        friend.wait(lambda: any(text in "".join(m.itertext()) for m in friend.live()), text)
    before = f"before {token()}"
    friend.message(ROMEO, token(), before)
    one.reads(BENVOLIO, before)
    says(f"ready {token()}")  # cut while it still asks for things, it waits for answers to what it never sent
    one.cable.cut()
    meanwhile = [f"meanwhile {n} {token()}" for n in range(3)]
    for text in meanwhile:
        friend.message(ROMEO, token(), text)
    friend.wait_acked()
    one.cable.mend()
    one.screen.wait("Resumed session as", "that the stream goes on")
    one.reads(BENVOLIO, meanwhile[-1])
    came = [line for line in (one.home / "debug.log").read_text().split("\n") if f'RECV: <message from="{BENVOLIO}/' in line]
    for text in meanwhile:
        hold(sum(text in line for line in came) == 1, f"{text!r} did not come once: {came}")
    says(f"here again {token()}")


def request(t):
    """a stranger's request is shown, and answered by writing to the community"""
    t.make_lab([HERE, THERE], {HERE: ["romeo"], THERE: ["juliet"]})
    one, stranger = Poezio(t, ROMEO), t.strophe(JULIET)
    one.logged_in()
    asked, answer = f"May I write to you? {token()}", f"You may {token()}"
    stranger.message(ROMEO, asked)
    one.screen.wait(one.mark(HERE), "a tab of the community")
    one.turn_to(HERE)
    one.screen.wait(f"{JULIET} would like to write.*{re.escape(asked)}.*accept 1", "the request")
    one.enter("accept 1")
    one.reads(JULIET, asked)
    one.say(JULIET, answer)
    stranger.wait_body(answer, ROMEO)


if __name__ == "__main__":
    suite.main(__doc__, chat, resumed, request)
