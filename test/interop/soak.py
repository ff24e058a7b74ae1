#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that chat in pairs, for SOAK_MINUTES (10), over changing transports, while their connections are cut, resumed elsewhere or
given up, and their gateways are stopped and killed at random. Every message is counted (lablib/soaking.py): it comes once and in order
wherever the stream was resumed, at least once and in order otherwise, and the archives have it. SOAK_SEED plays the same dice again; when
what happens falls is the machine's."""
import collections
import os
import random
import secrets
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.process import PATIENCE, Failed  # noqa: E402
from lablib.soaking import TRANSPORTS, Talker, World  # noqa: E402
from lablib.suite import befriend, hold  # noqa: E402

MONTAGUE, CAPULET = "montague.example", "capulet.example"
PEOPLE = {MONTAGUE: ["romeo", "benvolio", "mercutio", "balthasar", "abram", "friar", "lady"], CAPULET: ["juliet"]}
PAIRS = [("romeo", "juliet"), ("benvolio", "mercutio"), ("balthasar", "abram"), ("friar", "lady")]
STAYS = {"benvolio", "mercutio", "friar"}  # log in with the same resource each time
RESUME_SECONDS = 10
SHOW = 30  # seconds


class Fate(threading.Thread):
    """Stops and kills gateways, and starts them again."""

    def __init__(self, t, world, domains, every):
        super().__init__(daemon=True)
        self.t, self.world, self.domains, self.every = t, world, domains, every
        self.random = random.Random(f"{world.seed}:fate")

    def run(self):
        try:
            while not self.world.ending.wait(self.random.uniform(*self.every)):
                domain = self.random.choice(self.domains)
                self.strike(domain, self.random.choice(("stop", "kill")))
        except BaseException as e:
            self.world.fail(f"a gateway: {e}")

    def strike(self, domain, how):
        world = self.world
        world.note("server", f"{domain}: {how}")
        world.up[domain].clear()
        world.lives[domain] += 1
        getattr(self.t.lab, how)(domain)
        world.note("server", f"{domain} has ended")
        if how == "stop" and self.t.lab.state["processes"][domain].get("status") != 0:
            world.fail(f"{domain} ended with status {self.t.lab.state['processes'][domain].get('status')}")
        world.over.wait(self.random.choice((0, 0, 1, 3)))
        self.t.lab.start(domain)
        world.note("server", f"{domain} runs again")
        world.counts[how] += 1
        world.up[domain].set()


def shown(world):
    minutes, seconds = divmod(int(time.monotonic() - world.began), 60)
    c = world.counts
    cuts = ", ".join(f"{c[k]} {k}" for k in ("rst", "fin", "half dead", "broken", "closed") if c[k])
    by = ", ".join(f"{c[k]} by {k}" for k in TRANSPORTS)
    return (f"{minutes:02}:{seconds:02} {c['said']} said, {c['came']} came, {c['again']} again; connected: {by}; cut: {cuts}; {c['resumed']} resumed, "
            f"{c['refused']} not, {c['anew']} anew; {c['stop']} stops, {c['kill']} kills")


def archived(t, jid):
    one = t.terminal(jid, presence=False)
    found = [i for i in one.archive() if i and i.count("-") == 2]
    one.close()
    return found


def check_archive(jid, found, d):
    """All of a direction, in order; twice only what was said again in doubt."""
    count = collections.Counter(i for i in found if i.startswith(f"{d.sender.name}-{d.receiver.name}-"))
    for number in range(1, d.said + 1):
        n = count[d.ident(number)]
        hold(1 <= n <= 1 + d.again[number],
             f"{jid}'s archive has {d.ident(number)} {n} times; it was said again in doubt {d.again[number]} times")
    first = list(dict.fromkeys(i for i in found if i in count))
    hold(first == [d.ident(n) for n in range(1, d.said + 1)], f"{jid}'s archive has {d.sender.name}'s out of order")


def play(t, seconds, seed, every):
    t.make_lab([MONTAGUE, CAPULET], PEOPLE, options=f"resume_seconds = {RESUME_SECONDS}")
    with_strophe = [t.strophe(f"romeo@{MONTAGUE}"), t.strophe(f"juliet@{CAPULET}")]
    befriend(*with_strophe)
    for one in with_strophe:
        one.close()
    world = World(seed, PATIENCE, RESUME_SECONDS)
    for domain, names in PEOPLE.items():
        world.up[domain] = threading.Event()
        world.up[domain].set()
        for name in names:
            Talker(world, t.lab.community(domain), t.lab.account(name, domain), t.lab.state["ca"], seed, fixed_resource=name in STAYS)
    for one, other in PAIRS:
        world.pair(world.talkers[one], world.talkers[other])
    fate = Fate(t, world, list(PEOPLE), every)
    in_pairs = [w for w in world.talkers.values() if w.towards]
    for thread in (*in_pairs, fate):
        thread.start()
    try:
        end = time.monotonic() + seconds
        while not world.over.wait(min(SHOW, max(0.1, end - time.monotonic()))) and time.monotonic() < end:
            print(f"# {shown(world)}", flush=True)
        world.ending.set()
        fate.join()
        for one in in_pairs:
            world.wait(one.settled.is_set, lambda: f"{one.jid} is not connected and acknowledged")
        for d in world.directions.values():
            world.wait(lambda: d.came == d.said, lambda: f"{d.ident(d.came + 1)} has not come")
        world.wait(lambda: True, str)
    finally:
        world.over.set()
        with world.changed:
            world.changed.notify_all()
        for one in in_pairs:
            one.join(60)
    t.note(shown(world))
    for d in world.directions.values():
        for who in (d.sender, d.receiver):
            check_archive(who.jid, archived(t, who.jid), d)
    if world.failure:
        raise Failed(world.failure)


def soak(t):
    """clients in pairs, cut, resumed and given up; gateways stopped and killed: every message once and in order"""
    seed = os.environ.get("SOAK_SEED") or secrets.token_hex(4)
    print(f"# seed {seed}", flush=True)
    play(t, float(os.environ.get("SOAK_MINUTES", "10")) * 60, seed, (8, 30))


if __name__ == "__main__":
    suite.main(__doc__, soak)
