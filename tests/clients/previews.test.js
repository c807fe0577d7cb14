// Previews in a browser: a page that Vite serves, with hot reload, event
// streams and WebSockets, opened by a link as a person does.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { within } from './lib/deadline.js';
import { startNode } from './lib/node.js';

const vite = fileURLToPath(
  new URL('node_modules/vite/bin/vite.js', import.meta.url));

/// A port that is free now: without a sandbox a session's are the machine's.
async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function openBrowser(t) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
      '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
  t.after(() => browser.close());
  return (await browser.newContext()).newPage();
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

test('a page that Vite serves is reloaded hot in the browser', async (t) => {
  const node = await startNode(t);
  const path = await node.createSession();
  const port = await freePort();
  const page = await openBrowser(t);
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  await run(node, path, 'write',
    write('index.html',
      '<!doctype html><link rel="stylesheet" href="/style.css">'
      + '<p id="text"></p><script type="module" src="/main.js"></script>')
    + write('style.css', 'p { color: rgb(1, 2, 3) }')
    + write('text.js', 'export const text = "first";')
    + write('main.js', [
      'import { text } from "./text.js";',
      'const show = (t) => document.querySelector("#text").textContent = t;',
      'show(text);',
      'window.loads = (window.loads ?? 0) + 1;',
      'import.meta.hot.accept("./text.js", (m) => show(m.text));',
    ].join('\n')));
  // Before anything listens: the page waits and then opens the app.
  await page.goto(await link(node, path, port));
  assert.match(await page.title(), /Waiting for the app/);
  await run(node, path, 'vite',
    `exec node ${vite} --host 127.0.0.1 --port ${port} --strictPort`);
  await page.waitForFunction(
    () => document.querySelector('#text')?.textContent === 'first',
    null, { timeout: 60_000 });
  assert.equal(await page.evaluate(
    () => getComputedStyle(document.querySelector('p')).color),
  'rgb(1, 2, 3)');
  assert.ok(!page.url().includes('greenroom_token'));
  await page.evaluate(() => { window.same = true; });
  for (const text of ['second', 'third']) {
    await run(node, path, `edit-${text}`,
      write('text.js', `export const text = "${text}";`));
    await page.waitForFunction(
      (wanted) => document.querySelector('#text').textContent === wanted,
      text, { timeout: 30_000 });
  }
  assert.ok(await page.evaluate(() => window.same), 'it was not reloaded');
  assert.deepEqual(faults, []);
});

test('event streams and cookies of an app pass through', async (t) => {
  const node = await startNode(t);
  const path = await node.createSession();
  const port = await freePort();
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
  const page = await openBrowser(t);
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
