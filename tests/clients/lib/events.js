// What a client received from an event stream, and what it should have.
import assert from 'node:assert/strict';

import { within } from './deadline.js';

/// EventSource has no way to listen to all.
export const eventNames = [
  'session.created', 'session.extended', 'session.expiring', 'session.ended', 'session.moved',
  'exec.queued', 'exec.started', 'exec.output', 'exec.exited',
  'git.pushed', 'git.committed', 'preview.ready', 'preview.gone',
  'checkin.started', 'checkin.finished',
  'review.queued', 'review.started', 'review.finished',
  'stream.gap', 'message',
];

/// Collects the events of one stream, in the order of their arrival.
export class Received {
  /// Of `id`, `type` and `data`, the text as it came.
  events = [];
  #output = '';
  #waiting = new Set();

  add({ id, type, data }) {
    this.events.push({ id, type, data });
    if (type === 'exec.output') {
      this.#output += outputOf(data);
    }
    for (const look of this.#waiting) {
      look();
    }
  }

  /// Returns once `holds()`, which is looked at after each event.
  async #until(seconds, what, holds) {
    let look;
    const held = new Promise((resolve) => {
      look = () => holds() && resolve();
    });
    this.#waiting.add(look);
    look();
    try {
      await within(seconds, () => `${what}; ${this.events.length} events came, `
        + `the last is ${JSON.stringify(this.events.at(-1))}`, held);
    } finally {
      this.#waiting.delete(look);
    }
  }

  /// Returns once an event of this type has come.
  has(type, seconds = 15) {
    return this.#until(seconds, `the client receives ${type}`,
      () => this.events.some((event) => event.type === type));
  }

  /// Returns once that much output has come.
  hasOutput(length, seconds = 30) {
    return this.#until(seconds, `the client receives ${length} of output`,
      () => this.#output.length >= length);
  }
}

function outputOf(data) {
  const { data: text, encoding } = JSON.parse(data);
  return encoding === 'base64'
    ? Buffer.from(text, 'base64').toString('utf8') : text;
}

/// All events of a session that is over, from one request that nothing
/// disturbed.
export async function replay(node, path) {
  const answer = await fetch(`${node.url}${path}/events?from=earliest`,
    { headers: node.authorization });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'text/event-stream');
  const blocks = (await answer.text()).split('\n\n');
  return blocks.map((block) => ({
    // The last counts: the first block also has that of the stream's beginning.
    id: [...block.matchAll(/^id: (.*)$/mg)].at(-1)?.[1],
    type: /^event: (.*)$/m.exec(block)?.[1],
    data: /^data: (.*)$/m.exec(block)?.[1],
  })).filter((event) => event.data !== undefined);
}

/// Fails unless `events` are all of the session's, each once and in order, and
/// tell of one command `execId` that printed `text` and exited with 0.
export function checkWhole(events, all, execId, text) {
  const ids = events.map((event) => event.id);
  for (const id of ids) {
    assert.match(id, /^\d+-\d+$/);
  }
  for (let i = 1; i < ids.length; ++i) {
    const [epoch, seq] = ids[i].split('-').map(Number);
    const [epochBefore, seqBefore] = ids[i - 1].split('-').map(Number);
    assert.ok(seq > seqBefore && epoch >= epochBefore,
      `${ids[i]} came after ${ids[i - 1]}`);
  }
  assert.deepEqual(ids, all.map((event) => event.id));
  assert.deepEqual(events, all);
  assert.equal(events[0].type, 'session.created');
  assert.equal(events.at(-1).type, 'session.ended');

  const ofExec = events
    .map(({ type, data }) => ({ type, ...JSON.parse(data) }))
    .filter((event) => event.exec_id === execId);
  const types = ofExec.map((event) => event.type)
    .filter((type) => type !== 'exec.output' && type !== 'exec.queued');
  assert.deepEqual(types, ['exec.started', 'exec.exited']);
  const exited = ofExec.at(-1);
  assert.equal(exited.type, 'exec.exited');
  assert.equal(exited.status, 'exited');
  assert.equal(exited.exit_code, 0);

  let offset = 0;
  const pieces = [];
  for (const event of ofExec.filter(({ type }) => type === 'exec.output')) {
    assert.equal(event.stream, 'stdout');
    assert.equal(event.offset, offset);
    const bytes = Buffer.from(event.data, event.encoding);
    offset += bytes.length;
    pieces.push(bytes);
  }
  assert.ok(Buffer.concat(pieces).equals(Buffer.from(text)),
    'the output is not what the command printed');
}
