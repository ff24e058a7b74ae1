#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A pager behind a carrier that speaks WCTP 1.3: from `add pager` to the page, what becomes of it, and the answer from
the pager. The carrier is a double that validates every document, ours and its own, against the DTD."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.devices import deliveries, list_device, log_off, wait_log  # noqa: E402
from lablib.suite import befriend, hold, token, wait_for  # noqa: E402
from lablib.wctp import Carrier, mistakes  # noqa: E402

MONTAGUE, CAPULET, MAIL = "montague.example", "capulet.example", "mail.example"
ROMEO, JULIET = f"romeo@{MONTAGUE}", f"juliet@{CAPULET}"
PAGER, PORT = "4155551212", 8026
PROVIDER = '''provider "pages" {
    profile = "wctp"
    options = { "url=http://{network}.1:%d/wctp" }
    secret_files = { "sender={folder}/sender", "code={folder}/code" }
    allow_http = true
}''' % PORT


def make(t):
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]}, providers=PROVIDER,
               secrets_of={"sender": "gw@capulet", "code": "a<\"&'b"}, extra="gather_seconds = 0")
    carrier = t.keep(Carrier(f"{t.lab.state['network']}.1:{PORT}", "gw@capulet", "a<\"&'b", {PAGER}))
    carrier.notify = t.lab.causeway(CAPULET, "webhooks").strip().split(" ", 1)[1]
    return carrier


def page(carrier, already):
    wait_for(lambda: len(carrier.pages) > already or carrier.wrong, f"page {already + 1}")
    hold(not carrier.wrong, "\n".join(carrier.wrong))
    return carrier.pages[already]


def list_pager(carrier, juliet, address=PAGER):
    list_device(juliet, CAPULET, f"add pager {address}", lambda: page(carrier, 0).text)


def states(t):
    return [s for (s,) in deliveries(t, CAPULET, "state", "purpose = 'message' and kind = 'pager'")]


def the_dtd(t):
    """The DTD takes what WCTP has and nothing else"""
    good = ('<wctp-Operation wctpVersion="wctp-dtd-v1r3"><wctp-SubmitRequest><wctp-SubmitHeader><wctp-Originator senderID="a"/>'
            '<wctp-MessageControl messageID="m"/><wctp-Recipient recipientID="r"/></wctp-SubmitHeader><wctp-Payload>'
            "<wctp-Alphanumeric>x</wctp-Alphanumeric></wctp-Payload></wctp-SubmitRequest></wctp-Operation>")
    hold(not mistakes(good.encode()), mistakes(good.encode()))
    for was, becomes in (('recipientID="r"', ""), ("<wctp-MessageControl messageID=\"m\"/>", ""), ("wctp-Alphanumeric", "wctp-Text"),
                         ('messageID="m"', 'messageID="m" deliveryPriority="URGENT"'), ("</wctp-Payload>", "")):
        hold(mistakes(good.replace(was, becomes).encode()), f"{was} may be {becomes}")


def both_ways(t):
    """from `add pager` to the page; queued, delivered, read; the pager's answer comes into the conversation"""
    carrier = make(t)
    romeo, juliet = t.slix(ROMEO), t.slix(JULIET)
    befriend(romeo, juliet)
    list_pager(carrier, juliet, "415-555-1212")
    log_off(juliet, romeo)
    said = f"<But soft> \"what\" & 'light' \u2665 {token()}"
    romeo.message(JULIET, said)
    first = page(carrier, 1)
    hold(said in first.text and ROMEO in first.text, f"the page is {first.text!r}")
    hold(first.control["notifyWhenDelivered"] == "true" and first.control["allowResponse"] == "true", f"{first.control}")
    for kind, state in (("QUEUED", "sent"), ("DELIVERED", "delivered"), ("QUEUED", "delivered"), ("READ", "read"), ("DELIVERED", "read")):
        hold(carrier.status(first, kind) == (200, "200"), f"{kind} was not confirmed")
        wait_for(lambda want=state: states(t) == [want], f"{state} after {kind}")
    answer = f"Wherefore <art> thou & \"co\"? {token()}"
    document = carrier.reply_document(first, answer)
    for _ in range(2):  # the same again is the same
        hold(carrier.post(document) == (200, "200"), "the answer was not confirmed")
    got = romeo.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == answer, "the answer")
    hold(got.get("from").split("/")[0] == JULIET, f"it is from {got.get('from')}")
    hold(carrier.reply(first, "once more") == (200, "200"), "the second answer")
    romeo.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == "once more", "the second answer")
    bodies = [s.findtext(C + "body") for s in romeo.seen if s.tag == C + "message"]
    hold(answer not in bodies, "the answer came twice")


def what_is_not_taken(t):
    """answers from another pager, to a page that never was, at an address that we did not give out; a broken one"""
    carrier = make(t)
    romeo, juliet = t.slix(ROMEO), t.slix(JULIET)
    befriend(romeo, juliet)
    list_pager(carrier, juliet)
    log_off(juliet, romeo)
    romeo.message(JULIET, "hello")
    first = page(carrier, 1)
    hold(carrier.reply(first, "I am another", pager="4155559999") == (200, "200"), "it is confirmed, and dropped")
    hold(carrier.reply(first, "to nothing", message_id="nothing") == (200, "200"), "it is confirmed, and dropped")
    forged = carrier.notify[:-4] + ("AAAA" if not carrier.notify.endswith("AAAA") else "BBBB")
    hold(carrier.post(carrier.reply_document(first, "forged"), url=forged)[0] == 403, "a forged address was taken")
    hold(carrier.reply(first, "the right one") == (200, "200"), "the right one")
    romeo.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == "the right one", "the right one")
    bodies = [s.findtext(C + "body") for s in romeo.seen if s.tag == C + "message"]
    hold(not {"I am another", "to nothing", "forged"} & set(bodies), f"{bodies}")


def carrier_refuses(t):
    """a passing error is tried again; a pager that is none is the device's fault; a page that times out has failed"""
    carrier = make(t)
    romeo, juliet = t.slix(ROMEO), t.slix(JULIET)
    befriend(romeo, juliet)
    list_pager(carrier, juliet)
    log_off(juliet, romeo)
    carrier.answers.append((604, "Internal server error"))
    romeo.message(JULIET, "one")
    wait_log(t, CAPULET, "by pager: due: HTTP 200, code 604: Internal server error", "the passing error")
    one = page(carrier, 1)
    hold("one" in one.text, f"the page is {one.text!r}")
    hold(carrier.failure(one, 500, "Message timed out") == (200, "200"), "the failure was not confirmed")
    wait_for(lambda: states(t) == ["failed"], "the page has failed")
    carrier.pagers.clear()
    romeo.message(JULIET, "two")
    wait_log(t, CAPULET, "code 403: Invalid recipientID", "the refusal")
    wait_for(lambda: states(t) == ["failed", "failed"], "the second has failed")


if __name__ == "__main__":
    suite.main(__doc__, the_dtd, both_ways, what_is_not_taken, carrier_refuses)
