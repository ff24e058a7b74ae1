#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SIGKILL of a gateway at several points of a chat, of a federated exchange with the peer down, and of a
delivery to a device: what was acknowledged is there, once, in order."""
import collections
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.devices import deliveries, list_device, log_off  # noqa: E402
from lablib.raw import C, condition  # noqa: E402
from lablib.suite import befriend, hold, token, wait_for  # noqa: E402

MONTAGUE, CAPULET = "montague.example", "capulet.example"
ROMEO, BENVOLIO, JULIET = f"romeo@{MONTAGUE}", f"benvolio@{MONTAGUE}", f"juliet@{CAPULET}"
NUMBER = "+447700900123"


def stanza_id(message):
    found = message.find("{urn:xmpp:sid:0}stanza-id")
    return found.get("id") if found is not None else None


def check_deliveries(who, copies, acknowledged, settled=()):
    """`copies`: everything that reached a client, in order, over all its streams. Each acknowledged message came; a
    second copy bears the stanza-id of the first and says that it is late; what both had settled came once."""
    seen = collections.OrderedDict()
    for message in copies:
        seen.setdefault(message.get("id"), []).append(message)
    missing = [i for i in acknowledged if i not in seen]
    hold(not missing, f"{who} never got {len(missing)} acknowledged messages: {missing[:5]}")
    for ident, some in seen.items():
        ids = {stanza_id(m) for m in some}
        hold(len(ids) == 1, f"{who} got {ident} under several stanza-ids: {ids}")
        hold(all(m.find("{urn:xmpp:delay}delay") is not None for m in some[1:]), f"{who} got {ident} again with no delay stamp")
        hold(len(some) == 1 or ident not in settled, f"{who} got {ident} again though it had acknowledged it")
    order = [i for i in seen if i in set(acknowledged)]
    hold(order == list(acknowledged), f"{who} got them out of order: {order[:10]}... instead of {list(acknowledged)[:10]}...")


def check_archive(who, archive, acknowledged):
    count = collections.Counter(archive)
    twice = [i for i, n in count.items() if n > 1]
    missing = [i for i in acknowledged if not count[i]]
    hold(not twice and not missing, f"{who}'s archive has twice {twice[:5]}, lacks {missing[:5]}")
    order = [i for i in archive if i in set(acknowledged)]
    hold(order == list(acknowledged), f"{who}'s archive is out of order")


def chat(t, kill_after):
    """Two clients write to each other without pause; SIGKILL when romeo has `kill_after` acknowledgements."""
    t.make_lab([MONTAGUE], {MONTAGUE: ["romeo", "benvolio"]})
    people = {ROMEO: BENVOLIO, BENVOLIO: ROMEO}
    clients = {jid: t.terminal(jid) for jid in people}
    settled = {}
    for jid, other in people.items():
        clients[jid].iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    for jid, other in people.items():  # a quiet beginning: both sides have settled these
        settled[jid] = [f"{jid[:3]}-settled-{n}" for n in range(3)]
        for ident in settled[jid]:
            clients[jid].message(other, ident)
        clients[jid].wait_acked()
        clients[other].wait_id(settled[jid][-1])
        clients[other].acknowledge()
    for jid in people:  # twice: the answer to the second follows the commit of the first's acknowledgement
        clients[jid].message(jid, f"{jid[:3]}-own")
        clients[jid].wait_acked()
        clients[jid].iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    base = clients[ROMEO].acked
    number = 0
    try:
        while clients[ROMEO].acked - base < kill_after:
            for jid, other in people.items():
                clients[jid].wait_room()
                clients[jid].message(other, f"{jid[:3]}-{number}", ask=number % 3 == 0)
            number += 1
    finally:
        t.lab.kill(MONTAGUE)
    acknowledged = {}
    for jid in people:
        clients[jid].wait_end()
        acknowledged[jid] = [i for i in clients[jid].acknowledged() if "-own" not in i]
    t.note(f"{number} sent each; acknowledged: {', '.join(str(len(a)) for a in acknowledged.values())}")
    t.lab.start(MONTAGUE)
    after = {jid: t.terminal(jid) for jid in people}  # anew: what was in doubt may come again
    for jid, other in people.items():
        after[jid].message(other, f"{jid[:3]}-last")
        after[jid].wait_acked()
    for jid, other in people.items():
        after[other].wait_id(f"{jid[:3]}-last")
    for jid, other in people.items():
        copies = [m for c in (clients[other], after[other]) for m in c.live() if (m.get("from") or "").startswith(jid)]
        copies = [m for m in copies if m.get("id") != f"{jid[:3]}-own"]
        expected = acknowledged[jid] + [f"{jid[:3]}-last"]
        check_deliveries(other, copies, expected, settled[jid])
        check_archive(other, [i for i in after[other].archive() if i and i.startswith(jid[:3]) and "-own" not in i], expected)


def chat_1(t):
    """a chat, killed at the first acknowledgement"""
    chat(t, 1)


def chat_40(t):
    """a chat, killed after 40 acknowledgements"""
    chat(t, 40)


def chat_400(t):
    """a chat, killed after 400 acknowledgements"""
    chat(t, 400)


def resumed(t, kill_after, between=None):
    """As chat, but the clients resume their streams after the restart, and say again what `<resumed h/>` does not cover:
    every message comes once, in order, whatever was on its way; and again after a second kill."""
    t.make_lab([MONTAGUE], {MONTAGUE: ["romeo", "benvolio"]})
    people = {ROMEO: BENVOLIO, BENVOLIO: ROMEO}
    clients = {jid: t.terminal(jid) for jid in people}
    for jid in people:
        clients[jid].iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    streams, number = [clients], 0
    for _ in range(2):
        base = clients[ROMEO].acked
        try:
            while clients[ROMEO].acked - base < kill_after:
                for jid, other in people.items():
                    clients[jid].wait_room()
                    clients[jid].message(other, f"{jid[:3]}-{number}", ask=number % 3 == 0)
                    if between:
                        clients[jid].send(between.format(other=other, number=number))
                number += 1
        finally:
            t.lab.kill(MONTAGUE)
        for jid in people:
            clients[jid].wait_end()
        t.lab.start(MONTAGUE)
        clients = {jid: t.terminal(jid, previous=clients[jid]) for jid in people}
        for jid in people:
            hold(clients[jid].resumed, f"{jid} was not resumed: {condition(clients[jid].resume_answer)}")
        streams.append(clients)
    for jid, other in people.items():
        clients[jid].message(other, f"{jid[:3]}-last")
        clients[jid].wait_acked()
        clients[other].wait_id(f"{jid[:3]}-last")
    for jid, other in people.items():
        expected = [f"{jid[:3]}-{n}" for n in (*range(number), "last")]
        got = [m.get("id") for c in streams for m in c[other].live()]
        twice = [i for i, n in collections.Counter(got).items() if n > 1]
        hold(not twice, f"{other} got twice: {twice[:5]}")
        hold(got == expected, f"{other} lacks {[i for i in expected if i not in got][:5]}, or they are out of order")
        check_archive(other, [i for i in clients[other].archive() if i and i.startswith(jid[:3])], expected)
    t.note(f"{number} sent each, over two kills; each once and in order")


def resumed_1(t):
    """a stream that is resumed after a kill at the first acknowledgement"""
    resumed(t, 1)


def resumed_300(t):
    """the same after 300 acknowledgements"""
    resumed(t, 300)


def resumed_mixed(t):
    """the same with what is not kept in between: typing, which is counted and may be lost"""
    resumed(t, 100, "<message to='{other}' type='chat' id='t-{number}'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")


def chat_offline(t):
    """messages to somebody who is not there, killed twice on the way; a third end is gentle"""
    t.make_lab([MONTAGUE], {MONTAGUE: ["romeo", "benvolio"]})
    acknowledged, number = [], 0
    for end in (t.lab.kill, t.lab.kill, t.lab.stop):
        romeo = t.terminal(ROMEO)
        goal = number + 60
        while number < goal:
            romeo.message(BENVOLIO, f"m-{number}")
            number += 1
        romeo.wait(lambda: romeo.acked >= 20, "some acknowledgements")
        end(MONTAGUE)
        romeo.wait_end()
        acknowledged += romeo.acknowledged()
        t.lab.start(MONTAGUE)
    benvolio = t.terminal(BENVOLIO)
    romeo = t.terminal(ROMEO)
    romeo.message(BENVOLIO, "m-last")
    benvolio.wait_id("m-last")
    check_deliveries(BENVOLIO, benvolio.live(), acknowledged + ["m-last"])
    hold(max(collections.Counter(m.get("id") for m in benvolio.live()).values()) == 1, "something came twice on one stream")
    check_archive(BENVOLIO, benvolio.archive(), acknowledged + ["m-last"])


def become_friends(t):
    romeo, juliet = t.strophe(ROMEO), t.strophe(JULIET)
    befriend(romeo, juliet)
    log_off(juliet, romeo)
    romeo.close()


def federated(t, kill_after, peer_end):
    """The peer is away; romeo writes; SIGKILL of his gateway; both come back."""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]})
    become_friends(t)
    getattr(t.lab, peer_end)(CAPULET)
    romeo = t.terminal(ROMEO)
    number = 0
    base = len(romeo.sent)
    while romeo.acked - base < kill_after:
        romeo.wait_room()
        romeo.message(JULIET, f"m-{number}")
        number += 1
    t.lab.kill(MONTAGUE)
    romeo.wait_end()
    acknowledged = romeo.acknowledged()
    refused = {m.get("id") for m in romeo.got if m.get("type") == "error"}
    hold(not refused, f"refused at once: {sorted(refused)[:5]}")
    t.note(f"{number} sent, {len(acknowledged)} acknowledged")
    t.lab.start(MONTAGUE)
    t.lab.start(CAPULET)
    juliet = t.terminal(JULIET)
    romeo = t.terminal(ROMEO)
    romeo.message(JULIET, "m-last")
    juliet.wait_id("m-last")
    got = [m for m in juliet.live() if (m.get("from") or "").startswith(ROMEO)]
    check_deliveries(JULIET, got, acknowledged + ["m-last"])
    hold(max(collections.Counter(m.get("id") for m in got).values()) == 1, "something came twice on one stream")
    check_archive(JULIET, juliet.archive(), acknowledged + ["m-last"])


def federated_5(t):
    """the peer stopped gently, killed after 5 acknowledgements"""
    federated(t, 5, "stop")


def federated_150(t):
    """the peer killed too, after 150 acknowledgements"""
    federated(t, 150, "kill")


def pour(t, *kills):
    """romeo writes without pause; `kills` says whose gateway is killed whenever juliet has so many more messages. What was
    acknowledged arrives, in order, under one stanza-id and once in her archive, and nothing is refused."""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]})
    become_friends(t)
    romeo, juliet = t.terminal(ROMEO), t.terminal(JULIET)
    copies, refused, acknowledged, number = [], [], [], 0
    for domain, more in kills:
        goal = len(juliet.live()) + more
        for _ in range(200):
            romeo.message(JULIET, f"m-{number}")
            number += 1
        juliet.wait(lambda: len(juliet.live()) >= goal, f"{goal} messages")
        t.lab.kill(domain)
        (juliet if domain == CAPULET else romeo).wait_end()
        t.lab.start(domain)
        if domain == CAPULET:
            copies += juliet.live()
            juliet = t.terminal(JULIET)
        else:
            acknowledged += romeo.acknowledged()
            refused += [m.get("id") for m in romeo.got if m.get("type") == "error"]
            romeo = t.terminal(ROMEO)
    romeo.message(JULIET, "m-last")
    romeo.wait_acked()
    juliet.wait_id("m-last")
    copies += juliet.live()
    romeo.settle(CAPULET)
    acknowledged += romeo.acknowledged()
    refused += [m.get("id") for m in romeo.got if m.get("type") == "error"]
    t.note(f"{number + 1} sent, {len(acknowledged)} acknowledged")
    hold(not refused, f"refused: {sorted(refused)[:5]}")
    check_deliveries(JULIET, [m for m in copies if m.get("from").startswith(ROMEO)], acknowledged)
    check_archive(JULIET, [i for i in juliet.archive() if i], acknowledged)


def federated_receiver(t):
    """the receiving gateway is killed while the other one pours: all is there, once, in order"""
    pour(t, (CAPULET, 3))
    t.again()
    pour(t, (CAPULET, 60))


def federated_receiver_thrice(t):
    """the receiving gateway is killed three times while the other one pours"""
    pour(t, (CAPULET, 3), (CAPULET, 60), (CAPULET, 20))


def federated_sender(t):
    """the sending gateway is killed while it pours"""
    pour(t, (MONTAGUE, 60))


def federated_both(t):
    """both gateways are killed in turn while one pours"""
    pour(t, (CAPULET, 20), (MONTAGUE, 60), (CAPULET, 60), (MONTAGUE, 3))


def federated_refused(t):
    """messages that the receiving gateway refuses, killed on the way: each is refused once"""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]})
    romeo = t.terminal(ROMEO)
    sent = [f"m-{n}" for n in range(200)]

    def errors():
        return [m.get("id") for m in romeo.got if m.get("type") == "error"]
    for ident in sent:
        romeo.message(CAPULET, ident)
    romeo.wait(lambda: len(errors()) >= 3, "three errors")
    t.lab.kill(CAPULET)
    before = len(errors())
    t.lab.start(CAPULET)
    romeo.wait(lambda: set(errors()) == set(sent), "all errors")
    romeo.settle(CAPULET)
    t.note(f"{before} of {len(sent)} errors came before the kill")
    hold(errors() == sent, f"{len(errors())} errors for {len(sent)} messages, or out of order")


def federated_held(t):
    """a stranger's messages, the receiving gateway killed when the request shows: held once, delivered once"""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]})
    romeo, juliet = t.terminal(ROMEO), t.terminal(JULIET)
    for n in range(15):
        romeo.message(JULIET, f"m-{n}")

    def asked(who):
        return [m for m in who.got if m.find("{urn:causeway:contact:1}contact") is not None]
    juliet.wait(lambda: asked(juliet), "the request")
    t.lab.kill(CAPULET)
    juliet.wait_end()
    hold(not juliet.live(), "a stranger's message arrived unasked")
    t.lab.start(CAPULET)
    juliet = t.terminal(JULIET)
    romeo.wait_acked()
    romeo.settle(CAPULET)
    juliet.message(CAPULET, "yes", "accept 1")
    juliet.wait_id("m-14")
    romeo.message(JULIET, "m-last")
    juliet.wait_id("m-last")
    romeo.wait_acked()
    acknowledged = romeo.acknowledged()
    got = [m for m in juliet.live() if m.get("from").startswith(ROMEO)]
    hold([m.get("id") for m in got] == acknowledged, f"{[m.get('id') for m in got]} instead of {acknowledged}")
    check_archive(JULIET, [i for i in juliet.archive() if i and i.startswith("m-")], acknowledged)


