// Previews in a browser, opened by a link as a person does: what development
// servers serve, with hot reload by `git push`, event streams and WebSockets.
//
// With SCREENSHOTS=DIR each test leaves a picture of its last page there.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  addPackages, Clone, makeReactApp, makeWebpackApp,
} from './lib/apps.js';
import { openBrowser } from './lib/browser.js';
import { within } from './lib/deadline.js';
import { check } from './lib/looks.js';
import { freePort, startNode } from './lib/node.js';

const sandboxes = ['none', 'bubblewrap'];

/// Without a sandbox a session's ports are the machine's.
async function portOf(sandbox, port) {
  return sandbox === 'none' ? await freePort() : port;
}

/// A page of a person of its own.
async function openPage(browser) {
  const page = await (await browser.newContext()).newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  return page;
}

async function picture(page, name) {
  if (process.env.SCREENSHOTS) {
    await page.screenshot({
      path: join(process.env.SCREENSHOTS, `${name}.png`),
    });
  }
}

/// Runs in the session's shell; returns once it runs.
function run(node, path, exec_id, command) {
  return node.call('POST', `${path}/exec`, { exec_id, command });
}

function write(name, text) {
  return `cat > ${name} <<'END'\n${text}\nEND\n`;
}

/// A link to the port's preview.
async function link(node, path, port) {
  const made = await node.call('POST', `${path}/ports/${port}/link`, {});
  return made.url;
}

function listening(node, path, port) {
  return node.call('GET', `${path}/wait?until=port:${port}&timeout=60s`);
}

function hasText(page, selector, text) {
  return page.waitForFunction(
    ([where, wanted]) =>
      document.querySelector(where)?.textContent.includes(wanted),
    [selector, text], { timeout: 60_000 });
}

for (const sandbox of sandboxes) {
  test(`a React app of Vite's template is reloaded hot by git push, \
sandbox ${sandbox}`, async (t) => {
    const node = await startNode(t, { sandbox });
    await makeReactApp(node.repository, node.dir);
    const session = await node.makeSession();
    const path = session.path;
    const port = await portOf(sandbox, 5173);
    const page = await openPage(await openBrowser(t));
    // Before anything listens: the page waits and then opens the app.
    await run(node, path, 'prepare', 'echo preparing it');
    await page.goto(await link(node, path, port));
    assert.match(await page.title(), /Waiting for the app/);
    await hasText(page, 'pre', 'preparing it');
    await check(page, `waiting-${sandbox}`);
    await addPackages(node.checkout(session.id));
    await run(node, path, 'vite',
      `exec npx vite --host 127.0.0.1 --port ${port} --strictPort`);
    await hasText(page, 'h1', 'Get started');
    assert.ok(!page.url().includes('greenroom_token'));
    // Styles, pictures and modules are there, and it works.
    await page.waitForFunction(() =>
      [...document.images].every((image) => image.naturalWidth > 0));
    await page.click('.counter');
    await hasText(page, '.counter', 'Count is 1');
    await page.evaluate(() => { window.same = true; });
    const clone = new Clone(session.auth_clone_url, join(node.dir, 'clone'));
    for (const heading of ['Second', 'Third']) {
      await clone.edit('src/App.jsx', (text) =>
        text.replace(/<h1>.*<\/h1>/, `<h1>${heading}</h1>`));
      await hasText(page, 'h1', heading);
    }
    await clone.edit('src/App.css', (text) =>
      `${text}\nh1 { color: rgb(1, 2, 3) !important }\n`);
    await page.waitForFunction(() => getComputedStyle(
      document.querySelector('h1')).color === 'rgb(1, 2, 3)',
    null, { timeout: 60_000 });
    assert.ok(await page.evaluate(() => window.same), 'it was not reloaded');
    await hasText(page, '.counter', 'Count is 1');
    await picture(page, `react-${sandbox}`);
    assert.deepEqual(page.faults, []);
  });
}

