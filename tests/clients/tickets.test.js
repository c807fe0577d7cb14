// A page of another origin, which has no key, opens streams by tickets: with a
// browser's own EventSource and WebSocket.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { openPage } from './lib/browser.js';
import { within } from './lib/deadline.js';
import { startNode } from './lib/node.js';

/// Some other site.
async function startSite(t) {
  const server = createServer((_, answer) => answer.end('a page'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

test('a page of another origin opens a stream for each ticket', async (t) => {
  const node = await startNode(t);
  const path = await node.createSession();
  const page = await openPage(t, await startSite(t));
  const ticket = async () =>
    (await node.call('POST', `${path}/stream-ticket`)).ticket;

  const events = `${node.url}${path}/events?from=earliest&ticket=`;
  const watch = (url) => page.evaluate((from) => new Promise((resolve) => {
    const source = new EventSource(from);
    source.addEventListener('session.created', (event) => {
      source.close();
      resolve(JSON.parse(event.data).session_id);
    });
    source.addEventListener('error', () => resolve(source.readyState));
  }), url);
  const closed = 2;
  const used = await ticket();
  const seen = await within(15, 'the first event', watch(events + used));
  assert.equal(seen, path.split('/').at(-1));
  assert.equal(await within(15, 'a refusal', watch(events + used)), closed);
  assert.equal(await within(15, 'a refusal', watch(events + 'x')), closed);

  await node.call('POST', `${path}/exec`, {
    exec_id: 'terminal', command: 'read word; echo "got $word"',
    tty: { rows: 24, cols: 80 },
  });
  const socket = node.url.replace('http', 'ws')
    + `${path}/execs/terminal/attach?ticket=${await ticket()}`;
  const shown = await within(15, 'the terminal', page.evaluate(
    (url) => new Promise((resolve) => {
      const terminal = new WebSocket(url);
      terminal.binaryType = 'arraybuffer';
      let text = '';
      terminal.onopen = () => terminal.send('hello\r');
      terminal.onmessage = ({ data }) => {
        text += new TextDecoder().decode(data);
      };
      terminal.onclose = () => resolve(text);
    }), socket));
  assert.match(shown, /got hello/);
});
