// All sessions that the key may see, and a form for a new one.
import { call, sessionPath } from './api.js';
import { badge, busy, field, h, notice, replace, row, table } from './dom.js';
import { age, until } from './format.js';
import { projectControl } from './projects.js';
import { update } from './update.js';

const live = ['creating', 'active', 'checking_in'];

export async function showSessions(page) {
  const list = h('div', {});
  const ended = h('input', { type: 'checkbox', onchange: () => refresh() });
  replace(page.place, h('h1', {}, 'Sessions'),
    createForm(await projectControl()),
    h('div', { class: 'row' }, h('label', {}, ended, ' Show those that are over')),
    list);

  async function refresh() {
    // Ended ones may be many: without them each status is asked for alone.
    const asked = ended.checked ? ['?limit=200']
      : live.map((status) => `?limit=200&status=${status}`);
    const pages = await Promise.all(asked.map((query) =>
      call('GET', `/sessions${query}`)));
    const shown = pages.flatMap(({ sessions }) => sessions).sort((a, b) =>
      Date.parse(b.created_at) - Date.parse(a.created_at));
    update(list, table('Sessions',
      ['Session', 'Status', 'Project', 'Branch', 'Runs', 'Age', 'Ends'],
      shown.map(sessionRow), 'No session is live. Make one above.'),
    pages.some((one) => one.next_cursor) && h('p', { class: 'empty' },
      'There are more; “greenroom list --all” has them.'));
  }
  await page.repeat(5000, refresh);
}

function sessionRow(session) {
  const over = !live.includes(session.status);
  return row(session.id,
    h('a', { class: 'mono', href: sessionLink(session) }, session.id),
    badge(session.status),
    session.project_id,
    h('span', { class: 'mono' }, session.branch),
    session.running_execs === 0 ? '–'
      : `${session.running_execs} command${session.running_execs > 1 ? 's' : ''}`,
    age(session.created_at),
    over ? (session.status_reason ?? '–')
      : `in ${until(session.expires_at)} (${session.on_expire})`);
}

export const sessionLink = (session, tab) =>
  `#${sessionPath(session.project_id, session.id)}${tab ? `/${tab}` : ''}`;

function createForm({ control: project, hint }) {
  const how = h('select', { name: 'how' },
    h('option', { value: 'new_branch' }, 'a new branch'),
    h('option', { value: 'branch' }, 'a branch that is there'));
  const branch = h('input', { name: 'branch', required: true,
    autocomplete: 'off', spellcheck: 'false', placeholder: 'feature/login' });
  const from = h('input', { name: 'from', autocomplete: 'off',
    spellcheck: 'false', placeholder: 'the default branch' });
  const expires = h('input', { name: 'expires', value: '24h', required: true });
  const port = h('input', { name: 'port', type: 'number', min: '1',
    max: '65535', value: '8080', required: true });
  how.addEventListener('change', () => {
    from.disabled = how.value === 'branch';
  });
  const form = h('form', { class: 'grid', onsubmit: (event) => {
    event.preventDefault();
    busy(form, async () => {
      const made = await call('POST',
        `/projects/${encodeURIComponent(project.value.trim())}/sessions`, {
          [how.value]: branch.value.trim(),
          ...(!from.disabled && from.value.trim()
            ? { from_ref: from.value.trim() } : {}),
          expires_in: expires.value.trim(),
          preview_port: Number(port.value),
        });
      notice(`Session ${made.id} is there.`);
      location.hash = sessionLink(made);
    });
  } },
    field('Project', project, hint), field('On', how), field('Branch', branch),
    field('From', from), field('Expires in', expires, '90m, 24h, 7d'),
    field('Preview port', port),
    h('button', { class: 'main' }, 'Create'));
  return h('details', { class: 'card' }, h('summary', {}, 'New session'), form);
}
