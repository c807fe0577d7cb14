// /metrics as Prometheus reads it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { startNode } from './lib/node.js';

test('promtool finds no fault in the metrics', async (t) => {
  const node = await startNode(t);
  const path = await node.createSession();
  await node.call('POST', `${path}/exec`, { command: 'echo hi', wait: '10s' });
  await fetch(`${node.url}/no/such/route`);
  const answer = await fetch(`${node.url}/metrics`, {
    headers: node.authorization,
  });
  assert.equal(answer.status, 200);
  const page = await answer.text();
  assert.match(page, /^greenroom_sessions\{status="active"\} 1$/m);
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: page });
  assert.ifError(checked.error);
  assert.equal(checked.stdout.toString() + checked.stderr.toString(), '');
  assert.equal(checked.status, 0);
});
