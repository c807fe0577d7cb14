#!/usr/bin/env bash
# @microsoft/fetch-event-source 2.0.1 calls onmessage for a block that has no
# data, such as a comment followed by an empty line.
#
# The HTML standard says that a block whose data is empty is not dispatched, and
# a comment with an empty line is the usual heartbeat. A client that parses
# m.data as JSON throws at the first heartbeat, and the library then reconnects.
# Servers that want to be read by it write a heartbeat as a bare comment line.
#
# Seen with Node.js 20: 3 calls for 1 event, two of them with data "".
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @microsoft/fetch-event-source@2.0.1
cat >try.mjs <<'JS'
import http from 'node:http';
import { createRequire } from 'node:module';
// The package asks for a page around it.
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
globalThis.window = globalThis;
const require = createRequire(import.meta.url);
const { fetchEventSource } = require('@microsoft/fetch-event-source');

const server = http.createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(': heartbeat\n\nretry: 1000\n\nid: 1\ndata: {"n":1}\n\n');
});
server.listen(0, '127.0.0.1', async () => {
  const seen = [];
  const stop = new AbortController();
  await fetchEventSource(`http://127.0.0.1:${server.address().port}/`, {
    signal: stop.signal,
    onmessage: (m) => seen.push(m.data),
  });
  server.close();
  console.log(JSON.stringify(seen));
});
JS
seen=$(node try.mjs)
echo "@microsoft/fetch-event-source 2.0.1, node $(node --version): onmessage got $seen"
[ "$seen" = '["","","{\"n\":1}"]' ] || { echo "this has changed"; exit 1; }
