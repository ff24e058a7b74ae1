#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The schemas of our namespaces, and the check that every scenario and lab makes with them. A row: what it
proves, the stanza, and a part of what is found (None: nothing)."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import emitted  # noqa: E402

CONTACT = "<contact xmlns='urn:causeway:contact:1' {}/>"
FORM = ("<iq type='result' id='1'><command xmlns='http://jabber.org/protocol/commands' node='n'><x xmlns='jabber:x:data' type='form'>"
        "<field var='FORM_TYPE' type='hidden'><value>urn:causeway:devices:1</value></field>{}</x></command></iq>")


def message(attributes, body="<body>words</body>", kind="chat"):
    return f"<message type='{kind}' from='a@b.example' to='c@d.example'>{body}{CONTACT.format(attributes)}</message>"


ROWS = [
    ("nothing of ours", "<message><body>urn:causeway:contact:1</body></message>", None),
    ("a notice", message("state='waiting'"), None),
    ("a prompt", message("state='asked' peer='romeo@a.example' number='3'"), None),
    ("an answer", message("state='answer' via='sms'"), None),
    ("a state that is none", message("state='here'"), "here"),
    ("no state", message(""), "state"),
    ("an attribute that is none", message("state='waiting' mood='good'"), "mood"),
    ("numbers begin with 1", message("state='asked' number='0'"), "number"),
    ("a full JID is no peer", message("state='asked' peer='romeo@a.example/x' number='1'"), "peer"),
    ("people are told too", message("state='waiting'", body=""), "no body"),
    ("a message that waits", "<message type='chat'><body>b</body><delayed xmlns='urn:causeway:queue:1' to='a@b.example' "
     "since='2030-01-01T00:00:00Z' until='2030-01-02T00:00:00Z'/></message>", None),
    ("until when is said", "<message type='chat'><body>b</body><delayed xmlns='urn:causeway:queue:1' to='a@b.example' "
     "since='2030-01-01T00:00:00Z'/></message>", "until"),
    ("an error needs no words", message("state='waiting'", body="", kind="error"), None),
    ("inside of something else", "<message><forwarded xmlns='urn:xmpp:forward:0'>" + message("state='x'") + "</forwarded></message>", "state"),
    ("a namespace without a schema", "<message><body>b</body><x xmlns='urn:causeway:other:1'/></message>", "has no schema"),
    ("a form", FORM.format("<field var='device' type='text-single'><value>1</value></field>"), None),
    ("a form's field without a name of ours", FORM.format("<field var='colour' type='text-single'/>"), "colour"),
    ("a form's field of no kind", FORM.format("<field var='device' type='digits'/>"), "digits"),
    ("another's form", FORM.format("<field var='colour'/>").replace("urn:causeway:devices:1", "urn:other"), None),
]


def main():
    print(f"1..{len(ROWS)}")
    failed = 0
    for number, (proves, stanza, part) in enumerate(ROWS, 1):
        emitted.note(stanza)
        found = emitted.mistakes()
        good = not found if part is None else any(part in text for text in found)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {proves}")
        for text in [] if good else found or ["nothing was found"]:
            print(f"# {text}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