for (const sandbox of sandboxes) {
  test(`a page of webpack's development server is reloaded hot, \
sandbox ${sandbox}`, async (t) => {
    const node = await startNode(t, { sandbox });
    await makeWebpackApp(node.repository, node.dir);
    // It takes WebSockets from its own address only.
    await node.call('PATCH', '/projects/demo',
      { preview: { rewrite_origin: true } });
    const session = await node.makeSession();
    const port = await portOf(sandbox, 8080);
    await run(node, session.path, 'prepare', 'true');
    await addPackages(node.checkout(session.id));
    await run(node, session.path, 'webpack',
      `exec npx webpack serve --no-open --port ${port}`);
    await listening(node, session.path, port);
    const page = await openPage(await openBrowser(t));
    await page.goto(await link(node, session.path, port));
    await hasText(page, '#text', 'first');
    await page.evaluate(() => { window.same = true; });
    const clone = new Clone(session.auth_clone_url, join(node.dir, 'clone'));
    await clone.edit('src/text.js', (text) => text.replace('first', 'second'));
    await hasText(page, '#text', 'second');
    assert.ok(await page.evaluate(() => window.same), 'it was not reloaded');
    await picture(page, `webpack-${sandbox}`);
    assert.deepEqual(page.faults, []);
  });
}

test('two sessions show the same port at once', async (t) => {
  const node = await startNode(t, { sandbox: 'bubblewrap' });
  const browser = await openBrowser(t);
  const pages = [];
  for (const name of ['one', 'two']) {
    const path = await node.createSession();
    await run(node, path, 'web',
      `${write('index.html', `<title>${name}</title><p>This is ${name}.`)}
       exec python3 -m http.server 8000`);
    await listening(node, path, 8000);
    const page = await openPage(browser);
    await page.goto(await link(node, path, 8000));
    pages.push(page);
  }
  for (const [i, name] of ['one', 'two'].entries()) {
    await pages[i].reload();
    await hasText(pages[i], 'p', `This is ${name}.`);
    await picture(pages[i], `same-port-${name}`);
  }
});

test('without a sandbox sessions share no port but by another address',
  async (t) => {
    const node = await startNode(t);
    const browser = await openBrowser(t);
    const port = await freePort();
    const serve = async (name, address) => {
      const path = await node.createSession();
      await run(node, path, 'web',
        `${write('index.html', `<title>${name}</title><p>This is ${name}.`)}
         exec python3 -m http.server ${port} --bind ${address}`);
      return path;
    };
    const one = await serve('one', '127.0.0.1');
    await listening(node, one, port);
    // Taken: it ends, and nothing of the first is shown in its place.
    const late = await serve('late', '127.0.0.1');
    const waiting = await openPage(browser);
    await waiting.goto(await link(node, late, port));
    await hasText(waiting, 'pre', 'Address already in use');
    assert.match(await waiting.title(), /Waiting for the app/);
    const two = await serve('two', '::1');
    await listening(node, two, port);
    for (const [path, name] of [[one, 'one'], [two, 'two']]) {
      const page = await openPage(browser);
      await page.goto(await link(node, path, port));
      await hasText(page, 'p', `This is ${name}.`);
    }
  });

