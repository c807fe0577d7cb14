#!/usr/bin/env bash
# eventsource 4.1.1 forgets the id of a block that has no data.
#
# In the HTML standard an `id` field takes effect when the block ends, whether
# or not the block has data: a server can move a client's cursor without an
# event. This client keeps the id of the last block that was dispatched, so
# after a reconnect the server is asked for what it had marked as done.
#
# Seen with Node.js 20: Last-Event-ID is 1 after blocks with the ids 1 (data) and
# 2 (no data).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund eventsource@4.1.1
cat >try.mjs <<'JS'
import http from 'node:http';
import { EventSource } from 'eventsource';
let source;
const server = http.createServer((request, response) => {
  const last = request.headers['last-event-id'];
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  if (last === undefined && !server.again) {
    server.again = true;
    response.end('retry: 10\nid: 1\ndata: one\n\nid: 2\n\n');
    return;
  }
  console.log(String(last));
  source.close();
  response.end();
  server.close();
});
server.listen(0, '127.0.0.1', () => {
  source = new EventSource(`http://127.0.0.1:${server.address().port}/`);
});
JS
seen=$(node try.mjs)
echo "eventsource 4.1.1, node $(node --version): it reconnects with Last-Event-ID $seen (the standard: 2)"
[ "$seen" = 1 ] || { echo "this has changed"; exit 1; }
