# SPDX-License-Identifier: MIT
"""What the tests of devices share: from `add phone` to a device that is verified and told all, the person's log-off, what
stands in the outbox, and what the log says."""
import re
import sqlite3
from pathlib import Path

from lablib.suite import hold, wait_for


def list_device(client, domain, command, sent, full=True):
    """`command` lists a device (`add phone ...`); `sent` waits for the text that went there, and gives it: it has the
    code. With `full` the device is told what was written."""
    answer = client.tell(domain, command)
    text = sent()
    code = re.search(r"\b(\d{6})\b", text)
    hold(code, f"no code in {text!r} ('{command}' was answered: {answer})")
    verify(client, domain, code.group(1))
    if full:
        client.tell(domain, "full 1")
    return code.group(1)


def verify(client, domain, code):
    answer = client.tell(domain, f"verify {code}")
    hold("verified" in answer.lower(), f"'verify {code}' was answered: {answer}")


def log_off(client, *others):
    """The client is gone when the others, who see its presence, have heard of it."""
    gone = client.full_jid
    client.close()
    for other in others:
        other.wait(lambda s: s.get("type") == "unavailable" and s.get("from") == gone, f"{gone}'s log-off")


def deliveries(t, domain, columns="purpose, state", where="1"):
    """Rows of the outbox as they stand in the store, in the order in which they were made."""
    with sqlite3.connect(f"file:{t.lab.community(domain)['store']}?mode=ro", uri=True) as db:
        return db.execute(f"select {columns} from deliveries where {where} order by created_us").fetchall()


def log_of(t, domain):
    return Path(t.lab.community(domain)["log"]).read_text(errors="replace")


def wait_log(t, domain, pattern, what):
    """The gateway's log has it; returns the match."""
    return wait_for(lambda: re.search(pattern, log_of(t, domain)), f"{what} in the log")
