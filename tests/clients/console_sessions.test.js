// The web console where a session is extended, cloned, left, refused and in
// conflict: what becomes of people's work, and who may see it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { openPage } from './lib/browser.js';
import { logIn } from './lib/console.js';
import { check } from './lib/looks.js';
import { startNode } from './lib/node.js';

/// A page that shows a session, logged in with `key`.
async function openSession(t, node, session, tab, key = node.key) {
  const page = await openPage(t, node.url);
  await logIn(page, node.url, key);
  await page.getByRole('heading', { name: 'Sessions' }).waitFor();
  await page.goto(`${node.url}/#${session.path}/${tab}`);
  await page.getByRole('heading', { name: `Session ${session.id}` }).waitFor();
  return page;
}

async function checkIn(page, message) {
  await page.getByText('Check in and end the session').click();
  await page.getByLabel('Commit message').fill(message);
  await page.getByLabel('Merge once it is approved').check();
  await page.getByRole('button', { name: 'Check in' }).click();
  await page.getByText('Review task queued.').waitFor();
}

test('a session is extended, and cloned', { timeout: 90_000 }, async (t) => {
  const node = await startNode(t);
  const session = await node.makeSession();
  const page = await openSession(t, node, session, 'commands');
  await page.getByText(/^in 23h 59m/).waitFor();
  await page.getByLabel('Expires in').fill('next week');
  await page.getByRole('button', { name: 'Extend' }).click();
  await page.getByRole('alert').waitFor();
  await check(page, 'extend-refused');
  await page.getByLabel('Expires in').fill('3d');
  await page.getByRole('button', { name: 'Extend' }).click();
  await page.getByText(/^in 2d 23h/).waitFor();
  await page.getByText('The session ends on').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);

  // An end that is near is told of, until it is far again.
  await page.getByLabel('Expires in').fill('3602s');
  await page.getByRole('button', { name: 'Extend' }).click();
  const near = page.getByText(/^The session ends in (59m|1h)/);
  await near.waitFor();
  await check(page, 'session-ends-soon');
  await page.getByLabel('Expires in').fill('3d');
  await page.getByRole('button', { name: 'Extend' }).click();
  await near.waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Clone URL' }).click();
  await page.getByRole('dialog').waitFor();
  await check(page, 'question');
  await page.getByRole('button', { name: 'Make it' }).click();
  const line = await page.getByLabel('How to clone').inputValue();
  await check(page, 'clone-url');
  execFileSync('sh', ['-c', `${line} clone`],
    { cwd: node.dir, stdio: 'ignore' });
  const head = await readFile(join(node.dir, 'clone/.git/HEAD'), 'utf8');
  assert.equal(head, `ref: refs/heads/${session.branch}\n`);
  // The next makes the one before useless, so it is not shown any more.
  await page.getByRole('button', { name: 'Clone URL' }).click();
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.waitForFunction((before) =>
    document.querySelector('input.mono.wide')?.value !== before, line);
  assert.equal(await page.getByLabel('How to clone').count(), 1);
});

test('a session that is left says where its work is kept',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`,
      { command: 'echo mine > mine.txt', wait: '10s' });
    await node.call('POST', `${session.path}/exec`,
      { exec_id: 'long', command: 'echo begun; exec sleep 1000' });
    const page = await openSession(t, node, session, 'commands');
    await page.getByRole('log').getByText('begun').waitFor();
    // What is looked at stays so after the end, also where it is not the newest.
    await node.call('POST', `${session.path}/exec`, { command: 'true', wait: '10s' });
    await page.getByRole('button', { name: /^true/ }).waitFor();
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByRole('button', { name: 'Cancel' }).last().click();
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByRole('button', { name: 'End it' }).click();
    const kept = page.locator('dd li').first();
    await kept.waitFor();
    await page.getByText('terminated', { exact: true }).waitFor();
    await page.getByRole('heading', { name: 'echo begun; exec sleep' }).waitFor();
    const { rescue_refs: refs } = await node.call('GET', session.path);
    assert.match(await kept.innerText(), new RegExp(refs[0].ref));
    // Nothing that could still be done is offered.
    for (const name of ['Extend', 'End', 'Run', 'Interrupt', 'Cancel']) {
      assert.equal(await page.getByRole('button', { name, exact: true })
        .count(), 0, name);
    }
    await check(page, 'session-over');
    for (const tab of ['Terminal', 'Changes', 'Ports']) {
      assert.equal(await page.getByRole('link', { name: tab }).count(), 0, tab);
      // By an address that somebody has kept.
      await page.goto(`${node.url}/#${session.path}/${tab.toLowerCase()}`);
      await page.getByRole('region', { name: tab })
        .getByText('it has no terminal').waitFor();
    }
    await check(page, 'session-over-ports');
    await page.getByRole('link', { name: 'Commands' }).click();
    await page.getByRole('button', { name: /^echo begun/ }).click();
    await page.getByRole('log').getByText('begun').waitFor();
    await page.getByRole('link', { name: 'Timeline' }).click();
    await page.getByRole('region', { name: 'Timeline' }).waitFor();
    await check(page, 'session-over-timeline');
    await page.getByText('session.ended').waitFor();
  });

