// The web console as a person uses it: from the login by a key to a review
// that is merged, by clicks and by typing, beside what axe-core finds.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { openPage } from './lib/browser.js';
import { logIn } from './lib/console.js';
import { check } from './lib/looks.js';
import { startNode } from './lib/node.js';

const server = 'python3 -u -c "import http.server as h;'
  + 's=h.HTTPServer((\'127.0.0.1\',0),h.SimpleHTTPRequestHandler);'
  + 'print(\'port\',s.server_port);s.serve_forever()"';

test('a person works from the login to the merge', { timeout: 120_000 }, async (t) => {
  const node = await startNode(t, { sandbox: 'bubblewrap' });
  const page = await openPage(t, node.url);
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('requestfailed', (request) => {
    // Streams end with the page that follows them.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') {
      faults.push(`${request.url()}: ${request.failure()?.errorText}`);
    }
  });
  page.on('console', (line) => {
    if (line.type() === 'error' && !/status of 401/.test(line.text())) {
      faults.push(line.text());
    }
  });

  await page.goto(`${node.url}/`);
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await check(page, 'login');
  await logIn(page, node.url, node.key);
  await page.getByRole('heading', { name: 'Sessions' }).waitFor();

  await page.getByText('New session').click();
  await page.getByLabel('Branch', { exact: true }).fill('feature/console');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name: /^Session / }).waitFor();
  await page.getByText('Nothing has been run yet.').waitFor();

  // A command's output, live.
  await page.getByLabel('Command', { exact: true }).fill('echo one; sleep 0.2; echo two >&2; exit 3');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByRole('log').getByText('two').waitFor();
  await page.getByText('exit 3').first().waitFor();
  assert.match(await page.getByRole('log').innerText(), /one\s*two/);
  await page.getByLabel('Command', { exact: true }).fill(server);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const output = page.getByRole('log');
  await output.getByText(/port \d+/).waitFor();
  const port = /port (\d+)/.exec(await output.innerText())[1];
  await check(page, 'commands');

  // What runs is seen in the list.
  await page.getByRole('link', { name: 'Greenroom' }).click();
  await page.getByRole('row').filter({ hasText: 'feature/console' })
    .filter({ hasText: server.replaceAll(/\s+/g, ' ').slice(0, 20) }).waitFor();
  await page.goBack();

  // A terminal that takes what is typed, and changes a file.
  await page.getByRole('link', { name: 'Terminal' }).click();
  await page.getByRole('button', { name: 'New shell' }).click();
  await page.getByText('connected').waitFor();
  await page.keyboard.type('echo "typed $((6*7))" | tee page.html\n');
  await page.locator('.xterm-rows').getByText('typed 42').first().waitFor();
  await check(page, 'terminal');

  await page.getByRole('link', { name: 'Ports' }).click();
  await check(page, 'ports');
  const row = page.getByRole('row').filter({ hasText: port });
  const [preview] = await Promise.all([
    page.context().waitForEvent('page'),
    row.getByRole('button', { name: 'Open' }).click(),
  ]);
  await preview.waitForURL(/preview\.localhost/);
  await preview.getByRole('link', { name: 'page.html' }).click();
  await preview.getByText('typed 42').waitFor();
  await preview.close();

  await page.getByRole('link', { name: 'Changes' }).click();
  await page.getByText('+typed 42').waitFor();
  await check(page, 'changes');

  await page.getByRole('link', { name: 'Timeline' }).click();
  await page.getByText('session.created').waitFor();
  await check(page, 'timeline');

  await page.getByRole('link', { name: 'Changes' }).click();
  await page.getByText('Check in and end the session').click();
  await page.getByLabel('Commit message').fill('Add a page');
  await page.getByLabel('Merge once it is approved').check();
  await page.getByRole('button', { name: 'Check in' }).click();
  await page.getByText('Session ended. Review task queued.').waitFor();

  await page.getByRole('link', { name: 'Reviews' }).click();
  await check(page, 'reviews');
  await page.getByRole('link', { name: /^[a-z0-9]{20}$/ }).click();
  await page.getByText('+typed 42').waitFor();
  await check(page, 'review');
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.getByText('merged', { exact: true }).waitFor();

  await page.getByRole('link', { name: 'Greenroom' }).click();
  await page.getByLabel('Show those that are over').check();
  await page.getByRole('cell', { name: 'ended', exact: true }).waitFor();
  await check(page, 'sessions');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  assert.deepEqual(faults, []);
});

test('an administrator makes keys, and revokes them', { timeout: 90_000 },
  async (t) => {
    const node = await startNode(t, {});
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);
    await page.getByRole('link', { name: 'Keys' }).click();
    await page.getByText('There is no key but').waitFor();
    await page.getByText('New key').click();
    await page.getByLabel('Name').fill('Ann');
    await page.getByLabel('May').selectOption('Work in sessions and review');
    await page.getByLabel('Author').fill('Ann');
    await page.getByRole('button', { name: 'Make a key' }).click();
    await page.getByText('author must have the form').waitFor();
    await page.getByLabel('Author').fill('Ann <ann@example.org>');
    await page.getByRole('button', { name: 'Make a key' }).click();
    const secret = await page.getByLabel('Secret').inputValue();
    await page.getByRole('cell', { name: 'Ann', exact: true }).waitFor();
    await check(page, 'keys');

    // Ann logs in, in a browser of her own, until her key is revoked.
    const hers = await openPage(t, node.url);
    await logIn(hers, node.url, secret);
    await hers.getByRole('heading', { name: 'Sessions' }).waitFor();
    await page.getByRole('button', { name: 'Revoke Ann' }).click();
    await page.getByRole('button', { name: 'Revoke it' }).click();
    await page.getByText('There is no key but').waitFor();
    await hers.getByRole('heading', { name: 'Log in' }).waitFor();
  });

