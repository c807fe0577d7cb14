// A browser behind TLS, as the README sets it up: a proxy with a certificate
// before the node and before its previews.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { openBrowser } from './lib/browser.js';
import { logIn } from './lib/console.js';
import { startProxy } from './lib/http_proxy.js';
import { freePort, startNode } from './lib/node.js';

async function makeCertificate(t) {
  const dir = await mkdtemp(join(tmpdir(), 'greenroom-tls-'));
  t.after(() => rm(dir, { recursive: true }));
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost',
    '-days', '2', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: await readFile(key), cert: await readFile(cert) };
}

test('logins, terminals and previews are as safe as their https',
  { timeout: 90_000 }, async (t) => {
    const proxy = await startProxy(t, { tls: await makeCertificate(t) });
    const previews = await freePort();
    const node = await startNode(t, { sandbox: 'bubblewrap', set: [
      `http.public_url=${proxy.url}`,
      `preview.listen=127.0.0.1:${previews}`,
      `preview.public_url=${proxy.url}`,
    ] });
    proxy.to = (host) => (host.includes('.preview.localhost')
      ? { url: `http://127.0.0.1:${previews}`, port: previews } : node);
    const session = await node.makeSession();
    const context = await (await openBrowser(t))
      .newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await logIn(page, proxy.url, node.key);
    await page.getByRole('link', { name: session.id }).click();
    const login = (await context.cookies()).find(({ httpOnly }) => httpOnly);
    assert.deepEqual([login.secure, login.sameSite], [true, 'Strict']);
    await page.getByLabel('Command', { exact: true }).fill('echo by $((40+2))');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByRole('log').getByText('by 42').waitFor();
    await page.getByRole('link', { name: 'Terminal' }).click();
    await page.getByRole('button', { name: 'New shell' }).click();
    await page.getByText('connected').waitFor();
    await page.keyboard.type('echo "<p>page $((6*7))" > index.html; '
      + 'python3 -m http.server 8080\n');

    await page.getByRole('link', { name: 'Ports' }).click();
    const [preview] = await Promise.all([
      context.waitForEvent('page'),
      page.getByRole('row').filter({ hasText: '8080' })
        .getByRole('button', { name: 'Open' }).click(),
    ]);
    await preview.getByText('page 42').waitFor();
    const { origin } = new URL(session.preview_url);
    assert.ok(origin.startsWith('https://8080-'), origin);
    assert.equal(new URL(preview.url()).origin, origin);
    const [cookie] = await context.cookies(origin);
    assert.match(cookie.name, /^__Host-/);
    assert.deepEqual([cookie.secure, cookie.httpOnly, cookie.sameSite],
      [true, true, 'Lax']);
  });
