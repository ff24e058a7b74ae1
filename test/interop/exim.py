#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's Exim receives the mail of a device: the code comes out of its Maildir and goes back by the person's
client, then a message to the absent person arrives there as a mail that Python's email package can read."""
import email
import email.message
import email.policy
import email.utils
import re
import smtplib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import suite  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.devices import deliveries, list_device, log_off, verify, wait_log  # noqa: E402
from lablib.peers import Exim  # noqa: E402
from lablib.suite import befriend, hold, token, wait_for  # noqa: E402

MONTAGUE, CAPULET, MAIL = "montague.example", "capulet.example", "mail.example"
ROMEO, JULIET = f"romeo@{MONTAGUE}", f"juliet@{CAPULET}"
ADDRESS = f"juliet@{MAIL}"
EXIM_PORT = 2526


def start_exim(t, **more):
    exim = Exim(t.folder / "exim", MAIL, f"{t.lab.state['network']}.1", EXIM_PORT, ["juliet"], **more)
    t.keep(exim)
    exim.start()
    return exim


def parsed(path):
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


def new_mail(exim, localpart, already):
    """The first mail beyond the `already` first ones, parsed."""
    def find():
        mails = exim.mails(localpart)
        return mails[already] if len(mails) > already else None
    return parsed(wait_for(find, f"mail {already + 1} for {localpart}; Exim says {exim.log.read_text() if exim.log.exists() else 'nothing'}"))


def check_mail(mail, domain):
    """What any mail reader relies on."""
    hold(not mail.defects, f"the mail has defects: {mail.defects}")
    for part in mail.walk():
        hold(not part.defects, f"a part has defects: {part.defects}")
        for name, value in part.items():
            hold(not getattr(value, "defects", ()), f"{name} has defects: {value.defects}")
            hold("\n" not in str(value), f"{name} has a line feed")
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
        hold(len(mail.get_all(name, [])) == 1, f"{name} is there {len(mail.get_all(name, []))} times")
    hold(mail["To"].addresses[0].addr_spec == ADDRESS, f"it is to {mail['To']}")
    hold(mail["From"].addresses[0].domain == domain, f"it is from {mail['From']}")
    hold(email.utils.parsedate_to_datetime(mail["Date"]) is not None, "the date is none")
    hold(re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", mail["Message-ID"].strip()), f"Message-ID is {mail['Message-ID']!r}")
    hold(mail.get("Auto-Submitted", "no").strip() != "no", "it does not say that a machine sent it (RFC 3834)")
    hold(all(len(line) <= 998 for line in mail.as_bytes(policy=email.policy.SMTP).split(b"\r\n")), "a line is too long")
    return mail.get_body(("plain",)).get_content()


def exim_itself(t):
    """Exim as it runs here takes a mail for its domain and refuses one for another"""
    t.make_lab([])
    exim = start_exim(t)
    host, port = exim.server.split(":")
    with smtplib.SMTP(host, int(port), timeout=suite.PATIENCE) as smtp:
        smtp.sendmail("a@gw.example", [ADDRESS], "From: a@gw.example\r\nTo: juliet\r\nSubject: x\r\n\r\nhello\r\n")
        try:
            smtp.sendmail("a@gw.example", ["x@elsewhere.example"], "Subject: x\r\n\r\nhello\r\n")
        except smtplib.SMTPRecipientsRefused:
            pass
        else:
            hold(False, "it relays")
    hold(new_mail(exim, "juliet", 0)["Subject"] == "x", "another mail came")


def by_mail(t):
    """from `add email` to the message in the Maildir"""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]}, mail_port=EXIM_PORT)
    exim = start_exim(t)
    juliet = t.slix(JULIET)
    answer = juliet.tell(CAPULET, f"add email {ADDRESS}")
    text = check_mail(new_mail(exim, "juliet", 0), CAPULET)
    code = re.search(r"\b(\d{6})\b", text)
    hold(code, f"no code in the mail ({answer}):\n{text}")
    wrong = f"{(int(code.group(1)) + 1) % 1000000:06}"
    hold("verified" not in juliet.tell(CAPULET, f"verify {wrong}").lower(), "a wrong code was taken")
    verify(juliet, CAPULET, code.group(1))
    juliet.tell(CAPULET, "full 1")

    romeo = t.slix(ROMEO)
    befriend(romeo, juliet)
    log_off(juliet, romeo)
    said = f"Dein ist mein ganzes Herz \u2665 \u20ac {token()}\n.\n..dots\nFrom me\n" + "long " * 300 + token()
    romeo.message(JULIET, said)
    text = check_mail(new_mail(exim, "juliet", 1), CAPULET)
    hold(said.split("\n")[0] in text, f"the mail lacks what romeo wrote:\n{text}")
    hold("romeo@montague.example" in text, f"the mail does not say who writes:\n{text}")
    for line in (".", "..dots", "From me"):
        hold(any(row.rstrip() == line for row in text.split("\n")), f"the line {line!r} did not come through:\n{text}")
    juliet = t.slix(JULIET)
    got = juliet.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == said, "the message itself")
    hold(got.get("from") == romeo.full_jid, f"it is from {got.get('from')}")
    hold(len(exim.mails("juliet")) == 2, "more mails came than were wanted")


