// What the web console draws anew, element by element, in a browser without a
// server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openBrowser } from './lib/browser.js';

const files = fileURLToPath(new URL('../../http/console/', import.meta.url));
const origin = 'http://console.invalid';

/// A page whose `window` has the console's h and update, and `draw(rows)`, a
/// list of keyed rows with a button each that tells what it was made for.
async function openList(t) {
  const page = await (await openBrowser(t)).newPage();
  await page.route(`${origin}/**`, (route) => {
    const name = new URL(route.request().url()).pathname.slice(1);
    return name === '' ? route.fulfill({ contentType: 'text/html',
      body: '<main id=main tabindex=-1><div id=list></div></main>' })
      : route.fulfill({ path: `${files}${name}`,
        contentType: 'text/javascript' });
  });
  await page.goto(`${origin}/`);
  await page.evaluate(async () => {
    const { h, row, table } = await import('/dom.js');
    const { update } = await import('/update.js');
    window.said = [];
    window.draw = (rows) => update(document.getElementById('list'),
      table('Rows', ['Name', 'Do'], rows.map(({ key, text = '', label = 'Do' }) =>
        row(key, `${key} ${text}`, h('button', { type: 'button',
          onclick: () => window.said.push(`${label} ${key}`) }, label))),
      'none'));
    window.focused = () => document.activeElement.closest('tr')?.dataset.key
      ?? document.activeElement.id;
    window.texts = () => [...document.querySelectorAll('tbody tr')].map((one) =>
      one.innerText.replace(/\s+/g, ' ').trim());
    window.focusOn = (key) => document.querySelector(
      `tr[data-key="${key}"] button`).focus();
  });
  return page;
}

const keys = (text) => [...text].map((key) => ({ key }));
const drawn = (page, rows) => page.evaluate((some) => {
  window.draw(some);
  return { texts: window.texts(), focused: window.focused() };
}, rows);

test('rows come, go and change places, and the focus stays on its own',
  { timeout: 30_000 }, async (t) => {
    const page = await openList(t);
    await drawn(page, keys('abc'));
    await page.evaluate(() => window.focusOn('b'));
    for (const order of ['abc', 'xabc', 'bxc', 'cbx', 'zycxb', 'b', 'ba', 'ab']) {
      const now = await drawn(page, keys(order));
      assert.deepEqual(now.texts, [...order].map((key) => `${key} Do`));
      assert.equal(now.focused, 'b', order);
    }
    // Its row is gone: the focus goes to what took its place, in the end to the
    // page's content.
    assert.equal((await drawn(page, keys('ac'))).focused, 'c');
    assert.equal((await drawn(page, keys('a'))).focused, 'a');
    const none = await drawn(page, []);
    assert.deepEqual([none.texts, none.focused], [[], 'main']);
  });

test('what has not changed is the element that it was', { timeout: 30_000 },
  async (t) => {
    const page = await openList(t);
    await drawn(page, keys('ab'));
    const same = await page.evaluate(() => {
      const rows = () => [...document.querySelectorAll('tbody tr')];
      const buttons = () => [...document.querySelectorAll('tbody button')];
      const [before, pressed] = [rows(), buttons()];
      const text = before[0].cells[0].firstChild;
      window.draw([{ key: 'b', text: 'later' }, { key: 'a' }]);
      return [rows()[1] === before[0], rows()[0] === before[1],
        buttons()[1] === pressed[0], before[0].cells[0].firstChild === text];
    });
    assert.deepEqual(same, [true, true, true, true]);
    assert.deepEqual((await drawn(page, keys('ba'))).texts, ['b Do', 'a Do']);
  });

test('a control that does something else now does that', { timeout: 30_000 },
  async (t) => {
    const page = await openList(t);
    await drawn(page, [{ key: 'a', label: 'Drain' }, { key: 'b' }]);
    await page.evaluate(() => window.focusOn('a'));
    assert.equal((await drawn(page, [{ key: 'a', label: 'Resume' },
      { key: 'b' }])).focused, 'a');
    await page.keyboard.press('Enter');
    assert.deepEqual(await page.evaluate(() => window.said), ['Resume a']);
  });

test('a control that is busy stays until it is not', { timeout: 30_000 },
  async (t) => {
    const page = await openList(t);
    await drawn(page, keys('a'));
    await page.evaluate(() => document.querySelector('tr button')
      .setAttribute('aria-busy', 'true'));
    assert.deepEqual((await drawn(page, [{ key: 'a', text: 'later',
      label: 'Other' }])).texts, ['a later Do']);
    await page.evaluate(() => document.querySelector('tr button')
      .removeAttribute('aria-busy'));
    assert.deepEqual((await drawn(page, [{ key: 'a', label: 'Other' }])).texts,
      ['a Other']);
  });

test('a failure stays behind its control, and goes with it', { timeout: 30_000 },
  async (t) => {
    const page = await openList(t);
    await drawn(page, keys('ab'));
    await page.evaluate(async () => {
      const { busy } = await import('/dom.js');
      await busy(document.querySelector('tr[data-key="b"] button'),
        () => Promise.reject(new Error('no')));
    });
    assert.deepEqual((await drawn(page, [{ key: 'x' }, { key: 'b', text: 'later' }]))
      .texts, ['x Do', 'b later Do no']);
    assert.deepEqual((await drawn(page, keys('ba'))).texts, ['b Do no', 'a Do']);
    // Another control, which has not failed.
    assert.deepEqual((await drawn(page, [{ key: 'b', label: 'Other' },
      { key: 'a' }])).texts, ['b Other', 'a Do']);
  });

test('a button that is gone when its work is done leaves the focus to the page',
  { timeout: 30_000 }, async (t) => {
    const page = await openList(t);
    await drawn(page, keys('a'));
    assert.equal(await page.evaluate(async () => {
      const { busy } = await import('/dom.js');
      const button = document.querySelector('tr button');
      button.focus();
      await busy(button, async () => button.remove());
      return document.activeElement.id;
    }), 'main');
  });
