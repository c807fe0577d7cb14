// How pages look: what axe-core finds, and how wide they are.
//
// With SCREENSHOTS=DIR pictures of the pages are left there, light, dark and as
// wide as a telephone.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/// Nothing that axe-core knows of keeps anybody out, in either theme and on a
/// telephone; and nothing is wider than that.
export async function check(page, name) {
  const looks = [['light', 1200], ['dark', 1200], ['light', 375],
    ['dark', 375]];
  for (const [colorScheme, width] of looks) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    // A page with a width of its own has none of a telephone's.
    assert.equal(await page.locator('meta[name=viewport]').count(), 1, name);
    if (process.env.SCREENSHOTS) {
      await page.screenshot({ fullPage: true,
        path: join(process.env.SCREENSHOTS, `${name}-${colorScheme}-${width}.png`) });
    }
    // By the debugger's door, since our pages' policies load no scripts.
    await page.evaluate(await readFile(axe, 'utf8'));
    const { violations } = await page.evaluate(() => window.axe.run());
    const said = violations.map(({ id, nodes }) =>
      `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
    assert.deepEqual(said, [], `${name} ${colorScheme} ${width}`);
    const wide = await page.evaluate(() =>
      document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `${name} is ${wide} pixels too wide`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1200, height: 900 });
}
