// Chromium, with pages that send some headers with each request.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const libraries = fileURLToPath(new URL('../node_modules', import.meta.url));

/// Starts a browser, which ends with the test.
export async function openBrowser(t) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
      '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
  t.after(() => browser.close());
  return browser;
}

/// Opens a page whose origin is `origin`; browser and page end with the test.
export async function openPage(t, origin, headers = {}) {
  const browser = await openBrowser(t);
  const context = await browser.newContext({ extraHTTPHeaders: headers });
  const page = await context.newPage();
  await page.goto(`${origin}/healthz`);
  return page;
}

/// Loads a module of npm into the page, where it is `window.library` then.
export async function loadLibrary(page, path) {
  const served = '/library-of-npm/';
  await page.route(`**${served}**`, (route) => {
    // Imports within a library leave out the ending.
    const name = new URL(route.request().url()).pathname.slice(served.length);
    return route.fulfill({
      path: join(libraries, name.endsWith('.js') ? name : `${name}.js`),
      contentType: 'text/javascript',
    });
  });
  await page.evaluate(async (url) => {
    window.library = await import(url);
  }, served + path);
  await page.unrouteAll();
}
