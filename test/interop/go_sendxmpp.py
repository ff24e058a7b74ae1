#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""go-sendxmpp, as Debian has it, unchanged: it sends, listens, and is cut. It shows who wrote and what, one line each; it has no roster and
no XEP-0198. When its connection is cut it says so without end, and does not come back: the test ends it and starts another. It takes
no address without a localpart, so that a person cannot answer a request by writing to the community, only to the stranger."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.suite import hold, token, wait_for  # noqa: E402
from lablib.terminals import GoSendxmpp, Poezio  # noqa: E402

HERE, THERE = "montague.example", "capulet.example"
ROMEO, BENVOLIO, JULIET = f"romeo@{HERE}", f"benvolio@{HERE}", f"juliet@{THERE}"


def chat(t):
    """with poezio, and one go-sendxmpp with another"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio", "mercutio"]})
    one, other, third = GoSendxmpp(t, ROMEO), Poezio(t, BENVOLIO), GoSendxmpp(t, f"mercutio@{HERE}")
    other.logged_in()
    one.listen()
    said, answer, more = (f"{word} {token()}" for word in ("hello", "good day", "well met"))
    third.send(BENVOLIO, said)
    other.reads(f"mercutio@{HERE}", said)
    other.say(ROMEO, answer)
    hold(BENVOLIO in one.hears(answer), "who wrote is not told")
    third.send(ROMEO, more)
    one.hears(more)


def direct_tls(t):
    """by direct TLS, and to somebody who is not there: it waits, and is printed once"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    one, other = GoSendxmpp(t, ROMEO), GoSendxmpp(t, BENVOLIO)
    one.command[one.command.index("-j") + 1] = t.lab.community(HERE)["c2s_tls"]
    one.command.append("-t")
    said = [f"{n} {token()}" for n in range(3)]
    for text in said:
        one.send(BENVOLIO, text)
    other.listen()
    for text in said:
        other.hears(text)
    order = [next(i for i, line in enumerate(other.lines) if text in line) for text in said]
    hold(order == sorted(order), f"out of order: {other.lines}")


def cut(t):
    """it listens, its cable is cut and it is written to; what it had not is printed by the next"""
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    one, friend = GoSendxmpp(t, ROMEO), t.terminal(BENVOLIO)
    one.listen()
    first = f"first {token()}"
    friend.message(ROMEO, token(), first)
    one.hears(first)
    one.notices(one.cable.cut)
    one.is_gone_there()
    one.stop()
    later = [f"later {n} {token()}" for n in range(3)]
    for text in later:
        friend.message(ROMEO, token(), text)
    friend.wait_acked()
    one.cable.mend()
    one.listen()
    for text in later:
        one.hears(text)


def request(t):
    """a stranger's request is printed; who writes to the stranger has accepted, and what was held is printed"""
    t.make_lab([HERE, THERE], {HERE: ["romeo"], THERE: ["juliet"]})
    one, answering, stranger = GoSendxmpp(t, ROMEO), GoSendxmpp(t, ROMEO), t.strophe(JULIET)
    one.listen()
    asked = f"May I write to you? {token()}"
    stranger.message(ROMEO, asked)
    wait_for(lambda: any("accept 1" in line for line in one.lines), "the request")
    answer = f"You may {token()}"
    answering.send(JULIET, answer)
    stranger.wait_body(answer, ROMEO)
    wait_for(lambda: any(JULIET in line and asked in line for line in one.lines), "what the stranger wrote")


if __name__ == "__main__":
    suite.main(__doc__, chat, direct_tls, cut, request)
