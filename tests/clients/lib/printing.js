// A command in a session that prints numbered lines when the test says so.
//
// The test holds a socket; the command connects to it, prints some lines for
// each byte that it reads, and answers with a byte once they are printed. So
// the test knows what was printed without looking at the server, and the
// command goes on while there is none. This file is both sides: run as a
// program, it is the command.
import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { within } from './deadline.js';

const file = fileURLToPath(import.meta.url);
const linesOfStep = 10;

/// What the command prints, in all; not only ASCII, so that a cut can go
/// through a character.
export function printedText(lines) {
  let text = '';
  for (let i = 1; i <= lines; ++i) {
    text += `line ${i} of many — grüner Raum 🌿\n`;
  }
  return text;
}

/// Starts the command in the session at `path`; it is to print `lines`.
export async function startPrinting(t, node, path, lines) {
  const socket = join(node.dir, 'printing');
  const server = createServer();
  t.after(() => server.close());
  server.listen(socket);
  await once(server, 'listening');
  const connected = once(server, 'connection');
  const exec = await node.call('POST', `${path}/exec`,
    { argv: [process.execPath, file, socket] });
  const [connection] =
    await within(15, 'the command connects to the test', connected);
  t.after(() => connection.destroy());
  return new Printing(exec.exec_id, connection, lines);
}

class Printing {
  #connection;
  #lines;
  #printed = 0;
  #last = Promise.resolve();

  constructor(execId, connection, lines) {
    this.execId = execId;
    this.#connection = connection;
    this.#lines = lines;
  }

  /// Lines that are printed or being printed.
  get printed() {
    return this.#printed;
  }

  get done() {
    return this.#printed >= this.#lines;
  }

  /// Prints the next lines. Returns once they are printed; nothing is left to
  /// do after the last.
  step() {
    if (!this.done) {
      this.#printed += linesOfStep;
      this.#last = this.#last.then(async () => {
        const answer = once(this.#connection, 'data');
        this.#connection.write('.');
        await within(10, 'the command has printed its next lines', answer);
      });
    }
    return this.#last;
  }

  /// Lets the command exit.
  end() {
    this.#connection.end();
  }

  /// Prints the rest: some lines while nobody watches, which is after each cut
  /// of the proxy, others while the client waits for them.
  async printAll(proxy, received) {
    proxy.on('cut', () => this.step());
    while (!this.done) {
      await this.step();
      await received.hasOutput(printedText(this.printed).length);
    }
    this.end();
    await received.has('exec.exited');
  }
}

if (process.argv[1] === file) {
  const connection = createConnection(process.argv[2]);
  const all = printedText(100_000).split(/(?<=\n)/);
  let next = 0;
  connection.on('data', (steps) => {
    for (let i = 0; i < steps.length; ++i) {
      const text = all.slice(next, next + linesOfStep).join('');
      next += linesOfStep;
      process.stdout.write(text, () => connection.write('.'));
    }
  });
}
