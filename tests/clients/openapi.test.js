// The API's document as the linters of OpenAPI see it: both find nothing. What
// they cannot know (a WebSocket answers 101) is in openapi.rules.*.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startNode } from './lib/node.js';

const here = fileURLToPath(new URL('.', import.meta.url));

/// What a linter says and how it ends.
const lint = (name, ...args) => new Promise((resolve) => {
  const program = join(here, 'node_modules', '.bin', name);
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', NO_COLOR: '1' };
  execFile(program, args, { cwd: here, env }, (error, out, err) =>
    resolve({ code: error?.code ?? 0, text: out + err }));
});

test('linters find nothing in the OpenAPI document', async (t) => {
  const node = await startNode(t);
  const file = join(node.dir, 'openapi.json');
  const answer = await fetch(`${node.url}/openapi.json`);
  assert.equal(answer.status, 200);
  await writeFile(file, await answer.text());

  const redocly =
    await lint('redocly', 'lint', '--config', 'openapi.rules.yaml', file);
  assert.equal(redocly.code, 0, redocly.text);
  assert.doesNotMatch(redocly.text, /Warning was generated/);

  const spectral = await lint('spectral', 'lint', '--fail-severity', 'hint',
    '--ruleset', 'openapi.rules.json', file);
  assert.equal(spectral.code, 0, spectral.text);
});
