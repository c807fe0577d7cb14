// A node of the server for one test: its process, its data directory and bare
// repository in a temporary directory, and calls to its API as admin.
//
// It listens on a port that the kernel picks, and keeps that port when it is
// started again. What it started is gone after the test, also where the test
// failed or the node was killed.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { within } from './deadline.js';

const binary = fileURLToPath(
  new URL('../../../build/release/greenroom', import.meta.url));

/// Starts a node with the project `demo`; it ends with the test `t`.
/// `sandbox` is the node's sandbox.mode, `set` has more of its settings.
export async function startNode(t, { sandbox = 'none', set = [] } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'greenroom-clients-'));
  const node = new Node(dir, sandbox, set);
  t.after(() => node.remove());
  makeRepository(node.repository);
  await node.start();
  const key = await readFile(join(node.dir, 'data', 'admin.key'), 'utf8');
  node.key = key.trim();
  return node;
}

/// A port of the machine's that is free now.
export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

function makeRepository(path) {
  const git = (...args) =>
    execFileSync('git', args, { encoding: 'utf8', input: '' }).trim();
  git('init', '--quiet', '--bare', '--initial-branch=main', path);
  const tree = git('-C', path, 'mktree');
  const commit = git('-C', path, '-c', 'user.name=Test',
    '-c', 'user.email=test@example.com', 'commit-tree', '-m', 'Begin', tree);
  git('-C', path, 'update-ref', 'refs/heads/main', commit);
}

class Node {
  key = '';
  port = 0;
  #process = null;
  #sessions = [];

  constructor(dir, sandbox, set) {
    this.dir = dir;
    this.sandbox = sandbox;
    this.set = set;
    this.repository = join(dir, 'demo.git');
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get authorization() {
    return { Authorization: `Bearer ${this.key}` };
  }

  /// Returns once the node serves.
  async start() {
    const project = {
      id: 'demo',
      repo: this.repository,
      max_active_sessions: 20,
    };
    const settings = [
      `node.data_dir=${join(this.dir, 'data')}`,
      `http.listen=127.0.0.1:${this.port}`,
      'preview.listen=127.0.0.1:0',
      `sandbox.mode=${this.sandbox}`,
      `projects=${JSON.stringify([project])}`,
      ...this.set,
    ];
    const child = spawn(binary,
      ['serve', ...settings.flatMap((setting) => ['--set', setting])],
      { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    const log = [];
    const serves = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', () => reject(new Error(`it ended:\n${log.join('\n')}`)));
      createInterface({ input: child.stderr }).on('line', (line) => {
        log.push(line);
        const found = / serves at http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
        if (found) {
          resolve(Number(found[1]));
        }
      });
    });
    this.port = await within(15, () => `the node serves:\n${log.join('\n')}`,
      serves);
  }

  /// Ends the process at once, as a power cut would.
  kill() {
    return this.#end('SIGKILL');
  }

  async #end(signal) {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) {
      return;
    }
    const ended = once(child, 'exit');
    child.kill(signal);
    try {
      await within(15, `the node ends after ${signal}`, ended);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /// The answer's `data`. Any status that is no success is an error.
  async call(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        ...this.authorization,
        ...(body ? { 'Content-Type': 'application/json' } : {}),
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text).data;
  }

  /// A new session on a branch of its own, with its `path` in the API.
  async makeSession() {
    const session = await this.call('POST', '/projects/demo/sessions',
      { new_branch: `work-${this.#sessions.length + 1}` });
    this.#sessions.push(session.id);
    return { ...session, path: `/projects/demo/sessions/${session.id}` };
  }

  async createSession() {
    return (await this.makeSession()).path;
  }

  /// Where a session's files lie.
  checkout(id) {
    return join(this.dir, 'data', 'sessions', id, 'checkout');
  }

  async remove() {
    await this.#end('SIGTERM').finally(async () => {
      await this.#killLeftovers();
      await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
    });
  }

  /// Runners and commands outlive their node, by design.
  async #killLeftovers() {
    for (const pid of await readdir('/proc')) {
      if (!/^\d+$/.test(pid)) {
        continue;
      }
      // A process may end, or be another user's.
      const environ = await readFile(`/proc/${pid}/environ`, 'latin1')
        .catch(() => '');
      const id = /(?:^|\0)GREENROOM_SESSION_ID=([^\0]*)/.exec(environ)?.[1];
      if (this.#sessions.includes(id)) {
        try {
          process.kill(Number(pid), 'SIGKILL');
        } catch {
          // It has just ended.
        }
      }
    }
  }
}
