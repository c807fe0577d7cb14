// The web console where things go wrong, and for those who use it by keyboard.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { logIn } from './lib/console.js';
import { openPage } from './lib/browser.js';
import { check } from './lib/looks.js';
import { startNode } from './lib/node.js';
import { startProxy } from './lib/http_proxy.js';

async function startBehindProxy(t) {
  const proxy = await startProxy(t);
  const node = await startNode(t, { set: [`http.public_url=${proxy.url}`] });
  proxy.to = node;
  return { node, proxy };
}

/// The page of a new session, behind a proxy.
async function openSession(t) {
  const { node, proxy } = await startBehindProxy(t);
  const session = await node.makeSession();
  const page = await openPage(t, proxy.url);
  await logIn(page, proxy.url, node.key);
  await page.getByRole('link', { name: session.id }).click();
  return { node, proxy, session, page };
}

/// Presses Tab until `target` has the focus.
async function tabTo(page, target, key = 'Tab') {
  for (let i = 0; i < 60; ++i) {
    if (await hasFocus(target)) {
      return;
    }
    await page.keyboard.press(key);
  }
  const at = await page.evaluate(() => document.activeElement.outerHTML);
  assert.fail(`Tab does not lead to ${target}; it is at ${at}`);
}

const hasFocus = async (target) => await target.count() > 0
  && target.first().evaluate((element) => element === document.activeElement);

test('pages go on by themselves after a proxy has answered for the node',
  { timeout: 90_000 }, async (t) => {
    const { node, proxy, session, page } = await openSession(t);
    await page.getByText('Nothing has been run yet.').waitFor();

    // The node is away for a while: 502.
    const lost = page.getByRole('status').getByText('reconnecting');
    await node.kill();
    await lost.waitFor();
    await check(page, 'reconnecting');
    await node.start();
    await lost.waitFor({ state: 'hidden' });
    await node.call('POST', `${session.path}/exec`,
      { command: 'echo first', wait: '10s' });
    await page.getByRole('button', { name: 'echo first' }).click();
    await page.getByRole('log').getByText('first').waitFor();

    // The proxy's own refusals. What happens meanwhile is no event of a stream
    // that begins with what is to come.
    for (const status of [503, 429]) {
      const name = `echo during ${status}`;
      proxy.refuse = (url) => (url.includes('/events') ? status : 0);
      proxy.cut();
      await lost.waitFor();
      await node.call('POST', `${session.path}/exec`,
        { command: name, wait: '10s' });
      assert.equal(await page.getByRole('button', { name }).count(), 0);
      proxy.refuse = () => 0;
      await page.getByRole('button', { name }).waitFor();
      await lost.waitFor({ state: 'hidden' });
    }
  });

test('output that a command prints during a cut is all there after it',
  { timeout: 60_000 }, async (t) => {
    const { node, proxy, session, page } = await openSession(t);
    await page.getByLabel('Command', { exact: true })
      .fill('echo 1; until [ -e go ]; do sleep 0.1; done; echo 2; echo 3');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    const log = page.getByRole('log');
    await log.getByText('1').waitFor();
    proxy.refuse = (url) => (url.includes('/events') ? 502 : 0);
    proxy.cut();
    await page.getByText('reconnecting').waitFor();
    await node.call('POST', `${session.path}/exec`,
      { command: 'touch go', wait: '10s' });
    proxy.refuse = () => 0;
    await log.getByText('3').waitFor();
    assert.equal(await log.textContent(), '1\n2\n3\n');
    await page.getByText('exit 0').first().waitFor();
    // The stream is over and asks for no more.
    await page.getByText('reconnecting').waitFor({ state: 'hidden' });
  });

test('a session that ends while it cannot be looked at is shown as over',
  { timeout: 60_000 }, async (t) => {
    const { node, proxy, session, page } = await openSession(t);
    await page.getByText('Nothing has been run yet.').waitFor();
    // Its stream tells the end once, and is over then.
    proxy.refuse = (url) => (url === session.path ? 503 : 0);
    await node.call('POST', `${session.path}/discard`, {});
    await page.getByText('reconnecting').waitFor();
    proxy.refuse = () => 0;
    await page.getByText('terminated', { exact: true }).waitFor();
    await page.getByText('reconnecting').waitFor({ state: 'hidden' });
  });

