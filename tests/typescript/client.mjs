// Runs the official TypeScript SDK client once and prints one JSON object that says what it saw.
// It judges nothing, knows no OAuth, and takes the token from the environment only.
//
//   HALLPASS_TOKEN=... node client.mjs '{"url": "...", "revision": "2026-07-28", "headers": {}, "calls": [
//     {"tool": "echo", "arguments": {"message": "hi"}},
//     {"tool": "hold", "arguments": {}, "meanwhile": {"tool": "release", "arguments": {}}}
//   ]}'
//
// A call's `meanwhile` is made when the first progress of that call arrives: a relay that
// buffers never gets so far.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const REVISIONS = {
  "2025-11-25": "legacy",
  "2026-07-28": { pin: "2026-07-28" },
};

const plan = JSON.parse(process.argv[2]);
const seen = { revision: null, server: null, tools: [], calls: [], failure: null };
let refusal = null;
const client = new Client(
  { name: "hallpass-typescript-client", version: "0.0.0" },
  { versionNegotiation: { mode: REVISIONS[plan.revision] } },
);

await step("connect", connect);
await step("list", async () => {
  seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
});
for (const call of plan.calls ?? []) {
  await step("call", () => make(call));
}
await close();
process.stdout.write(`${JSON.stringify(seen)}\n`);

async function connect() {
  const transport = new StreamableHTTPClientTransport(new URL(plan.url), {
    fetch: watchedFetch,
    requestInit: { headers: headers() },
  });
  await client.connect(transport, { timeout: 15_000 });
  seen.revision = client.getNegotiatedProtocolVersion() ?? null;
  seen.server = client.getServerVersion()?.name ?? null;
}

function headers() {
  const token = process.env.HALLPASS_TOKEN;
  return token ? { ...plan.headers, authorization: `Bearer ${token}` } : { ...plan.headers };
}

async function watchedFetch(url, init) {
  const response = await fetch(url, init);
  if (response.status >= 400) {
    refusal = {
      status: response.status,
      challenge: response.headers.get("www-authenticate"),
      body: await response.clone().text(),
    };
  }
  return response;
}

async function make({ tool, arguments: args, meanwhile }) {
  const record = { tool, text: null, progress: [], meanwhile: null };
  seen.calls.push(record);
  let other;
  const onprogress = ({ progress }) => {
    record.progress.push(progress);
    if (meanwhile) other ??= callTool(meanwhile).catch((error) => `failed: ${error.message}`);
  };
  record.text = await callTool({ tool, arguments: args }, onprogress);
  record.meanwhile = (await other) ?? null;
}

async function callTool({ tool, arguments: args }, onprogress) {
  const result = await client.callTool({ name: tool, arguments: args }, { timeout: 15_000, onprogress });
  return (result.content ?? []).map((block) => block.text).join("");
}

// The first failure ends the run: what comes after it would only be its echo.
async function step(stage, work) {
  if (seen.failure) return;
  try {
    await work();
  } catch (error) {
    const status = error.status ?? error.data?.status ?? null;
    const answer = refusal?.status === status ? refusal : null;
    seen.failure = {
      stage,
      class: error.constructor.name,
      code: error.code === undefined ? null : String(error.code),
      message: error.message,
      status,
      challenge: answer?.challenge ?? null,
      body: answer?.body ?? null,
    };
  }
}

async function close() {
  try {
    await client.transport?.terminateSession?.();
    await client.close();
  } catch {
    // The session may be gone already, with the token that opened it.
  }
}
