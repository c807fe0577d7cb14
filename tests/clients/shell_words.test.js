// What the console puts into the clipboard for a shell is one word for it,
// whatever somebody has called a branch.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { shellQuoted } from '../../http/console/format.js';

test('a shell takes what the console quotes for one word', () => {
  const words = ['main', "x';echo${IFS}hi;'", '$(id)', '`id`', 'a|b', 'a&b',
    "'", "''", '"', '\\', '*', '~', '#a', 'a\nb', ''];
  for (const shell of ['sh', 'bash']) {
    const script = `printf '%s\\0' ${words.map(shellQuoted).join(' ')}`;
    const seen = execFileSync(shell, ['-c', script], { encoding: 'utf8' });
    assert.deepEqual(seen.split('\0').slice(0, -1), words);
  }
});
