// A proxy before a node, as people have one for TLS, with the faults of these:
// 502 while the node is away, refusals of its own, and connections that it cuts.
import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';

/// Starts one that ends with the test; with `tls`, a key and its certificate, it
/// speaks that. `to` is set to the node it passes on to, or to what tells it by
/// the Host that is asked for.
export async function startProxy(t, { tls = null } = {}) {
  const proxy = new Proxy(tls);
  await proxy.start();
  t.after(() => proxy.stop());
  return proxy;
}

class Proxy {
  to = null;
  /// The status that a request is refused with, by its path; 0: it passes.
  refuse = () => 0;
  #server;
  #scheme;
  #sockets = new Set();

  constructor(tls) {
    const pass = (request, answer) => this.#pass(request, answer);
    this.#server = tls ? createTlsServer(tls, pass) : createServer(pass);
    this.#scheme = tls ? 'https' : 'http';
  }

  async start() {
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    this.#server.on('upgrade', (request, socket, head) =>
      this.#upgrade(request, socket, head));
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `${this.#scheme}://127.0.0.1:${this.#server.address().port}`;
  }

  #behind(request) {
    return typeof this.to === 'function' ? this.to(request.headers.host)
      : this.to;
  }

  /// Ends all connections that are open.
  cut() {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  stop() {
    this.#server.close();
    this.cut();
  }

  #pass(request, answer) {
    const fail = (status) => {
      if (answer.headersSent) {
        answer.destroy();
      } else {
        answer.writeHead(status, { 'Content-Type': 'text/html' });
        answer.end('<h1>The proxy says no</h1>');
      }
    };
    const refused = this.refuse(request.url);
    if (refused) {
      request.resume();
      fail(refused);
      return;
    }
    const { method, headers, url: path } = request;
    const passed = ask(`${this.#behind(request).url}${path}`, { method, headers }, (from) => {
      answer.writeHead(from.statusCode, from.headers);
      answer.flushHeaders();
      from.pipe(answer);
      from.on('error', () => answer.destroy());
    });
    passed.on('error', () => fail(502));
    answer.on('close', () => passed.destroy());
    request.pipe(passed);
  }

  #upgrade(request, socket, head) {
    const far = connect(this.#behind(request).port, '127.0.0.1', () => {
      const lines = [`${request.method} ${request.url} HTTP/1.1`];
      for (let i = 0; i < request.rawHeaders.length; i += 2) {
        lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
      }
      far.write(`${lines.join('\r\n')}\r\n\r\n`);
      far.write(head);
      socket.pipe(far).pipe(socket);
    });
    far.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    socket.on('close', () => far.destroy());
  }
}
