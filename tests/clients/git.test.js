// A session's repository as other programs than git clone, push and fetch it.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { startNode } from './lib/node.js';

const run = promisify(execFile);
const program = (name) =>
  fileURLToPath(new URL(`programs/${name}`, import.meta.url));
const jars = '/usr/share/java';

function jgitPath() {
  const wanted = /^(org\.eclipse\.jgit|slf4j-api|slf4j-nop|JavaEWAH|javaewah|jsch)\.jar$/;
  return readdirSync(jars).filter((name) => wanted.test(name))
    .map((name) => join(jars, name)).join(':');
}

const clients = {
  dulwich: () => ['/usr/bin/python3', program('dulwich_client.py')],
  libgit2: () => ['/usr/bin/python3', program('pygit2_client.py')],
  'isomorphic-git': () => [process.execPath, program('isomorphic_client.js')],
  JGit: () => ['java', '-cp', jgitPath(), program('JGitClient.java')],
};

const missing = {
  JGit: () => !existsSync(join(jars, 'org.eclipse.jgit.jar')),
};

for (const [name, command] of Object.entries(clients)) {
  test(`${name} clones, pushes and fetches`, async (t) => {
    if (missing[name]?.()) {
      t.skip('it is not installed');
      return;
    }
    const node = await startNode(t);
    const home = await mkdtemp(join(tmpdir(), 'greenroom-git-'));
    t.after(() => rm(home, { recursive: true, force: true }));
    const session = await node.createSession();
    const { auth_clone_url: url } =
      await node.call('POST', `${session}/clone-token`, {});
    const client = async (...args) => {
      const [file, ...before] = command();
      const answer = await run(file, [...before, ...args],
        { timeout: 60_000, env: { ...process.env, SESSION_URL: url } });
      return answer.stdout.trim().split('\n');
    };
    const exec = (text) => node.call('POST', `${session}/exec`,
      { command: text, wait: '20s' });

    const mine = join(home, 'mine');
    await client('clone', url, mine);
    await client('push', mine, 'pushed.txt');
    const pushed = await exec('cat pushed.txt; git status --porcelain');
    assert.match(pushed.stdout, new RegExp(`^by ${name}\n$`));

    const made = await exec(
      'echo made >made.txt; git add .; git commit -qm Made; git rev-parse HEAD');
    const [own, main] = await client('fetch', mine);
    assert.equal(own, made.stdout.trim());
    assert.equal(main, execFileSync('git',
      ['-C', node.repository, 'rev-parse', 'main'], { encoding: 'utf8' }).trim());
  });
}