test('a command that was begun is not offered to be run again, whatever follows',
  { timeout: 60_000 }, async (t) => {
    const { node, proxy, session, page } = await openSession(t);
    await page.getByText('Nothing has been run yet.').waitFor();
    proxy.refuse = (url) => (url.includes('/execs?') ? 503 : 0);
    const command = page.getByLabel('Command', { exact: true });
    await command.fill('echo once');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByRole('log').getByText('once').waitFor();
    assert.equal(await command.inputValue(), '');
    assert.equal(await page.getByRole('alert').count(), 0);
    proxy.refuse = () => 0;
    await page.getByRole('button', { name: 'echo once' }).getByText('exit 0')
      .waitFor();
  });

test('a command that is run before the others are there stays the shown one',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`,
      { command: 'echo older', wait: '10s' });
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);
    await page.getByRole('link', { name: session.id }).waitFor();
    // The first look at them is slow, and knows of none after it.
    let goOn = () => {};
    const held = new Promise((done) => { goOn = done; });
    let seen = () => {};
    const first = new Promise((done) => { seen = done; });
    let looks = 0;
    await page.route(/\/execs\?limit=50/, async (route) => {
      if (++looks === 1) {
        const response = await route.fetch();
        seen();
        await held;
        await route.fulfill({ response });
      } // the others get no answer
    });
    await page.getByRole('link', { name: session.id }).click();
    await first;
    await page.getByLabel('Command', { exact: true }).fill('echo newer');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByRole('log').getByText('newer').waitFor();
    goOn();
    await page.getByRole('button', { name: /^echo older/ }).waitFor();
    await page.getByRole('heading', { name: 'echo newer' }).waitFor();
    assert.equal(await page.getByRole('heading', { name: 'echo older' }).count(), 0);
  });

test('what was made though its answer was lost is not made twice',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);
    await page.getByText('New session').click();
    const lose = async (route) => {
      if (route.request().method() === 'POST') {
        await route.fetch();
        await route.abort();
      } else {
        await route.continue();
      }
    };
    const loses = /\/(sessions|exec)$/;
    await page.route(loses, lose);
    await page.getByLabel('Branch', { exact: true }).fill('once');
    const create = page.getByRole('button', { name: 'Create' });
    await create.click();
    await page.getByRole('alert').getByText('cannot be reached').waitFor();
    await page.unroute(loses);
    await create.click();
    await page.getByText('Nothing has been run yet.').waitFor();

    await page.route(loses, lose);
    const run = page.getByRole('button', { name: 'Run', exact: true });
    await page.getByLabel('Command', { exact: true }).fill('echo "ran $$"');
    await run.click();
    await page.getByRole('alert').getByText('cannot be reached').waitFor();
    await page.unroute(loses);
    await run.click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await page.getByRole('log').getByText('ran').waitFor();
    const { sessions } = await node.call('GET', '/sessions');
    assert.equal(sessions.length, 1);
    const { execs } = await node.call('GET',
      `/projects/demo/sessions/${sessions[0].id}/execs`);
    assert.equal(execs.length, 1);
    // The same once more is another.
    await page.getByLabel('Command', { exact: true }).fill('echo "ran $$"');
    await run.click();
    await page.waitForFunction(() =>
      document.querySelectorAll('.execs li').length === 2);
  });

test('a page whose list is refused says why, as long as it is',
  { timeout: 60_000 }, async (t) => {
    const { node, proxy } = await startBehindProxy(t);
    const page = await openPage(t, proxy.url);
    await logIn(page, proxy.url, node.key);
    await page.getByText('No session is live.').waitFor();
    proxy.refuse = (url) => (url.startsWith('/sessions') ? 403 : 0);
    await page.getByRole('alert').getByText('the server answered 403').waitFor();
    await check(page, 'sessions-refused');
    proxy.refuse = () => 0;
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await page.getByText('No session is live.').waitFor();
  });

test('a page that is there at last takes no focus from who types in it',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);
    await page.getByText('No session is live.').waitFor();
    let goOn = () => {};
    const held = new Promise((done) => { goOn = done; });
    await page.route(/\/keys\?/, async (route) => {
      await held;
      await route.continue();
    });
    await page.getByRole('link', { name: 'Keys' }).click();
    await page.getByText('New key').click();
    await page.getByLabel('Name').fill('An');
    goOn();
    await page.getByText('There is no key but').waitFor();
    assert.ok(await hasFocus(page.getByLabel('Name')));
  });

test('a session that comes when its page is left opens no streams',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`,
      { command: 'exec sleep 1000' });
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);
    let goOn = () => {};
    const held = new Promise((done) => { goOn = done; });
    await page.route(new RegExp(`${session.path}$`), async (route) => {
      await held;
      await route.continue();
    });
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.getByRole('link', { name: session.id }).click();
    await page.getByRole('link', { name: 'Nodes' }).click();
    await page.getByRole('cell', { name: 'ready', exact: true }).waitFor();
    const execs = page.waitForResponse((answer) => /execs\?/.test(answer.url()));
    goOn();
    await execs;
    // Another page, which is asked for after all that.
    await page.getByRole('link', { name: 'Reviews' }).click();
    await page.getByText('Nothing has been checked in').waitFor();
    assert.deepEqual(asked.filter((url) => url.includes('exec_id=')), []);
  });

