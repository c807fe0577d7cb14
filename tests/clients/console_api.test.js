// How the console asks the server, without a browser.
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';

import { maker } from '../../http/console/api.js';

globalThis.crypto ??= webcrypto; // Node.js 18 has none by that name

/// Each asks for the same and gets the next of `answers`; the Idempotency-Keys
/// that were sent, as the number of the ask that was the first with each.
async function keysOf(t, answers) {
  const sent = [];
  t.mock.method(globalThis, 'fetch', async (path, { headers }) => {
    sent.push(headers['Idempotency-Key']);
    return answers[sent.length - 1]();
  });
  const make = maker();
  for (let i = 0; i < answers.length; ++i) {
    await make('/things', { name: 'one' }).catch(() => {});
  }
  return sent.map((key) => sent.indexOf(key));
}

const made = () => new Response('{"data":{}}', { status: 201 });
const refused = (status, code, retryable) => () => new Response(
  JSON.stringify({ error: { code, message: 'no', details: { retryable } } }),
  { status });

test('what may have been made is asked for as the same, all else anew',
  async (t) => {
    const unsure = {
      'no answer': () => { throw new TypeError('Failed to fetch'); },
      'an answer that was cut off': () => new Response('{"da', { status: 201 }),
      'that of a proxy': () => new Response('<h1>no</h1>', { status: 403 }),
      'a timeout': refused(504, 'TIMEOUT', true),
      'an answer that could not be kept': refused(503, 'UNAVAILABLE', true),
      'a fault of the server': refused(500, 'INTERNAL', false),
      'the first is being served': refused(409, 'CONFLICT', true),
    };
    for (const [what, answer] of Object.entries(unsure)) {
      assert.deepEqual(await keysOf(t, [answer, answer, made, made]),
        [0, 0, 0, 3], what);
    }
    const sure = refused(409, 'CONFLICT', false);
    assert.deepEqual(await keysOf(t, [sure, sure, made]), [0, 1, 2]);
  });
