// Makes the pictures of the README with a real node, below config/pictures:
// console.png, a page of the web console, and terminal.svg, commands with what
// they print, as they come. `./dev pictures` runs it.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openPage } from './lib/browser.js';
import { startNode } from './lib/node.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/// Stands for a test: what is to be ended is ended when the work is done.
async function withEnds(work) {
  const ends = [];
  try {
    await work({ after: (end) => ends.push(end) });
  } finally {
    for (const end of ends.reverse()) {
      await end();
    }
  }
}

const checks = 'for name in parser login forms; do sleep 0.4; '
  + 'echo "ok  $name"; done';

/// Runs one command line with the client, and answers its lines with when each
/// came, in seconds from the start.
function record(node, home, line) {
  return new Promise((resolve, reject) => {
    const begun = Date.now();
    const child = spawn('bash', ['-c', line], {
      cwd: home,
      env: { HOME: home, GREENROOM_URL: node.url, GREENROOM_KEY: node.key,
        PATH: `${root}build/release:${process.env.PATH}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines = [];
    let rest = '';
    const take = (text) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop();
      for (const part of parts) {
        lines.push({ text: part, at: (Date.now() - begun) / 1000 });
      }
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', reject);
    child.on('close', (code) => {
      if (rest) {
        take('\n');
      }
      if (code === 0) {
        resolve({ lines, took: (Date.now() - begun) / 1000 });
      } else {
        reject(new Error(`${line}: ${code}\n${lines.map((x) => x.text).join('\n')}`));
      }
    });
  });
}

const commands = [
  'greenroom create fix-login --use',
  `greenroom exec -- sh -c '${checks}'`,
  'greenroom exec -c "echo Fixed. >> NOTES; git status --short"',
  'greenroom checkin --skip-review -m "Fix the login"',
  'greenroom list --all',
];

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  .replaceAll('>', '&gt;');

/// Lines that appear one after the other; all of them where nothing may move.
function drawn(lines) {
  const [high, wide] = [19, 8.43];
  const columns = Math.max(...lines.map(({ text }) => text.length));
  const width = Math.ceil(columns * wide + 32);
  const height = lines.length * high + 32;
  const rows = lines.map(({ text, at, typed }, i) => {
    const place = `x="16" y="${30 + i * high}"`;
    const when = `style="animation-delay:${at.toFixed(1)}s"`;
    return `<text ${place} ${when}${typed ? ' class="typed"' : ''}>`
      + `${escaped(text)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" `
    + `height="${height}" viewBox="0 0 ${width} ${height}" role="img" `
    + 'aria-label="Commands of greenroom in a terminal">\n<style>\n'
    + 'text{font:14px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;'
    + 'white-space:pre;fill:#e6edf3}\n.typed{fill:#7ee2a8}\n'
    + '@media (prefers-reduced-motion:no-preference){text{opacity:0;'
    + 'animation:come .1s forwards}}\n@keyframes come{to{opacity:1}}\n</style>\n'
    + `<rect width="${width}" height="${height}" rx="8" fill="#0f1419"/>\n`
    + `${rows.join('\n')}\n</svg>\n`;
}

async function drawTerminal(node) {
  const home = await mkdtemp(join(tmpdir(), 'greenroom-pictures-'));
  const lines = [];
  let now = 0.5;
  try {
    for (const line of commands) {
      lines.push({ text: `$ ${line}`, at: now, typed: true });
      now += 0.8;
      const { lines: shown, took } = await record(node, home, line);
      lines.push(...shown.map(({ text, at }) => ({ text, at: now + at })));
      now += took + 1;
    }
  } finally {
    await rm(home, { recursive: true });
  }
  await writeFile(join(root, 'config/pictures/terminal.svg'), drawn(lines));
}

async function drawConsole(t, node) {
  const session = await node.call('POST', '/projects/demo/sessions',
    { new_branch: 'feature/login', labels: { team: 'core' } });
  const path = `/projects/demo/sessions/${session.id}`;
  await node.call('POST', `${path}/exec`,
    { command: 'git log --oneline', wait: '10s' });
  await node.call('POST', `${path}/exec`, { exec_id: 'server',
    command: 'python3 -u -m http.server --bind 127.0.0.1 8000' });
  await node.call('POST', `${path}/exec`, { command: checks, wait: '10s' });
  const page = await openPage(t, node.url);
  await page.setViewportSize({ width: 1000, height: 900 });
  await page.goto(`${node.url}/`);
  await page.getByLabel('API key').fill(node.key);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('link', { name: session.id }).click();
  await page.getByRole('log').getByText('ok  forms').waitFor();
  await page.screenshot({ path: join(root, 'config/pictures/console.png') });
}

await withEnds(async (t) => {
  const node = await startNode(t,
    { sandbox: 'bubblewrap', set: ['node.name=green-1'] });
  await drawTerminal(node);
  await drawConsole(t, node);
});
