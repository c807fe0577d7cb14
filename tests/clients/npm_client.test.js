// The event stream as the client library `eventsource` of npm sees it, which
// sends the key in a header and reconnects by itself.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { checkWhole, replay } from './lib/events.js';
import { startNode } from './lib/node.js';
import { watch } from './lib/npm_client.js';
import { printedText, startPrinting } from './lib/printing.js';
import { cutsAmidEvents, randomCuts, startProxy } from './lib/proxy.js';

const lines = 2000;

// Most of the time goes to the pauses before the client comes back.
describe('the client of npm', { concurrency: true }, () => {
  test('gets each event once, through many cuts', async (t) => {
    const node = await startNode(t);
    // Even the largest cuts take less than the stream has, so all are made.
    const cuts = [...cutsAmidEvents, ...randomCuts(11, 7000)];
    const proxy = await startProxy(t, node.port, cuts);
    const path = await node.createSession();
    const { source, received, stopped } =
      watch(t, `${proxy.url}${path}/events?from=earliest`, node.authorization);
    const printing = await startPrinting(t, node, path, lines);

    await printing.printAll(proxy, received);
    await node.call('DELETE', path);
    await received.has('session.ended');

    assert.equal(await stopped(), 204);
    assert.equal(source.readyState, source.CLOSED);
    assert.equal(proxy.cuts, cuts.length);
    assert.equal(proxy.requests.length, cuts.length + 2);
    assert.equal(proxy.requests.at(-1).lastEventId, received.events.at(-1).id);
    checkWhole(received.events, await replay(node, path), printing.execId,
      printedText(lines));
  });

  test('gets each event once though the node is killed', async (t) => {
    const node = await startNode(t);
    const path = await node.createSession();
    const { received, stopped } =
      watch(t, `${node.url}${path}/events?from=earliest`, node.authorization);
    const printing = await startPrinting(t, node, path, lines);
    const printUpTo = async (part) => {
      while (printing.printed < part * lines) {
        await printing.step();
      }
    };
    await printUpTo(0.3);
    await received.hasOutput(printedText(printing.printed).length);

    // In the middle of what the node writes down and sends.
    const printed = printUpTo(0.5);
    await node.kill();
    await printed;
    await printUpTo(0.7);
    await node.start();
    await printUpTo(1);
    await received.hasOutput(printedText(lines).length);

    printing.end();
    await received.has('exec.exited');
    await node.call('DELETE', path);
    await received.has('session.ended');
    assert.equal(await stopped(), 204);
    checkWhole(received.events, await replay(node, path), printing.execId,
      printedText(lines));
  });

  test('gets only what its filter lets pass', async (t) => {
    const node = await startNode(t);
    const path = await node.createSession();
    const { received, stopped } = watch(t,
      `${node.url}${path}/events?from=earliest&types=exec.exited&exec_id=mine`,
      node.authorization);
    const all = watch(t, `${node.url}${path}/events?from=earliest`,
      node.authorization);
    for (const [execId, code] of [['before', 0], ['mine', 3], ['after', 4]]) {
      const exec = await node.call('POST', `${path}/exec`,
        { command: `echo out; exit ${code}`, exec_id: execId, wait: '20s' });
      assert.equal(exec.exit_code, code);
    }
    await received.has('exec.exited');
    await node.call('DELETE', path);
    await all.received.has('session.ended');
    await all.stopped();
    // It never gets the id of session.ended, and is told all the same.
    assert.equal(await stopped(), 204);

    const expected = (await replay(node, path)).filter(({ type, data }) =>
      type === 'exec.exited' && JSON.parse(data).exec_id === 'mine');
    assert.equal(expected.length, 1);
    assert.equal(JSON.parse(expected[0].data).exit_code, 3);
    assert.deepEqual(received.events, expected);
  });
});