def while_exim_is_down(t):
    """the mail server is down when the message comes; the mail is sent when it is back"""
    t.make_lab([CAPULET], {CAPULET: ["juliet", "nurse"]}, mail_port=EXIM_PORT)
    exim = start_exim(t)
    juliet, nurse = t.slix(JULIET), t.slix(f"nurse@{CAPULET}")
    list_device(juliet, CAPULET, f"add email {ADDRESS}", lambda: check_mail(new_mail(exim, "juliet", 0), CAPULET))
    befriend(nurse, juliet)
    log_off(juliet, nurse)
    exim.close()
    said = f"Madam! {token()}"
    nurse.message(JULIET, said)
    nurse.settle()
    wait_log(t, CAPULET, "[Rr]efused|[Cc]onnect", "a line about the mail server")
    exim.start()
    hold(said in check_mail(new_mail(exim, "juliet", 1), CAPULET), "another mail came")


def write_back(exim, mail, text, sender=ADDRESS, **headers):
    """An answer as mail programs write it, over Exim."""
    answer = email.message.EmailMessage(policy=email.policy.SMTP)
    answer["From"], answer["To"], answer["Subject"] = sender, str(mail["Reply-To"]), f"Re: {mail['Subject']}"
    answer["Message-ID"], answer["In-Reply-To"] = f"<{token()}@{MAIL}>", str(mail["Message-ID"])
    for name, value in headers.items():
        answer[name.replace("_", "-")] = value
    quoted = "".join(f"> {line}\n" for line in mail.get_body(("plain",)).get_content().split("\n"))
    answer.set_content(f"{text}\n\nOn Tuesday, {mail['From']} wrote:\n{quoted}")
    host, port = exim.server.split(":")
    with smtplib.SMTP(host, int(port), timeout=suite.PATIENCE) as smtp:
        smtp.send_message(answer, from_addr=sender, to_addrs=[mail["Reply-To"].addresses[0].addr_spec])
    return answer


ANSWERS = 'mail_answers = "reply@{domain}"'


def answered_by_mail(t):
    """an answer by mail goes into the conversation without what it quotes; a machine's, and a stranger's, do not"""
    t.make_lab([MONTAGUE, CAPULET], {MONTAGUE: ["romeo"], CAPULET: ["juliet"]}, mail_port=EXIM_PORT, extra=ANSWERS)
    exim = start_exim(t, answers={CAPULET: t.lab.community(CAPULET)["lmtp"]})
    juliet = t.slix(JULIET)
    list_device(juliet, CAPULET, f"add email {ADDRESS}", lambda: check_mail(new_mail(exim, "juliet", 0), CAPULET))
    romeo = t.slix(ROMEO)
    befriend(romeo, juliet)
    log_off(juliet, romeo)
    romeo.message(JULIET, f"are you there? {token()}")
    mail = new_mail(exim, "juliet", 1)
    check_mail(mail, CAPULET)
    hold(mail["Return-path"].strip("<>") == mail["Reply-To"].addresses[0].addr_spec, f"the envelope is from {mail['Return-path']}")

    write_back(exim, mail, "I am in Mantua until Friday", Auto_Submitted="auto-replied")
    wait_log(t, CAPULET, "a machine's answer", "the answer of a machine")
    write_back(exim, mail, "it is me, honestly", sender=f"tybalt@{MAIL}")
    wait_log(t, CAPULET, "from another device", "the stranger's answer")
    said = f"I am. \u2665 {token()}"
    write_back(exim, mail, said)
    got = romeo.wait(lambda s: s.tag == C + "message" and said[-8:] in (s.findtext(C + "body") or ""), "the answer")
    hold(got.findtext(C + "body") == said, f"romeo reads {got.findtext(C + 'body')!r}")
    hold(got.get("from").split("/")[0] == JULIET, f"it is from {got.get('from')}")
    juliet = t.slix(JULIET)
    juliet.iq("set", "<query xmlns='urn:xmpp:mam:2' queryid='all'/>")
    archived = [b.text for s in juliet.seen for b in s.iter(C + "body") if s.find("{urn:xmpp:mam:2}result") is not None]
    hold(said in archived, f"juliet's archive lacks her own answer: {archived}")


