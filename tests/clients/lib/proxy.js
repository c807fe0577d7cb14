// A TCP proxy before a node that cuts event streams: some bytes of the answer
// to a `GET …/events` pass, then the connection is closed or reset. Other
// requests pass unharmed.
import { EventEmitter, once } from 'node:events';
import { connect, createServer } from 'node:net';

const eventsRequest = /^GET (\S*\/events\b\S*) HTTP\/1\.1\r\n/;
const endsWithId = /\nid: [^\n]*\n$/;
const heartbeat = Buffer.from('2\r\n:\n\r\n'); // a chunk of its own
const lastEventId = /\r\nlast-event-id: *([^\r]*)\r\n/i;

/// A random number of bytes, from 1 to `most`, for each of `count` cuts.
export function randomCuts(count, most) {
  return Array.from({ length: count },
    () => 1 + Math.floor(Math.random() * most));
}

/// Cuts in the middle of an event: within its first line, its data, its id.
export const cutsAmidEvents = ['event: exec.', 'data: {"', '\nid: '];

/// Starts a proxy to `port`; it ends with the test. The first event streams
/// end as `cuts` says, each after a number of bytes or right behind the first
/// appearance of a text; later ones are left alone.
/// `sparesEnds`: no cut goes between an event's id line and its empty line,
/// for clients that keep the id before they hand the event on.
export async function startProxy(t, port, cuts, { sparesEnds = false } = {}) {
  const proxy = new Proxy(port, cuts, sparesEnds);
  t.after(() => proxy.close());
  t.diagnostic(`cuts after ${JSON.stringify(cuts)}`);
  await proxy.listen();
  return proxy;
}

/// Emits `cut` after each, and `heartbeat` for each that it passes on.
class Proxy extends EventEmitter {
  /// The event streams that were asked for: `path` and `lastEventId`.
  requests = [];
  cuts = 0;
  #planned;
  #sparesEnds;
  #server;
  #open = new Set();

  constructor(port, cuts, sparesEnds) {
    super();
    this.#planned = [...cuts];
    this.#sparesEnds = sparesEnds;
    this.#server = createServer((client) => this.#serve(client, port));
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  close() {
    this.#server.close();
    for (const client of this.#open) {
      client.destroy();
    }
  }

  #serve(client, port) {
    const upstream = connect(port, '127.0.0.1');
    let left = Infinity; // bytes until the cut
    let behind = null; // the text of the cut, if it is one
    this.#open.add(client);
    client.on('data', (bytes) => {
      // Clients send the head of a GET in one piece.
      const head = bytes.toString('latin1');
      const found = eventsRequest.exec(head);
      if (found) {
        this.requests.push({
          path: found[1],
          lastEventId: lastEventId.exec(head)?.[1],
        });
        const cut = this.#planned.shift() ?? Infinity;
        [left, behind] =
          typeof cut === 'string' ? [Infinity, cut] : [cut, null];
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      const at = behind === null ? -1 : bytes.indexOf(behind);
      if (at >= 0) {
        left = at + Buffer.byteLength(behind);
      }
      if (bytes.length < left) {
        left -= bytes.length;
        client.write(bytes);
        if (bytes.equals(heartbeat)) {
          this.emit('heartbeat');
        }
        return;
      }
      if (this.#sparesEnds && bytes.subarray(0, left).includes('\nid: ')
          && endsWithId.test(bytes.toString('latin1', 0, left))) {
        left -= 1;
      }
      upstream.destroy();
      client.write(bytes.subarray(0, left), () => {
        // Clients see both in the wild: an end too early, and a reset.
        if (this.cuts % 2 === 0) {
          client.destroy();
        } else {
          client.resetAndDestroy();
        }
        this.cuts += 1;
        this.emit('cut');
      });
    });
    upstream.on('end', () => client.end());
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
    client.on('close', () => {
      this.#open.delete(client);
      upstream.destroy();
    });
  }
}