test('a terminal that no WebSocket reaches says so', { timeout: 60_000 },
  async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`,
      { command: 'exec cat', tty: { rows: 24, cols: 80 }, stdin: 'open' });
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);
    await page.getByRole('link', { name: session.id }).waitFor();
    // As a browser's where an upgrade is refused: it closes and was never open.
    await page.evaluate(() => {
      window.WebSocket = class {
        static OPEN = 1;
        readyState = 3;

        constructor() {
          setTimeout(() => this.onclose({ code: 1006, reason: '' }));
        }

        close() {}
      };
    });
    await page.goto(`${node.url}/#${session.path}/terminal`);
    await page.getByText('no WebSocket comes through').waitFor();
  });

test('a page that could not be shown is shown as soon as it can be',
  { timeout: 60_000 }, async (t) => {
    const { node, proxy } = await startBehindProxy(t);
    const page = await openPage(t, proxy.url);
    await logIn(page, proxy.url, node.key);
    await page.getByRole('heading', { name: 'Sessions' }).waitFor();
    // Whoever is logged in is not asked to log in.
    proxy.refuse = (url) => (url === '/whoami' ? 502 : 0);
    await page.reload();
    await page.getByText('the server answered 502').waitFor();
    assert.equal(await page.getByLabel('API key').count(), 0);
    proxy.refuse = (url) => (url.startsWith('/sessions') ? 502 : 0);
    await page.getByRole('heading', { name: 'Sessions' }).waitFor();
    await page.getByText('the server answered 502').waitFor();
    proxy.refuse = () => 0;
    await page.getByText('No session is live.').waitFor();
  });

test('a logout that fails says so, and the login stays',
  { timeout: 60_000 }, async (t) => {
    const { node, proxy } = await startBehindProxy(t);
    const page = await openPage(t, proxy.url);
    await logIn(page, proxy.url, node.key);
    await page.getByRole('heading', { name: 'Sessions' }).waitFor();
    proxy.refuse = (url) => (url === '/console/login' ? 503 : 0);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('alert').getByText('the server answered 503').waitFor();
    await check(page, 'logout-failed');
    assert.equal(await page.getByLabel('API key').count(), 0);
    proxy.refuse = () => 0;
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('API key').waitFor();
    await page.reload();
    await page.getByLabel('API key').waitFor();
  });

test('a keyboard is enough, and keeps its place while pages are drawn anew',
  { timeout: 120_000 }, async (t) => {
    const node = await startNode(t);
    const first = await node.makeSession();
    const page = await openPage(t, node.url);
    await page.goto(`${node.url}/`);
    await tabTo(page, page.getByLabel('API key'));
    await page.keyboard.type(node.key);
    await page.keyboard.press('Enter');
    const link = page.getByRole('link', { name: first.id });
    await link.waitFor();
    await tabTo(page, link);
    // A row above it, and later ages in its own.
    const second = await node.makeSession();
    await page.getByRole('link', { name: second.id }).waitFor();
    assert.ok(await hasFocus(link), 'the list took the focus away');
    await node.call('POST', `${second.path}/discard`, {});
    await page.getByRole('link', { name: second.id }).waitFor({ state: 'detached' });
    assert.ok(await hasFocus(link), 'the list took the focus away');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: `Session ${first.id}` }).waitFor();

    // The list of commands, which each event draws anew.
    await tabTo(page, page.getByLabel('Command', { exact: true }));
    await page.keyboard.type('until [ -e go ]; do sleep 0.1; done');
    await page.keyboard.press('Enter');
    const waiting = page.getByRole('button', { name: /^until/ });
    await waiting.waitFor();
    await tabTo(page, waiting);
    await node.call('POST', `${first.path}/exec`, { command: 'touch go', wait: '10s' });
    await waiting.getByText('exit 0').waitFor();
    assert.ok(await hasFocus(waiting), 'the list took the focus away');
    const other = page.getByRole('button', { name: /^touch go/ });
    await tabTo(page, other, 'Shift+Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'touch go' }).waitFor();
    assert.ok(await hasFocus(other), 'a choice took the focus away');

    // A button that is gone with its row hands on to its neighbour.
    for (const name of ['ann', 'bob']) {
      await node.call('POST', '/keys', { name, scopes: ['sessions:read'] });
    }
    await tabTo(page, page.getByRole('link', { name: 'Keys' }), 'Shift+Tab');
    await page.keyboard.press('Enter');
    const revoke = page.getByRole('button', { name: /^Revoke / });
    await revoke.first().waitFor();
    await tabTo(page, revoke.first());
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await tabTo(page, page.getByRole('button', { name: 'Revoke it' }),
      'Shift+Tab');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() =>
      document.querySelectorAll('button[aria-label^="Revoke "]').length === 1);
    assert.ok(await hasFocus(revoke.first()), 'the focus went with the row');
  });

