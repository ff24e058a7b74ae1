// SPDX-License-Identifier: MIT
// xmpp.js, driven by lines of JSON: {to, body} comes in; what happens goes out. Run beside its node_modules.
import { createInterface } from "node:readline";
import { client, xml } from "@xmpp/client";
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket; // of node before 22
const { service, domain, username, password } = JSON.parse(process.argv[2]);
const tell = (event, more = {}) => process.stdout.write(JSON.stringify({ event, ...more }) + "\n");

const one = client({ service, domain, username, password });
one.reconnect.delay = 100;
one.on("online", async (jid) => {
  await one.send(xml("presence"));
  tell("online", { jid: jid.toString() });
});
one.on("disconnect", () => tell("cut"));
one.on("error", (e) => tell("error", { text: String(e) }));
one.streamManagement.on("resumed", () => tell("resumed"));
one.on("stanza", (st) => {
  if (st.is("message") && st.getChild("body")) tell("message", { from: st.attrs.from, body: st.getChildText("body") });
});
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { to, body } = JSON.parse(line);
    one.send(xml("message", { to, type: "chat" }, xml("body", {}, body)));
  })
  .on("close", async () => {
    await one.stop();
    process.exit(0);
  });
one.start().catch((e) => tell("error", { text: String(e) }));
