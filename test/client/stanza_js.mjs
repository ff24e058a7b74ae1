// SPDX-License-Identifier: MIT
// stanza.js, driven as xmpp_js.mjs is.
import { createInterface } from "node:readline";
import { createClient } from "stanza";

const { transport, service, jid, password } = JSON.parse(process.argv[2]);
const tell = (event, more = {}) => process.stdout.write(JSON.stringify({ event, ...more }) + "\n");

const one = createClient({
  jid, password, autoReconnect: true, maxReconnectBackoff: 0.2,
  transports: { bosh: false, websocket: false, [transport]: service },
});
one.on("session:started", () => {
  one.sendPresence();
  tell("online", { jid: one.jid });
});
one.on("disconnected", () => tell("cut"));
one.on("stream:error", (e) => tell("error", { text: JSON.stringify(e) }));
one.on("auth:failed", () => tell("error", { text: "auth:failed" }));
one.on("stream:management:resumed", () => tell("resumed"));
one.on("message", (m) => m.body && tell("message", { from: m.from, body: m.body }));
createInterface({ input: process.stdin })
  .on("line", (line) => one.sendMessage({ ...JSON.parse(line), type: "chat" }))
  .on("close", () => {
    one.on("disconnected", () => process.exit(0));
    one.disconnect();
  });
one.connect();
