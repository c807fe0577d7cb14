// The console: which page is shown, and to whom.
import { call, onLoggedOut, onLost } from './api.js';
import { badge, busy, failure, h, notice, replace } from './dom.js';
import { showKeys } from './keys.js';
import { showLogin } from './login.js';
import { showNodes } from './nodes.js';
import { Page } from './page.js';
import { showProjects } from './projects.js';
import { showReview, showReviews } from './reviews.js';
import { showSession } from './session.js';
import { showSessions } from './sessions.js';
import { showWebhook, showWebhooks } from './webhooks.js';

const main = document.getElementById('main');

const pages = [
  [/^#?\/?$/, 'Sessions', (page) => showSessions(page)],
  [/^#\/reviews$/, 'Reviews', (page) => showReviews(page)],
  [/^#\/projects$/, 'Projects', (page) => showProjects(page)],
  [/^#\/projects\/([^/]+)\/sessions(\/new)?$/, 'Sessions',
    (page, project, create) => showSessions(page, project, Boolean(create))],
  [/^#\/projects\/([^/]+)\/reviews$/, 'Reviews',
    (page, project) => showReviews(page, project)],
  [/^#\/projects\/([^/]+)\/reviews\/([^/]+)$/, 'Review',
    (page, project, id) => showReview(page, project, id)],
  [/^#\/projects\/([^/]+)\/sessions\/([^/]+)(?:\/([a-z]+))?$/, 'Session',
    (page, project, id, tab) => showSession(page, project, id, tab ?? 'commands')],
  [/^#\/webhooks$/, 'Webhooks', (page) => showWebhooks(page)],
  [/^#\/projects\/([^/]+)\/webhooks\/([^/]+)$/, 'Webhook',
    (page, project, id) => showWebhook(page, project, id)],
  [/^#\/keys$/, 'Keys', (page) => showKeys(page)],
  [/^#\/nodes$/, 'Nodes', (page) => showNodes(page)],
];

const links = [['#/', 'Sessions'], ['#/reviews', 'Reviews'],
  ['#/projects', 'Projects']];
const adminLinks = [['#/keys', 'Keys'], ['#/webhooks', 'Webhooks'],
  ['#/nodes', 'Nodes']];

let key = null;

function showWho() {
  const all = key?.scopes.includes('admin') ? [...links, ...adminLinks] : links;
  replace(document.getElementById('nav'), key && all.map(([href, name]) =>
    h('a', { href,
      'aria-current': (location.hash || '#/') === href ? 'page' : null }, name)));
  const out = h('button', { type: 'button', class: 'plain', onclick: () =>
    busy(out, logout) }, 'Log out');
  replace(document.getElementById('who'), key && [
    h('span', { title: key.scopes.join(', ') }, key.name || key.id), out,
  ]);
}

// The cookie is the server's to take back: until it has, the login is there.
async function logout() {
  try {
    await call('DELETE', '/console/login');
  } catch (error) {
    if (error.status !== 401) {
      throw error;
    }
  }
  key = null;
  show();
}

let shown = new Page(null);

async function show() {
  // What a page asks is not answered on another one.
  document.querySelectorAll('dialog[open]').forEach((one) => one.close());
  shown.leave();
  const page = new Page(key);
  shown = page;
  replace(main, page.place);
  showWho();
  if (!key) {
    document.title = 'Log in · Greenroom';
    showLogin(page, (whose) => {
      key = whose;
      document.getElementById('notices').replaceChildren(); // of the one before
      show();
    });
    return;
  }
  for (const [pattern, title, draw] of pages) {
    const found = pattern.exec(location.hash);
    if (found) {
      document.title = `${title} · Greenroom`;
      try {
        // Of an address that somebody has written wrong it throws.
        const parts = found.slice(1).map((x) => x && decodeURIComponent(x));
        await draw(page, ...parts);
      } catch (error) {
        replace(page.place, h('h1', {}, title), failure(error));
        page.later(error, show);
      }
      return;
    }
  }
  replace(page.place, h('h1', {}, 'There is no such page'),
    h('p', {}, h('a', { href: '#/' }, 'All sessions')));
}

onLoggedOut(() => {
  if (key) {
    key = null;
    notice('The login is over: its time was up, or its key was revoked.', 'bad');
    show();
  }
});

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault(); // the address says which page it is
  main.focus();
});

onLost((lost) => replace(document.getElementById('state'), lost
  && [badge('reconnecting'), h('span', {}, ' What is shown may be old.')]));

async function begin() {
  try {
    key = await call('GET', '/whoami');
  } catch (error) {
    if (error.status !== 401) {
      // Whether there is a login is not known.
      replace(main, failure(error));
      shown.later(error, begin);
      return;
    }
  }
  window.addEventListener('hashchange', async () => {
    await show();
    if (!main.contains(document.activeElement)) { // nobody is typing in it yet
      main.focus({ preventScroll: true });
    }
  });
  show();
}
begin();
