// The ports that a session listens on, and links that open them.
import { call } from './api.js';
import { busy, h, notice, row, table } from './dom.js';
import { streamOpened } from './session.js';
import { update } from './update.js';

export async function portsTab(body, { page, path, on }) {
  async function refresh() {
    const { ports } = await call('GET', `${path}/ports`);
    update(body, table('Ports', ['Port', 'Preview', 'Access', 'Process', 'Address'],
      ports.map((port) => (page.mayChange ? portRow(path, port)
        : watchedRow(port))),
      'Nothing listens. Start a server in the session, and it shows here.'));
  }
  await refresh();
  on([streamOpened, 'port.opened', 'port.closed'], page.calmly(refresh));
}

function portRow(path, port) {
  const portPath = `${path}/ports/${port.port}`;
  const open = h('button', { type: 'button', class: 'main', onclick: () =>
    busy(open, async () => {
      // Opened at once, for a browser blocks what comes later.
      const page = window.open('about:blank', '_blank');
      if (!page) {
        throw new Error('The browser has blocked the new window: allow this '
          + 'page to open some, then try again.');
      }
      try {
        const { url } = await call('POST', `${portPath}/link`,
          { expires_in: '8h', path: '/' });
        page.opener = null;
        page.location.replace(url);
      } catch (error) {
        page.close();
        throw error;
      }
    }) }, 'Open');
  const access = h('select', { 'aria-label': `Who may open port ${port.port}`,
    onchange: () => busy(access, async () => {
      const { value } = access;
      access.value = port.access; // until it is so
      await call('PUT', portPath, { access: value });
      access.value = value;
      notice(`Port ${port.port} opens for: ${access.value}.`);
    }) }, ['token', 'key', 'public'].map((name) =>
    h('option', { value: name, selected: name === port.access }, name)));
  return anyRow(port, h('span', {}, port.url ? open : 'no preview is served'),
    h('span', {}, access));
}

// A key that may only watch makes no links.
function watchedRow(port) {
  return anyRow(port, port.access === 'public' && port.url
    ? h('a', { href: port.url, target: '_blank', rel: 'noreferrer' }, 'Open') : '–',
  port.access);
}

const anyRow = (port, preview, access) => row(`${port.port} ${port.address}`,
  port.label ? `${port.port} (${port.label})` : String(port.port),
  preview, access, port.process, h('span', { class: 'mono' }, port.address));