test('a terminal is left by keyboard, and takes the focus only when asked to',
  { timeout: 90_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);
    await page.goto(`${node.url}/#${session.path}/terminal`);
    const open = page.getByRole('button', { name: 'New shell' });
    await open.waitFor();
    await tabTo(page, open);
    await page.keyboard.press('Enter');
    const typing = page.getByRole('textbox', { name: /Control Shift L leaves/ });
    await page.getByText('connected').waitFor();
    assert.ok(await hasFocus(typing));
    // Tab is the shell's, which completes by it.
    await page.keyboard.type('touch completed-file\nls comple');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('.xterm-rows').getByText(/ls completed-file/).first().waitFor();
    assert.ok(await hasFocus(typing));

    await page.keyboard.press('Control+Shift+L');
    assert.ok(!await hasFocus(typing), 'the terminal keeps the keyboard');
    await page.keyboard.press('Tab');
    assert.ok(!await hasFocus(typing), 'the way on leads back');
    const extend = page.getByRole('button', { name: 'Extend' });
    await tabTo(page, extend);
    await node.kill();
    await page.getByText('reconnecting').first().waitFor();
    await node.start();
    await page.getByText('connected').waitFor();
    assert.ok(await hasFocus(extend), 'the terminal took the focus');

    // Nor does one that is there already when the page is opened.
    await page.reload();
    await page.getByText('connected').waitFor();
    assert.ok(!await hasFocus(typing), 'the terminal took the focus');
    await check(page, 'terminal-left');
  });

test('a key that may only watch does so, and is told why it is cut off',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    const { exec_id: id } = await node.call('POST', `${session.path}/exec`,
      { command: 'echo "watch $((40+2))"; exec cat', tty: { rows: 24, cols: 80 },
        stdin: 'open' });
    const made = await node.call('POST', '/keys',
      { name: 'ann', scopes: ['sessions:read'] });
    const page = await openPage(t, node.url);
    const sockets = [];
    page.on('websocket', (socket) => sockets.push(socket));
    await logIn(page, node.url, made.key);
    await page.getByRole('link', { name: session.id }).waitFor();
    await page.goto(`${node.url}/#${session.path}/terminal`);
    const screen = page.locator('.xterm-rows');
    await screen.getByText('watch 42').first().waitFor();
    assert.equal(await page.getByRole('button', { name: 'New shell' }).count(), 0);
    const sent = [];
    sockets[0].on('framesent', ({ payload }) => sent.push(payload));
    await page.locator('.screen').click();
    await page.keyboard.type('typed');
    await page.keyboard.press('Tab');
    // Nothing of that went out: what another types shows behind it.
    await fetch(`${node.url}${session.path}/execs/${id}/stdin`,
      { method: 'POST', headers: node.authorization, body: 'from another\n' });
    await screen.getByText('from another').first().waitFor();
    assert.deepEqual(sent.filter((one) => typeof one !== 'string'), []);
    await page.getByText('The key may only watch this terminal.').waitFor();

    // What a server refuses for good is not asked for again and again.
    let asked = 0;
    await page.routeWebSocket(/\/attach$/, (socket) => {
      ++asked;
      socket.close({ code: 1008, reason: 'the API key has expired' });
    });
    await page.reload();
    await page.getByText('the API key has expired').waitFor();
    await page.getByText('closed', { exact: true }).waitFor();
    await page.evaluate(() => new Promise((done) => { setTimeout(done, 1500); }));
    assert.equal(asked, 1);
  });

