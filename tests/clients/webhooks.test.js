// Webhooks as the library of Standard Webhooks reads them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { Webhook, WebhookVerificationError } from 'standardwebhooks';

import { within } from './lib/deadline.js';
import { startNode } from './lib/node.js';

/// Takes deliveries, and gives them one after the other.
async function startReceiver(t) {
  const waiting = [];
  const come = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (piece) => { body += piece; });
    request.on('end', () => {
      response.writeHead(204).end();
      const delivery = { headers: request.headers, body };
      const next = waiting.shift();
      if (next) {
        next(delivery);
      } else {
        come.push(delivery);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    next: () => within(15, 'a delivery', come.length > 0
      ? Promise.resolve(come.shift())
      : new Promise((resolve) => { waiting.push(resolve); })),
  };
}

test('standardwebhooks verifies what is delivered', async (t) => {
  const node = await startNode(t, {
    set: ['webhooks.allow_networks=["127.0.0.1"]'],
  });
  const receiver = await startReceiver(t);
  const made = await node.call('POST', '/projects/demo/webhooks',
    { url: receiver.url });
  const library = new Webhook(made.secret);

  const path = await node.createSession();
  const created = await receiver.next();
  const event = library.verify(created.body, created.headers);
  assert.equal(event.type, 'session.created');
  assert.ok(path.endsWith(event.data.id));

  const tested = await node.call('POST',
    `/projects/demo/webhooks/${made.id}/test`, {});
  const sent = await receiver.next();
  assert.equal(library.verify(sent.body, sent.headers).type, 'webhook.test');
  assert.equal(sent.headers['webhook-id'], tested.id);

  // It is the body, the id and the time that are signed.
  const changes = [
    [`${sent.body} `, sent.headers],
    [sent.body, { ...sent.headers, 'webhook-id': created.headers['webhook-id'] }],
    [sent.body, {
      ...sent.headers,
      'webhook-timestamp': `${Number(sent.headers['webhook-timestamp']) + 1}`,
    }],
  ];
  for (const [body, headers] of changes) {
    assert.throws(() => library.verify(body, headers),
      WebhookVerificationError);
  }
});
