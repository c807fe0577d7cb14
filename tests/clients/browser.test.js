// The event stream as a browser's own EventSource sees it, in a page of the
// same origin.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openPage } from './lib/browser.js';
import { within } from './lib/deadline.js';
import { Received, checkWhole, eventNames, replay } from './lib/events.js';
import { startNode } from './lib/node.js';
import { printedText, startPrinting } from './lib/printing.js';
import { cutsAmidEvents, randomCuts, startProxy } from './lib/proxy.js';

const lines = 500;

/// Watches `path` with an EventSource named `name`, which stays in the page.
async function watch(page, name, path) {
  const received = new Received();
  await page.exposeFunction(`${name}_received`, (event) =>
    received.add(event));
  const stopped = new Promise((resolve) => {
    page.on('response', (response) => {
      if (response.url().endsWith(path) && response.status() === 204) {
        resolve();
      }
    });
  });
  await page.evaluate(([name, path, eventNames]) => {
    const source = new EventSource(path);
    for (const type of eventNames) {
      source.addEventListener(type, ({ lastEventId, data }) =>
        window[`${name}_received`]({ id: lastEventId, type, data }));
    }
    window[name] = source;
    window[`${name}_closed`] = new Promise((resolve) => {
      source.addEventListener('error', () => {
        if (source.readyState === EventSource.CLOSED) {
          resolve();
        }
      });
    });
  }, [name, path, eventNames]);
  return {
    received,
    /// Returns once the server has answered 204 and the page's EventSource has
    /// given up.
    async stopped() {
      await within(15, `${name} gets 204`, stopped);
      await within(15, `${name} is closed`,
        page.evaluate((name) => window[`${name}_closed`], name));
    },
  };
}

test('a browser gets each event once, and stops at the end', async (t) => {
  const node = await startNode(t);
  const cuts = [...cutsAmidEvents, ...randomCuts(3, 5000)];
  const proxy = await startProxy(t, node.port, cuts);
  const path = await node.createSession();
  const page = await openPage(t, proxy.url, node.authorization);
  const events = `${path}/events?from=earliest`;
  const first = await watch(page, 'first', events);
  const printing = await startPrinting(t, node, path, lines);

  await printing.printAll(proxy, first.received);
  await node.call('DELETE', path);
  await first.received.has('session.ended');
  await first.stopped();
  const last = first.received.events.at(-1).id;
  const requests = cuts.length + 2;
  assert.equal(proxy.cuts, cuts.length);
  assert.equal(proxy.requests.length, requests);
  assert.equal(proxy.requests.at(-1).lastEventId, last);

  // Another watcher, of the session that is over, takes as long as it takes a
  // client to come back. The first one does not.
  const second = await watch(page, 'second', events);
  await second.received.has('session.ended');
  await second.stopped();
  assert.equal(proxy.requests.length, requests + 2);

  const all = await replay(node, path);
  for (const { received } of [first, second]) {
    checkWhole(received.events, all, printing.execId, printedText(lines));
  }
});