// Both have the same site, so that the browser sends the cookie along.
test('a page of one session sees nothing of another', async (t) => {
  const node = await startNode(t);
  const serve = async (name, command) => {
    const session = await node.makeSession();
    const port = await freePort();
    await run(node, session.path, 'prepare', 'true');
    await addPackages(node.checkout(session.id), 'ws');
    await run(node, session.path, name, command(port));
    await listening(node, session.path, port);
    return link(node, session.path, port);
  };
  const secret = await serve('secret', (port) => write('app.js', `
    const { createServer } = require('node:http');
    const { WebSocketServer } = require('ws');
    const page = createServer((request, response) => response.end('page'));
    new WebSocketServer({ server: page }).on('connection',
      (one) => one.send('secret'));
    page.listen(${port}, '127.0.0.1');`) + 'exec node app.js');
  const other = await serve('other', (port) =>
    `exec python3 -m http.server ${port} --bind 127.0.0.1`);
  const page = await openPage(await openBrowser(t));
  const heard = () => page.evaluate((host) => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${host}/`);
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = () => resolve('nothing');
  }), new URL(secret).host);
  await page.goto(secret);
  assert.equal(await heard(), 'secret');
  await page.goto(other);
  assert.equal(await heard(), 'nothing');
});

test('where there is no wildcard name a preview is a path', async (t) => {
  const node = await startNode(t,
    { sandbox: 'bubblewrap', set: ['preview.domain=null'] });
  const session = await node.makeSession();
  await run(node, session.path, 'prepare', 'true');
  await addPackages(node.checkout(session.id), 'ws');
  await run(node, session.path, 'app', write('app.js', `
    const { createServer } = require('node:http');
    const { WebSocketServer } = require('ws');
    const files = {
      '/': ['text/html', '<p>none</p><script type=module src=page.js></script>'],
      '/page.js': ['text/javascript', \`
        import { where } from './where.js';
        const said = await (await fetch('data')).text();
        const socket = new WebSocket(new URL('live', where).href);
        socket.onmessage = ({ data }) => {
          document.querySelector('p').textContent = said + ' ' + data;
        };\`],
      '/where.js': ['text/javascript',
        'export const where = new URL(".", import.meta.url);'],
    };
    const app = createServer((request, response) => {
      if (request.url === '/data')
        return response.end(request.headers['x-forwarded-prefix']);
      const [type, text] = files[request.url] ?? ['text/plain', 'no'];
      response.setHeader('Content-Type', type);
      response.end(text);
    });
    new WebSocketServer({ server: app }).on('connection',
      (one, request) => one.send(request.url));
    app.listen(3000);`) + 'exec node app.js');
  await listening(node, session.path, 3000);
  const page = await openPage(await openBrowser(t));
  await page.goto(await link(node, session.path, 3000));
  const prefix = `/preview/${session.id}/3000`;
  await hasText(page, 'p', `${prefix} /live`);
  assert.equal(new URL(page.url()).pathname, `${prefix}/`);
  assert.deepEqual(page.faults, []);
});

for (const sandbox of sandboxes) {
  test(`two browsers talk by a WebSocket, sandbox ${sandbox}`, async (t) => {
    const node = await startNode(t, { sandbox });
    const session = await node.makeSession();
    const port = await portOf(sandbox, 3000);
    await run(node, session.path, 'prepare', 'true');
    await addPackages(node.checkout(session.id), 'ws');
    await run(node, session.path, 'chat', write('chat.js', `
      const { createServer } = require('node:http');
      const { WebSocketServer } = require('ws');
      const page = createServer((request, response) => {
        response.setHeader('Content-Type', 'text/html');
        response.end('<title>Chat</title><ul></ul>');
      });
      const chat = new WebSocketServer({ server: page, perMessageDeflate: true,
        handleProtocols: () => 'chat.2' });
      chat.on('connection', (one) => one.on('message', (text) => {
        if (String(text) === 'bye')
          return one.close(4321, 'as you like');
        for (const other of chat.clients)
          other.send(String(text));
      }));
      page.listen(${port}, '127.0.0.1');`) + 'exec node chat.js');
    await listening(node, session.path, port);
    const browser = await openBrowser(t);
    const url = await link(node, session.path, port);
    const people = [await openPage(browser), await openPage(browser)];
    for (const page of people) {
      await page.goto(url);
      const spoken = await page.evaluate(() => new Promise((resolve) => {
        window.socket = new WebSocket(`ws://${location.host}/`,
          ['chat.1', 'chat.2']);
        window.socket.onmessage = ({ data }) => {
          document.querySelector('ul').append(
            Object.assign(document.createElement('li'), { textContent: data }));
        };
        window.socket.onopen = () =>
          resolve([window.socket.protocol, window.socket.extensions]);
      }));
      assert.equal(spoken[0], 'chat.2');
      assert.match(spoken[1], /permessage-deflate/);
    }
    const long = 'and long '.repeat(20_000);
    await people[0].evaluate((text) => window.socket.send(text), `hello ${long}`);
    await people[1].evaluate(() => window.socket.send('hello back'));
    for (const page of people) {
      await hasText(page, 'ul', 'hello and long');
      await hasText(page, 'ul', 'hello back');
    }
    const closed = await people[0].evaluate(() => new Promise((resolve) => {
      window.socket.onclose = ({ code, reason }) => resolve([code, reason]);
      window.socket.send('bye');
    }));
    assert.deepEqual(closed, [4321, 'as you like']);
    // The end of the link is the end of what it opened.
    await people[1].evaluate(() => {
      window.cut = new Promise((resolve) => {
        window.socket.onclose = ({ code }) => resolve(code);
      });
    });
    const cut = people[1].evaluate(() => window.cut);
    await node.call('DELETE', session.path);
    assert.equal(await within(15, 'the WebSocket is cut', cut), 1006);
    const over = await people[1].goto(people[1].url());
    assert.equal(over.status(), 410);
    await hasText(people[1], 'h1', 'This session is over');
    await check(people[1], `over-${sandbox}`);
  });
}

for (const sandbox of sandboxes) {
  test(`event streams and cookies of an app pass through, \
sandbox ${sandbox}`, async (t) => {
    const node = await startNode(t, { sandbox });
    const path = await node.createSession();
    const port = await portOf(sandbox, 3000);
    await run(node, path, 'app', write('app.js', `
      const { createServer } = require('node:http');
      createServer((request, response) => {
        if (request.url === '/events') {
          response.writeHead(200, { 'Content-Type': 'text/event-stream' });
          let n = 0;
          const timer = setInterval(() => response.write(\`data: \${++n}\\n\\n\`),
            50);
          request.on('close', () => clearInterval(timer));
          return;
        }
        response.setHeader('Set-Cookie', 'mine=1');
        response.setHeader('Content-Type', 'text/html');
        response.end('<p>' + (request.headers.cookie ?? 'none') + '</p>');
      }).listen(${port}, '127.0.0.1');`) + 'exec node app.js');
    const page = await openPage(await openBrowser(t));
    await page.goto(await link(node, path, port));
    await page.waitForSelector('p', { timeout: 30_000 });
    await page.reload();
    await page.waitForFunction(
      () => document.querySelector('p')?.textContent === 'mine=1',
      null, { timeout: 30_000 });
    const heard = await within(15, 'three events', page.evaluate(() =>
      new Promise((resolve) => {
        const all = [];
        const source = new EventSource('/events');
        source.onmessage = ({ data }) => {
          all.push(data);
          if (all.length === 3) {
            source.close();
            resolve(all);
          }
        };
      })));
    assert.deepEqual(heard, ['1', '2', '3']);
  });
}

test('an app that dies is waited for and opened again', async (t) => {
  const node = await startNode(t);
  const path = await node.createSession();
  const port = await freePort();
  const page = await openPage(await openBrowser(t));
  const serve = (id, text) => run(node, path, id, `${write('index.html', text)}
    exec python3 -u -m http.server ${port} --bind 127.0.0.1`);
  await serve('first', '<p>first');
  await listening(node, path, port);
  const url = await link(node, path, port);
  await page.goto(url);
  await hasText(page, 'p', 'first');
  await node.call('DELETE', `${path}/execs/first`);
  await page.goto(url);
  // The words of the command that was there last.
  await hasText(page, 'pre', 'Serving HTTP');
  await check(page, 'died');
  await serve('second', '<p>second');
  await hasText(page, 'p', 'second');
});

test('without access a person is told what to do', async (t) => {
  const node = await startNode(t);
  const session = await node.makeSession();
  const page = await openPage(await openBrowser(t));
  const answer = await page.goto(session.preview_url);
  assert.equal(answer.status(), 401);
  await hasText(page, 'h1', 'A link is needed');
  await check(page, 'no-access');
});