# ---- presence

def shown(one, whom, kind):
    return [s for s in one.others if s.tag == C + "presence" and s.get("from") == whom and s.get("type") == kind]


def presence(t):
    """who sees a resource, by subscription or directed presence, here or elsewhere, sees it stay when its client resumes, else go"""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["romeo", "benvolio", "mercutio"], CAPULET: ["juliet", "tybalt"]}, options="resume_seconds = 10")
    mercutio, tybalt = f"mercutio@{MONTAGUE}", f"tybalt@{CAPULET}"
    for other in (JULIET, BENVOLIO):
        two = [t.strophe(ROMEO), t.strophe(other)]
        befriend(*two)
        log_off(two[1], two[0])
        two[0].close()
    here, elsewhere = (BENVOLIO, mercutio), (JULIET, tybalt)
    watchers = {jid: t.terminal(jid) for jid in (*here, *elsewhere)}
    romeo = t.terminal(ROMEO)
    for jid in (mercutio, tybalt):
        romeo.send(f"<presence to='{watchers[jid].jid}'><show>chat</show></presence>")
    for one in watchers.values():
        one.wait(lambda: shown(one, romeo.jid, None), "romeo's presence")
    for one in (romeo, *watchers.values()):  # until the rows of the streams have it
        one.raw.send("<r xmlns='urn:xmpp:sm:3'/>")
        one.wait_acked()

    def kill():
        t.lab.kill(MONTAGUE)
        for one in (romeo, *(watchers[jid] for jid in here)):
            one.wait_end()
        t.lab.start(MONTAGUE)
        for jid in here:
            watchers[jid] = t.terminal(jid, previous=watchers[jid])
            hold(watchers[jid].resumed, f"{jid} was not resumed")

    kill()
    again = t.terminal(ROMEO, previous=romeo)
    hold(again.resumed, "romeo was not resumed")
    romeo = again
    romeo.settle(CAPULET)
    for jid, one in watchers.items():
        one.settle(CAPULET if jid in elsewhere else None)
        hold(not shown(one, romeo.jid, "unavailable"), f"{jid} saw romeo go, though he resumed")
    for jid in (BENVOLIO, JULIET):  # a contact's new client asks
        new = t.terminal(jid)
        new.wait(lambda: shown(new, romeo.jid, None), "romeo's presence, asked for")
        new.close()
    kill()
    for jid, one in watchers.items():
        one.wait(lambda: shown(one, romeo.jid, "unavailable"), "that romeo has gone")
    hold(not t.terminal(ROMEO, previous=romeo).resumed, "romeo was resumed after his time")


