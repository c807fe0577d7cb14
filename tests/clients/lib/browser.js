// Chromium, with pages that send the key of a node with each request.
import { chromium } from 'playwright-core';

/// Opens a page whose origin is `origin`; browser and page end with the test.
export async function openPage(t, origin, headers) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
      '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
  t.after(() => browser.close());
  const context = await browser.newContext({ extraHTTPHeaders: headers });
  const page = await context.newPage();
  await page.goto(`${origin}/healthz`);
  return page;
}