test('an administrator sees the nodes, and what webhooks were sent',
  { timeout: 90_000 }, async (t) => {
    const node = await startNode(t,
      { set: ['webhooks.allow_networks=["127.0.0.1"]', 'node.name=first'] });
    let status = 500;
    const receiver = createServer((request, answer) => {
      request.resume();
      answer.writeHead(status).end();
    });
    await new Promise((done) => receiver.listen(0, '127.0.0.1', done));
    t.after(() => receiver.close());
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);

    await page.getByRole('link', { name: 'Nodes' }).click();
    await page.getByRole('cell', { name: 'first', exact: true }).waitFor();
    await page.getByText('ready', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Plan first' }).click();
    await page.getByText(/is alone/).waitFor();
    await check(page, 'nodes');

    await page.getByRole('link', { name: 'Webhooks' }).click();
    await page.getByText('No project has any.').waitFor();
    await page.getByText('New webhook').click();
    await page.getByLabel('Receiver').fill(
      `http://127.0.0.1:${receiver.address().port}/hook`);
    await page.getByLabel('Events').fill('session.created, session.ended');
    await page.getByRole('button', { name: 'Add' }).click();
    assert.match(await page.getByLabel('Secret').inputValue(), /^whsec_/);
    await check(page, 'webhooks');
    await page.getByRole('link', { name: /^[a-z0-9]{20}$/ }).click();
    await page.getByText('Nothing was sent yet.').waitFor();
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText(/^It was not taken: /).waitFor();
    status = 204;
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('The receiver took it (204).').waitFor();
    await node.makeSession();
    const row = page.getByRole('row').filter({ hasText: 'session.created' });
    await row.getByText('delivered').waitFor();
    await row.getByRole('button', { name: 'Send again' }).click();
    await row.getByText('delivered').waitFor();
    await check(page, 'webhook');
    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByText('disabled', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.getByText('No project has any.').waitFor();

    // Others have no use for these pages.
    const made = await node.call('POST', '/keys',
      { name: 'ann', scopes: ['sessions:execute', 'projects:read'] });
    await page.getByRole('button', { name: 'Log out' }).click();
    await logIn(page, node.url, made.key);
    await page.getByRole('link', { name: 'Reviews' }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Nodes' }).count(), 0);
  });

test('a terminal comes back after a cut, and a login ends with its key',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const made = await node.call('POST', '/keys',
      { name: 'ann', scopes: ['sessions:execute', 'projects:read'] });
    const session = await node.makeSession();
    const page = await openPage(t, node.url);
    await logIn(page, node.url, made.key);
    await page.getByRole('link', { name: session.id }).click();
    await page.getByRole('link', { name: 'Terminal' }).click();
    await page.getByRole('button', { name: 'New shell' }).click();
    await page.getByText('connected').waitFor();
    await page.keyboard.type('echo before $((1+1))\n');
    await page.locator('.xterm-rows').getByText('before 2').first().waitFor();

    await node.kill();
    await page.getByText('reconnecting').waitFor();
    await node.start();
    await page.getByText('connected').waitFor();
    await page.locator('.xterm-rows').getByText('before 2').first().waitFor();
    await page.keyboard.type('echo after $((2+2))\n');
    await page.locator('.xterm-rows').getByText('after 4').first().waitFor();

    await node.call('DELETE', `/keys/${made.id}`);
    await page.getByRole('link', { name: 'Timeline' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  });

test('what a session prints and is called stays text', async (t) => {
  const node = await startNode(t);
  const path = await node.createSession();
  const page = await openPage(t, node.url);
  const script = '<img src=x onerror="window.harm=1"><script>window.harm=1</script>';
  await node.call('POST', `${path}/exec`,
    { argv: ['printf', '%s', script], wait: '10s' });
  await logIn(page, node.url, node.key);
  await page.goto(`${node.url}/#${path}/commands`);
  await page.getByRole('log').getByText(script).waitFor();
  assert.equal(await page.evaluate(() => window.harm), undefined);
  const csp = (await fetch(`${node.url}/`, { headers: { Accept: 'text/html' } }))
    .headers.get('content-security-policy');
  assert.match(csp, /script-src 'self';/);
  assert.match(csp, /frame-ancestors 'none'/);
});

test('a login changes nothing for other pages and other programs', async (t) => {
  const node = await startNode(t);
  const answer = await fetch(`${node.url}/console/login`,
    { method: 'POST', headers: node.authorization });
  const cookie = answer.headers.get('set-cookie');
  assert.match(cookie, /; HttpOnly; SameSite=Strict;/);
  const Cookie = cookie.split(';')[0];
  const ask = (method, path, headers) => fetch(node.url + path,
    { method, headers: { Cookie, ...headers } }).then(({ status }) => status);
  assert.equal(await ask('GET', '/projects'), 200);
  assert.equal(await ask('DELETE', '/projects/demo'), 403);
  assert.equal(await ask('POST', '/console/login', {}), 403);
  assert.equal(await ask('POST', '/console/login',
    { 'X-Greenroom-Console': '1' }), 401);
  assert.equal(await ask('GET', '/projects', { Cookie: `${Cookie}0` }), 401);
});