# ---- a device

def device_lab(t):
    """juliet has a telephone, is away, and romeo is in her contact list."""
    t.make_lab([CAPULET], {CAPULET: ["juliet", "romeo"]})
    juliet, romeo = t.strophe(JULIET), t.strophe(f"romeo@{CAPULET}")
    list_device(juliet, CAPULET, f"add phone {NUMBER}", lambda: wait_for(t.lab.texts, "the code")[0]["text"])
    befriend(romeo, juliet)
    log_off(juliet, romeo)
    romeo.close()
    return len(t.lab.texts())


def provider(t, name, text):
    """How the double behaves from now on; None takes it back."""
    path = Path(f"{t.lab.state['provider_log']}.{name}")
    if text is None:
        path.unlink(missing_ok=True)
    else:
        part = path.with_suffix(".part")
        part.write_text(text)
        part.replace(path)


def requests(t, kind):
    with open(t.lab.state["provider_log"]) as log:
        return [e for e in map(json.loads, log) if e["kind"] == kind]


def finish_device(t, idents, said, texts_before):
    """Juliet logs in: each message is there once, also in her archive; each text went out at most once."""
    juliet = t.terminal(JULIET)
    romeo = t.terminal(f"romeo@{CAPULET}")
    romeo.message(JULIET, "m-last")
    juliet.wait_id("m-last")
    got = collections.Counter(m.get("id") for m in juliet.live())
    for ident in (*idents, "m-last"):
        hold(got[ident] == 1, f"juliet got {ident} {got[ident]} times")
    check_archive(JULIET, [i for i in juliet.archive() if i in idents or i == "m-last"], [*idents, "m-last"])
    texts = [e["text"] for e in t.lab.texts()[texts_before:]]
    for line in said:
        count = sum(line in text for text in texts)
        hold(count <= 1, f"{line!r} went to the telephone {count} times")
    return texts


