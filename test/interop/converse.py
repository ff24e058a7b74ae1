#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Converse.js in Chromium, over WebSocket and over BOSH: it logs in, chats with slixmpp, is cut off, and what was said meanwhile
comes. Its bundle is fetched by npm (lablib/npm.py); screenshots stay in BUILD/captures/converse-*.png."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import npm, suite  # noqa: E402
from lablib.browser import Browser, Pages  # noqa: E402
from lablib.client import C  # noqa: E402
from lablib.lab import ROOT  # noqa: E402
from lablib.cable import Cable  # noqa: E402
from lablib.suite import ask_until, hold  # noqa: E402

HERE = "montague.example"
ROMEO, BENVOLIO = f"romeo@{HERE}", f"benvolio@{HERE}"
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Converse</title>
<link rel="stylesheet" href="/converse.min.css"><script>window.told = [];</script></head>
<body><script type="module">
const module = await import("/converse.min.js");
const converse = window.converse ?? module.converse ?? module.default;
converse.plugins.add("probe", { dependencies: [], initialize() {
  const { api } = this._converse;
  window.api = api;
  for (const name of ["connected", "reconnected", "disconnected", "will-reconnect", "statusInitialized"])
    api.listen.on(name, () => { window.told.push(name); });
  api.listen.on("message", (m) => { if (m.attrs && m.attrs.body) window.told.push("body " + m.attrs.body); });
} });
converse.initialize(%s);
</script></body></html>"""


def options(t, **more):
    return json.dumps({
        "authentication": "login", "auto_login": True, "jid": ROMEO, "password": t.where(ROMEO)[1], "view_mode": "fullscreen",
        "discover_connection_methods": False, "enable_smacks": True, "auto_reconnect": True, "assets_path": "/", "i18n": "en",
        "whitelisted_plugins": ["probe"], "allow_non_roster_messaging": True, "persistent_store": "none",
        "show_background": False, "play_sounds": False, "muc_show_logs_before_join": False, "loglevel": "info"} | more)


def told(browser):
    return browser.run("return window.told")


def until_told(t, browser, word, number=1):
    try:
        ask_until(lambda: told(browser).count(word) >= number, f"'{word}'")
    except Exception:
        t.note(f"told: {told(browser)}; console: {browser.console()}")
        raise


def chat(t, name, **more):
    t.make_lab([HERE], {HERE: ["romeo", "benvolio"]})
    friend = t.slix(BENVOLIO)
    cable = t.keep(Cable(t.lab.community(HERE)["websocket_plain"]))
    more = {option: f"{scheme}://{cable.address}{path}" for option, (scheme, path) in more.items()}
    pages = t.keep(Pages(npm.converse(), PAGE % options(t, **more)))
    browser = t.keep(Browser(t.folder / "browser"))
    browser.go(pages.url)
    until_told(t, browser, "connected")
    until_told(t, browser, "statusInitialized")
    browser.run("return api.chats.open(arguments[0], {}, true).then((c) => c.sendMessage({ body: 'wherefore' })).then(() => 0)", BENVOLIO)
    heard = friend.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == "wherefore", "what was said in the browser")
    full = heard.get("from")
    friend.send(f"<message to='{full}' type='chat' id='t1'><body>therefore</body></message>")
    until_told(t, browser, "body therefore")
    cable.cut()
    friend.send(f"<message to='{full}' type='chat' id='t2'><body>while it was cut</body></message>")
    cable.mend()
    until_told(t, browser, "body while it was cut")
    hold(told(browser).count("body while it was cut") == 1, f"it came more than once: {told(browser)}")
    hold(browser.run("return api.user.jid()") == full, "it bound another resource instead of going on")
    browser.run("return api.chats.get(arguments[0]).then((c) => c.sendMessage({ body: 'and again' })).then(() => 0)", BENVOLIO)
    friend.wait(lambda s: s.tag == C + "message" and s.findtext(C + "body") == "and again", "what was said after")
    ask_until(lambda: "while it was cut" in browser.run("return document.body.innerText"), "the page")
    browser.picture(ROOT / "build" / t.preset / "captures" / f"converse-{name}.png")
    return told(browser)


def over_websocket(t):
    """Converse.js over WebSocket: chat, cut, resumed"""
    chat(t, "websocket", websocket_url=("ws", "/xmpp-websocket"))


def over_bosh(t):
    """Converse.js over BOSH: chat, its connections cut, and nothing is lost"""
    chat(t, "bosh", bosh_service_url=("http", "/http-bind"))


if __name__ == "__main__":
    npm.or_skip(npm.converse)
    suite.main(__doc__, over_websocket, over_bosh)