test('a second person rejects, and says why', { timeout: 60_000 },
  async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`,
      { command: 'echo new > new.txt', wait: '10s' });
    const mine = await openSession(t, node, session, 'changes');
    await mine.getByText('+new').waitFor();
    await checkIn(mine, 'Add a file');
    const made = await node.call('POST', '/keys', { name: 'bob',
      scopes: ['sessions:execute', 'projects:read'] });

    const page = await openPage(t, node.url);
    await logIn(page, node.url, `${made.key}x`);
    await page.getByRole('alert').waitFor();
    await check(page, 'login-refused');
    await logIn(page, node.url, made.key);
    await page.getByRole('link', { name: 'Reviews' }).click();
    await page.getByRole('link', { name: /^[a-z0-9]{20}$/ }).click();
    await page.getByText('+new').waitFor();
    // The first looks at it meanwhile.
    await mine.getByRole('link', { name: /^[a-z0-9]{20}$/ }).click();
    await mine.getByText('queued', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Reject' }).click();
    const comment = page.getByLabel('Comment');
    assert.equal(await comment.evaluate((one) => one.validity.valueMissing), true);
    await comment.fill('It needs a test.');
    await page.getByRole('button', { name: 'Reject' }).click();
    await page.getByText('rejected', { exact: true }).waitFor();
    await page.getByText('It needs a test.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Reject' }).count(), 0);
    await check(page, 'rejected');

    // Where the work goes on, without another look.
    await mine.getByText('It needs a test.').waitFor();
    await mine.getByText(`bob (${made.id})`).waitFor();
  });

test('a merge that is in conflict names the files', { timeout: 60_000 },
  async (t) => {
    const node = await startNode(t);
    const sessions = [await node.makeSession(), await node.makeSession()];
    for (const [i, session] of sessions.entries()) {
      await node.call('POST', `${session.path}/exec`,
        { command: `echo ${i} > same.txt`, wait: '10s' });
      const page = await openSession(t, node, session, 'changes');
      await page.getByText(`+${i}`, { exact: true }).waitFor();
      await checkIn(page, `Write ${i}`);
      await page.getByRole('link', { name: 'Reviews' }).click();
      const row = page.getByRole('row').filter({ hasText: session.branch });
      await row.getByRole('link').click();
      await page.getByRole('button', { name: 'Approve' }).click();
      await page.getByText(i === 0 ? 'merged' : 'conflict', { exact: true })
        .waitFor();
      if (i === 1) {
        await page.getByText('same.txt', { exact: true }).waitFor();
        await check(page, 'conflict');
      }
    }
  });

test('a port is opened to everybody, and to nobody but keys again',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t, { sandbox: 'bubblewrap' });
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`,
      { exec_id: 'web', command: 'echo "<p>seen" > index.html; '
        + 'exec python3 -m http.server 8080' });
    const page = await openSession(t, node, session, 'ports');
    const access = page.getByLabel('Who may open port 8080');
    await access.waitFor();
    const stranger = await openPage(t, node.url);
    let looks = 0; // each at a page that its browser has not kept
    const look = async () =>
      (await stranger.goto(`${session.preview_url}?${++looks}`)).status();
    assert.equal(await look(), 401);
    await access.selectOption('public');
    await page.getByText('Port 8080 opens for: public.').waitFor();
    assert.equal(await look(), 200);
    await stranger.getByText('seen').waitFor();
    await access.selectOption('key');
    await page.getByText('Port 8080 opens for: key.').waitFor();
    assert.equal(await look(), 401);
    await page.reload();
    await access.waitFor();
    assert.equal(await access.inputValue(), 'key');
  });

