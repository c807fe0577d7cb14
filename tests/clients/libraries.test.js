// The event stream as other libraries of npm see it: two in a page of Chromium,
// where they send the key in a header, and a parser around Node's own fetch.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';

import { createParser } from 'eventsource-parser';

import { loadLibrary, openPage } from './lib/browser.js';
import { within } from './lib/deadline.js';
import { Received, checkWhole, eventNames, replay } from './lib/events.js';
import { startNode } from './lib/node.js';
import { printedText, startPrinting } from './lib/printing.js';
import { cutsAmidEvents, randomCuts, startProxy } from './lib/proxy.js';

const lines = 1000;

/// Each watches `url` and gives the events to `received`. Returns a promise
/// that settles once the client has stopped.
const clients = {
  '@microsoft/fetch-event-source': {
    // It keeps an id before it hands the event on.
    sparesEnds: true,
    requestsAfterEnd: 0,
    async watch(t, origin, path, headers, received) {
      const page = await openPage(t, origin);
      await page.exposeFunction('received', (event) => received.add(event));
      await loadLibrary(page, '@microsoft/fetch-event-source/lib/esm/fetch.js');
      return page.evaluate(async ([path, headers]) => {
        const complaints = [];
        await window.library.fetchEventSource(path, {
          headers,
          onmessage({ id, event, data }) {
            JSON.parse(data);
            window.received({ id, type: event, data });
          },
          onerror(error) {
            // A cut is a TypeError of fetch, and tried again.
            if (!(error instanceof TypeError)) {
              complaints.push(String(error));
            }
          },
        });
        return complaints;
      }, [path, headers]);
    },
  },
  'sse.js': {
    requestsAfterEnd: 0,
    async watch(t, origin, path, headers, received) {
      const page = await openPage(t, origin);
      await page.exposeFunction('received', (event) => received.add(event));
      await loadLibrary(page, 'sse.js/lib/sse.js');
      return page.evaluate(([path, headers, eventNames]) =>
        new Promise((resolve) => {
          const source = new window.library.SSE(path, {
            headers, autoReconnect: true, useLastEventId: true,
          });
          for (const type of eventNames) {
            source.addEventListener(type, ({ id, data }) => {
              JSON.parse(data);
              window.received({ id, type, data });
              if (type === 'session.ended') {
                // It knows no end of a stream, so its user closes it.
                source.close();
                resolve([]);
              }
            });
          }
        }), [path, headers, eventNames]);
    },
  },
  'eventsource-parser': {
    requestsAfterEnd: 1,
    async watch(t, origin, path, headers, received) {
      let lastEventId;
      const parser = createParser({
        onEvent({ id, event, data }) {
          JSON.parse(data);
          lastEventId = id;
          received.add({ id, type: event, data });
        },
      });
      for (;;) {
        const answer = await fetch(origin + path, {
          headers: {
            ...headers, ...lastEventId && { 'Last-Event-ID': lastEventId },
          },
        }).catch(() => null); // cut within the head
        if (answer?.status === 204) {
          return [];
        }
        try {
          const decoder = new TextDecoder();
          for await (const bytes of answer?.body ?? []) {
            parser.feed(decoder.decode(bytes, { stream: true }));
          }
        } catch {
          // cut
        }
        parser.reset();
      }
    },
  },
};

describe('libraries of npm', { concurrency: true }, () => {
  for (const [name, client] of Object.entries(clients)) {
    test(`${name} gets each event once, and stops`, async (t) => {
      const node = await startNode(t);
      const cuts = [...cutsAmidEvents, ...randomCuts(7, 7000)];
      const proxy = await startProxy(t, node.port, cuts, client);
      const path = await node.createSession();
      const received = new Received();
      const heartbeat = once(proxy, 'heartbeat');
      const stopped = client.watch(t, proxy.url,
        `${path}/events?from=earliest`, node.authorization, received);
      stopped.catch(() => {}); // told below
      const printing = await startPrinting(t, node, path, lines);
      await printing.printAll(proxy, received);
      await within(15, 'a heartbeat comes', heartbeat);
      await node.call('DELETE', path);
      await received.has('session.ended');

      assert.deepEqual(await within(15, `${name} stops`, stopped), []);
      assert.equal(proxy.cuts, cuts.length);
      assert.equal(proxy.requests.length,
        cuts.length + 1 + client.requestsAfterEnd);
      checkWhole(received.events, await replay(node, path), printing.execId,
        printedText(lines));
    });
  }
});