def bounced(t):
    """a report that a mail did not arrive ends the delivery, and its sender hears of it"""
    t.make_lab([CAPULET], {CAPULET: ["juliet", "nurse"]}, mail_port=EXIM_PORT, extra=ANSWERS)
    exim = start_exim(t, answers={CAPULET: t.lab.community(CAPULET)["lmtp"]})
    juliet, nurse = t.slix(JULIET), t.slix(f"nurse@{CAPULET}")
    list_device(juliet, CAPULET, f"add email {ADDRESS}", lambda: check_mail(new_mail(exim, "juliet", 0), CAPULET))
    befriend(nurse, juliet)
    log_off(juliet, nurse)
    exim.close()
    exim = Exim(t.folder / "exim2", MAIL, f"{t.lab.state['network']}.1", EXIM_PORT, [], lost=["juliet"],
                answers={CAPULET: t.lab.community(CAPULET)["lmtp"]})
    t.keep(exim)
    exim.start()
    nurse.message(JULIET, f"Madam! {token()}")
    wait_for(lambda: deliveries(t, CAPULET, "state, reason", "purpose = 'message' and state = 'failed'"),
             "the delivery's end")
    reason = deliveries(t, CAPULET, "reason", "purpose = 'message'")[0][0]
    hold("the mail server says not delivered" in reason, f"the reason is {reason!r}")


def hostile_mail(t):
    """mails as nobody should write them: each is refused or harmless, and the next answer arrives"""
    t.make_lab([CAPULET], {CAPULET: ["juliet", "nurse"]}, mail_port=EXIM_PORT, extra=ANSWERS)
    exim = start_exim(t)
    juliet, nurse = t.slix(JULIET), t.slix(f"nurse@{CAPULET}")
    list_device(juliet, CAPULET, f"add email {ADDRESS}", lambda: check_mail(new_mail(exim, "juliet", 0), CAPULET))
    befriend(nurse, juliet)
    log_off(juliet, nurse)
    nurse.message(JULIET, f"Madam! {token()}")
    to = new_mail(exim, "juliet", 1)["Reply-To"].addresses[0].addr_spec
    host, port = t.lab.community(CAPULET)["lmtp"].split(":")
    head = f"From: {ADDRESS}\r\nMIME-Version: 1.0\r\n"
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(12000))
    large = head + "Message-ID: <large@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nLarge.\r\n--b\r\n" \
        "Content-Type: image/png\r\n\r\n"
    large += ("x" * 70 + "\r\n") * ((1024 * 1024 - len(large)) // 72 - 1) + "--b--\r\n"
    rows = [("nothing", "", 550), ("a thousand rooms in one another", head + deep, 550), ("bytes", "\0\xff\r\n" * 1000, 550),
            ("too large", "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 15000, 552), ("as large as may be", large, 250)]
    with smtplib.LMTP(host, int(port)) as lmtp:
        lmtp.ehlo("mail.example")
        for wrong in (to.replace("+", "+a", 1), "reply@" + CAPULET, "juliet@" + CAPULET):
            lmtp.mail(ADDRESS)
            hold(lmtp.rcpt(wrong)[0] == 550, f"{wrong} is taken")
            lmtp.rset()
        for name, mail, code in rows:
            lmtp.mail(ADDRESS)
            hold(lmtp.rcpt(to)[0] == 250, "the right address is refused")
            got = lmtp.data(mail.encode("latin-1"))
            hold(got[0] == code or (code == 550 and got[0] == 554), f"{name}: {got}")
    got = nurse.wait(lambda s: s.tag == C + "message" and "Large." in (s.findtext(C + "body") or ""), "the large one's text")
    hold("1 attachment" in got.findtext(C + "body"), f"the attachment is not spoken of: {got.findtext(C + 'body')!r}")


if __name__ == "__main__":
    suite.main(__doc__, exim_itself, by_mail, while_exim_is_down, answered_by_mail, bounced, hostile_mail)