// Laid out for each event it took minutes, and no button was answered meanwhile.
test('a command that has printed a lot is shown, its newest lines',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`,
      { command: 'seq 300000; seq 1000 >&2; echo the end', wait: '30s' });
    const page = await openSession(t, node, session, 'commands');
    const output = page.getByRole('log');
    await output.getByText('the end').waitFor();
    const text = await output.innerText();
    assert.ok(text.includes('\n300000\n'));
    assert.ok(text.length < 2_000_000);
    // And the page is at hand.
    await page.getByRole('button', { name: 'Clone URL' }).click();
    await page.getByRole('dialog').waitFor();
  });

test('lines that are written over and colours look as on a terminal',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    await node.call('POST', `${session.path}/exec`, { wait: '10s', command:
      'for i in 1 2 3; do printf "at %s0%%\\r" $i; done; '
      + 'printf "\\033]0;title\\007at 100%%\\n\\033[1;31mred\\033[0m plain\\n"; '
      + 'for c in 30 31 32 33 34 35 36 37 90 91 92 93 94 95 96 97; do '
      + 'printf "\\033[%smcolour %s\\033[0m \\033[31;%smon it\\033[0m\\n" '
      + '$c $c $((c + 10)); done; printf "<b>no markup</b>"' });
    const page = await openSession(t, node, session, 'commands');
    const output = page.getByRole('log');
    await output.getByText('<b>no markup</b>').waitFor();
    const text = await output.textContent();
    assert.ok(text.startsWith('at 100%\nred plain\ncolour 30 on it\n'), text);
    const red = output.getByText('red', { exact: true });
    const look = () => red.evaluate((one) =>
      [getComputedStyle(one).color, getComputedStyle(one).fontWeight]);
    assert.deepEqual(await look(), ['rgb(179, 38, 30)', '700']);
    // Each of them can be read, in either theme.
    await check(page, 'colours');
  });

test('the projects say what they take and protect, and lead to a session',
  { timeout: 60_000 }, async (t) => {
    const node = await startNode(t);
    const session = await node.makeSession();
    const page = await openPage(t, node.url);
    await logIn(page, node.url, node.key);
    await page.getByRole('link', { name: 'Projects' }).click();
    const row = page.getByRole('row').filter({ hasText: 'demo.git' });
    for (const text of ['running', '1 of 20', 'the default branch', 'by a person']) {
      await row.getByText(text, { exact: true }).waitFor();
    }
    await check(page, 'projects');
    await node.call('PATCH', '/projects/demo', { max_active_sessions: 3,
      protected_branches: ['main', 'release'],
      review: { command: 'make check', required: true } });
    for (const text of ['1 of 3', 'main, release', 'by make check, always']) {
      await row.getByText(text, { exact: true }).waitFor();
    }

    await page.getByRole('link', { name: 'New session in demo' }).click();
    await page.getByRole('heading', { name: 'Sessions of demo' }).waitFor();
    await page.getByRole('link', { name: session.id }).waitFor();
    assert.equal(await page.getByLabel('Project', { exact: true }).inputValue(),
      'demo');
    await check(page, 'project-sessions');
    await page.getByLabel('Branch', { exact: true }).fill('from-the-project');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name: /^Session / }).waitFor();
    await page.goto(`${node.url}/#/projects`);
    await row.getByText('2 of 3', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'Reviews of demo' }).click();
    await page.getByRole('heading', { name: 'Reviews of demo' }).waitFor();

    // One that takes none offers none.
    await node.call('PATCH', '/projects/demo', { status: 'stopped' });
    await page.getByRole('link', { name: 'Projects' }).click();
    await row.getByText('stopped', { exact: true }).waitFor();
    assert.equal(await page.getByRole('link', { name: /New session/ }).count(), 0);
  });
