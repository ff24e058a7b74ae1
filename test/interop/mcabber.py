#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mcabber, as Debian has it, at a terminal: it logs in unchanged, chats with go-sendxmpp, and comes back after a cut with nothing lost (it
has no XEP-0198, so that it logs in anew). The screens stay in BUILD/captures/mcabber-*.txt."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402
from lablib.terminals import GoSendxmpp, Mcabber  # noqa: E402

HERE, THERE = "montague.example", "capulet.example"
ROMEO, BENVOLIO, JULIET = f"romeo@{HERE}", f"benvolio@{HERE}", f"juliet@{THERE}"


def chat(t):
    """with go-sendxmpp, both ways"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    one, other = Mcabber(t, ROMEO), GoSendxmpp(t, BENVOLIO)
    one.logged_in()
    other.listen()
    said, answer = f"hello {token()}", f"good day {token()}"
    one.say(BENVOLIO, said)
    other.hears(said)
    other.send(ROMEO, answer)
    one.reads(BENVOLIO, answer)


def cut(t):
    """its cable is cut, it is written to meanwhile, and it logs in again (told to: by itself it would after a minute): all is there, in order"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    one, friend = Mcabber(t, ROMEO), t.terminal(BENVOLIO)
    one.logged_in()
    connections = one.cable.count
    one.cable.cut()
    one.is_gone_there()
    meanwhile = [f"meanwhile {n} {token()}" for n in range(5)]
    for text in meanwhile:
        friend.message(ROMEO, token(), text)
    friend.wait_acked()
    one.screen.wait("Disconnected", "that mcabber notices")
    one.cable.mend()
    one.screen.type("/connect")
    wait_for(lambda: one.cable.count > connections, "mcabber's return")
    one.reads(BENVOLIO, meanwhile[-1])
    shown = one.screen.wait(".*".join(map(re.escape, meanwhile)), "what was written meanwhile, in order")
    hold(all(shown.count(text) == 1 for text in meanwhile), f"something is shown twice:\n{shown}")
    answer = f"here again {token()}"
    one.say(BENVOLIO, answer)
    friend.wait(lambda: any(answer in "".join(m.itertext()) for m in friend.live()), answer)


def request(t):
    """a stranger's request is shown, and answered by writing to the community"""
    t.make_lab([HERE, THERE], {HERE: ["romeo"], THERE: ["juliet"]})
    one, stranger = Mcabber(t, ROMEO), t.strophe(JULIET)
    one.logged_in()
    asked, answer = f"May I write to you? {token()}", f"You may {token()}"
    stranger.message(ROMEO, asked)
    one.screen.wait(one.mark(HERE), "that the community has written")
    one.turn_to(HERE)
    one.screen.wait(f"{JULIET} would like to write.*{re.escape(asked)}.*accept 1", "the request")
    one.say(HERE, "accept 1")
    one.reads(JULIET, asked)
    one.say(JULIET, answer)
    stranger.wait_body(answer, ROMEO)


if __name__ == "__main__":
    suite.main(__doc__, chat, cut, request)