test('who may not list projects has sessions and reviews all the same',
  { timeout: 90_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`,
      { command: 'echo new > new.txt', wait: '10s' });
    await node.call('POST', `${session.path}/checkin`, { commit_message: 'Add' });
    const limited = await node.call('POST', '/keys', { name: 'ann',
      scopes: ['sessions:execute', 'sessions:read'], projects: ['demo'] });
    const everywhere = await node.call('POST', '/keys',
      { name: 'bob', scopes: ['sessions:execute', 'sessions:read'] });
    for (const { key } of [limited, everywhere]) {
      const page = await openPage(t, node.url);
      await logIn(page, node.url, key);
      await page.getByText('New session').click();
      const project = page.getByLabel('Project', { exact: true });
      assert.equal(await project.inputValue(), 'demo');
      await check(page, 'sessions-few-scopes');
      await page.getByRole('link', { name: 'Reviews' }).click();
      await page.getByRole('link', { name: /^[a-z0-9]{20}$/ }).click();
      await page.getByText('+new').waitFor();
      await page.getByRole('link', { name: 'Projects' }).click();
      await page.getByRole('cell', { name: 'demo', exact: true }).waitFor();
      await check(page, 'projects-few-scopes');
    }
  });

test('a node without xterm.js says so, and what opens a terminal instead',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);
    await page.getByRole('link', { name: session.id }).click();
    await page.route('**/console/xterm.mjs', (route) => route.fulfill({
      status: 404, contentType: 'application/json',
      body: '{"error":{"code":"NOT_FOUND","message":"the console has no such file"}}' }));
    await page.getByRole('link', { name: 'Terminal' }).click();
    const tab = page.getByRole('region', { name: 'Terminal' });
    await tab.getByText('xterm.js is not installed on it').waitFor();
    await tab.getByText(`greenroom shell ${session.id}`).waitFor();
    await check(page, 'no-terminal');
    // The rest of the session is there.
    await page.getByRole('button', { name: 'Extend' }).waitFor();
    await page.getByRole('link', { name: 'Commands' }).click();
    await page.getByText('Nothing has been run yet.').waitFor();
  });

test('a key is offered what it may do, and told what it may not',
  { timeout: 90_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`,
      { command: 'echo new > new.txt', wait: '10s' });
    const ann = await node.call('POST', '/keys',
      { name: 'ann', scopes: ['sessions:read', 'projects:read'] });
    const bob = await node.call('POST', '/keys',
      { name: 'bob', scopes: ['sessions:execute', 'projects:read'] });
    const offered = (page, name) =>
      page.getByRole('button', { name, exact: true }).count();

    const hers = await openPage(t, node.url);
    await logIn(hers, node.url, ann.key);
    await hers.getByRole('link', { name: session.id }).waitFor();
    assert.equal(await hers.getByText('New session').count(), 0);
    await hers.getByRole('link', { name: session.id }).click();
    await hers.getByText('sessions:execute would let it do more').waitFor();
    await hers.getByRole('log').waitFor();
    for (const name of ['Extend', 'End', 'Clone URL', 'Run']) {
      assert.equal(await offered(hers, name), 0, name);
    }
    await check(hers, 'session-watched');
    await hers.getByRole('link', { name: 'Changes' }).click();
    await hers.getByText('+new').waitFor();
    assert.equal(await hers.getByText('Check in and end').count(), 0);
    await hers.getByRole('link', { name: 'Projects' }).click();
    await hers.getByRole('link', { name: 'Reviews of demo' }).waitFor();
    assert.equal(await hers.getByRole('link', { name: /New session/ }).count(), 0);

    // Who may change a session may not end that of another, nor approve his own.
    const his = await openPage(t, node.url);
    await logIn(his, node.url, bob.key);
    await his.getByRole('link', { name: session.id }).click();
    await his.getByText('Whoever has made it, or an administrator').waitFor();
    assert.equal(await offered(his, 'Extend'), 1);
    assert.equal(await offered(his, 'End'), 0);
    await check(his, 'session-of-another');
    await his.getByRole('link', { name: 'Changes' }).click();
    await his.getByText('Check in and end the session').click();
    await his.getByLabel('Commit message').fill('Add a file');
    await his.getByRole('button', { name: 'Check in' }).click();
    await his.getByText('Review task queued.').waitFor();
    await his.getByRole('link', { name: /^[a-z0-9]{20}$/ }).click();
    await his.getByText('Your key has checked it in').waitFor();
    assert.equal(await offered(his, 'Approve'), 0);
    assert.equal(await offered(his, 'Reject'), 1);
    await check(his, 'review-of-ones-own');
  });
