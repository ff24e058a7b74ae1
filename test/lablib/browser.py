# SPDX-License-Identifier: MIT
"""Chromium without a window, steered by chromedriver's own protocol (W3C WebDriver), and a web server for its page."""
import base64
import http.client
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from lablib.peers import need
from lablib.process import PATIENCE, Failed

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-component-update",
         "--disable-background-networking", "--disable-sync", "--disable-default-apps", "--disable-extensions",
         "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--window-size=1100,800"]


class Pages:
    """Files of one folder, and one page, on loopback: where a browser lets scripts do what they may do under https."""

    def __init__(self, folder, page):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(folder))

            def do_GET(self):
                if self.path != "/":
                    super().do_GET()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Browser:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.profile = tempfile.mkdtemp(prefix="causeway-chromium-")  # elsewhere: its logs are not for people
        need("chromedriver", "chromium")
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | {"HOME": str(self.folder)}
        self.log = self.folder / "chromedriver.log"
        with open(self.log, "w") as log:
            self.child = subprocess.Popen(["chromedriver", "--port=0"], env=env, text=True, stdout=subprocess.PIPE, stderr=log)
        self.session = None
        for line in self.child.stdout:
            if " on port " in line and "successfully" in line:
                self.port = int(line.rsplit(" on port ", 1)[1].strip(". \n"))
                break
        else:
            raise Failed(f"chromedriver did not start: {self.log.read_text()}")
        options = {"binary": need("chromium", "chromium"), "args": FLAGS + [f"--user-data-dir={self.profile}"]}
        found = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = f"/session/{found['sessionId']}"

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
            found = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(found, dict) and "error" in found:
            raise Failed(f"chromedriver: {found['error']}: {found['message'][:600]}")
        return found

    def go(self, url):
        self._call("POST", self.session + "/url", {"url": url})

    def run(self, script, *arguments):
        """The body of a function; its value, a promise's too."""
        return self._call("POST", self.session + "/execute/sync", {"script": script, "args": list(arguments)})

    def console(self):
        return "\n".join(f"{e['level']} {e['message']}" for e in self._call("POST", self.session + "/se/log", {"type": "browser"}))

    def picture(self, path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(base64.b64decode(self._call("GET", self.session + "/screenshot")))

    def close(self):
        if self.session:
            self._call("DELETE", self.session)
        self.child.terminate()
        self.child.wait(PATIENCE)
        self.child.stdout.close()
        shutil.rmtree(self.profile, ignore_errors=True)