def send_acked(t, messages):
    romeo = t.terminal(f"romeo@{CAPULET}")
    for ident, text in messages:
        romeo.message(JULIET, ident, text)
    romeo.wait_acked()
    return romeo


def outbox_slow(t):
    """killed while the provider has the request and has not answered: not sent again"""
    before = device_lab(t)
    provider(t, "hold", "")
    said = f"Are you there? {token()}"
    send_acked(t, [("m-1", said)])
    wait_for(lambda: requests(t, "sms")[before:], "the request at the provider")
    t.lab.kill(CAPULET)
    provider(t, "hold", None)
    t.lab.start(CAPULET)
    texts = finish_device(t, ["m-1"], [said], before)
    hold(len(texts) == 1, f"the provider was asked {len(texts)} times")


def outbox_refused(t):
    """killed while the provider refuses for now: sent once when it takes it"""
    before = device_lab(t)
    provider(t, "fail", '503 {"code": 20500, "message": "later"}')
    said = f"Are you there? {token()}"
    send_acked(t, [("m-1", said)])
    # The provider has said no, and the gateway has written it down: killed between the two, it does not know what the
    # provider did, and must not send again.
    wait_for(lambda: deliveries(t, CAPULET, "ref", "purpose = 'message' and state = 'due' and reason like 'HTTP 503%'"), "the refusal in the outbox")
    t.lab.kill(CAPULET)
    provider(t, "fail", None)
    t.lab.start(CAPULET)
    wait_for(lambda: [e for e in t.lab.texts()[before:] if said in e["text"]], "the text after the restart")
    finish_device(t, ["m-1"], [said], before)


def outbox_early(t):
    """killed the moment the message is acknowledged, before or while anything goes out"""
    before = device_lab(t)
    said = f"Are you there? {token()}"
    send_acked(t, [("m-1", said)])
    t.lab.kill(CAPULET)
    t.lab.start(CAPULET)
    finish_device(t, ["m-1"], [said], before)


def outbox_late(t):
    """killed when the provider has answered, before or while it reports delivery; more messages follow"""
    before = device_lab(t)
    first, second = f"One {token()}", f"Two {token()}"
    send_acked(t, [("m-1", first)])
    wait_for(lambda: t.lab.texts()[before:], "the text")
    t.lab.kill(CAPULET)
    t.lab.start(CAPULET)
    send_acked(t, [("m-2", second)])
    finish_device(t, ["m-1", "m-2"], [first, second], before)


if __name__ == "__main__":
    suite.main(__doc__, chat_1, chat_40, chat_400, resumed_1, resumed_300, resumed_mixed, chat_offline, federated_5, federated_150, federated_receiver,
               federated_receiver_thrice, federated_sender, federated_both, federated_refused, federated_held, presence, outbox_early,
               outbox_slow, outbox_refused, outbox_late)
