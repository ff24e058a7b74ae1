#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`causeway account ...` beside a running gateway: what an admin changes counts at once."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.process import Failed  # noqa: E402
from lablib.raw import Ended, condition  # noqa: E402
from lablib.suite import hold  # noqa: E402

HERE = "montague.example"
ROMEO, BENVOLIO = f"romeo@{HERE}", f"benvolio@{HERE}"


def logged_in(t, name):
    return t.raw(HERE).log_in(f"{name}@{HERE}", t.lab.account(name, HERE)["password"])


def ended_with(raw):
    """The condition of the stream error that ends it."""
    try:
        while True:
            element = raw.next()
            if element.tag.endswith("}error"):
                return condition(element)
    except Ended as e:
        raise Failed("the stream ended without a stream error") from e


def refusal(t, name):
    try:
        logged_in(t, name)
    except Failed as e:
        return str(e)
    raise Failed(f"{name} could log in")


def disabled_and_enabled(t):
    """Disabling ends every session of that account and of no other, and login says why; what comes meanwhile is
    there when it is enabled again."""
    lab = t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    first, second = logged_in(t, "romeo"), logged_in(t, "romeo")
    witness = t.strophe(BENVOLIO)
    lab.causeway(HERE, "account", "disable", ROMEO)
    hold(ended_with(first) == ended_with(second) == "not-authorized", "the sessions ended for another reason")
    hold("account-disabled" in refusal(t, "romeo"), "the login was refused for another reason")
    hold(f"{ROMEO}\tdisabled" in lab.causeway(HERE, "account", "list"), "the list does not say so")
    lab.causeway(HERE, "account", "password", ROMEO, stdin=lab.account("romeo", HERE)["password"] + "\n")
    hold("account-disabled" in refusal(t, "romeo"), "a new password has enabled the account")
    witness.message(ROMEO, "meanwhile")
    witness.settle()
    lab.causeway(HERE, "account", "enable", ROMEO)
    t.strophe(ROMEO).wait_body("meanwhile", BENVOLIO)


def new_password(t):
    """Whoever came in by the old one goes; the new one lets in."""
    lab = t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    session, other = logged_in(t, "romeo"), logged_in(t, "benvolio")
    lab.causeway(HERE, "account", "password", ROMEO, stdin="another one\n")
    hold(ended_with(session) == "not-authorized", "the session ended for another reason")
    hold("not-authorized" in refusal(t, "romeo"), "the old password holds")
    t.raw(HERE).log_in(ROMEO, "another one")
    other.iq("get", "<ping xmlns='urn:xmpp:ping'/>")


def deleted(t):
    """Deleting ends the sessions too; the name can be given anew, and its former messages are gone."""
    lab = t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    session = logged_in(t, "romeo")
    witness = t.strophe(BENVOLIO)
    lab.causeway(HERE, "account", "delete", ROMEO)
    hold(ended_with(session) == "not-authorized", "the session ended for another reason")
    hold("not-authorized" in refusal(t, "romeo"), "the login was refused for another reason")
    lab.causeway(HERE, "account", "add", ROMEO, stdin=lab.account("romeo", HERE)["password"] + "\n")
    again = t.strophe(ROMEO)
    witness.message(ROMEO, "to the new one")
    again.wait_body("to the new one", BENVOLIO)


def mistakes(t):
    """What cannot be done is said, with a status that a script sees; the gateway goes on."""
    lab = t.make_lab([HERE], {HERE: ["romeo"]})
    for verb in ("delete", "disable", "enable", "password"):
        try:
            lab.causeway(HERE, "account", verb, f"nobody@{HERE}", stdin="secret\n")
        except Failed as e:
            hold("there is no" in str(e), f"{verb}: {e}")
        else:
            raise Failed(f"{verb} of nobody held")
    hold(f"nobody@{HERE}" not in lab.causeway(HERE, "account", "list"), "a password has made an account")
    logged_in(t, "romeo")


if __name__ == "__main__":
    suite.main(__doc__, disabled_and_enabled, new_password, deleted, mistakes)
