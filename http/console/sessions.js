// All sessions that the key may see, and a form for a new one.
import { call, maker, sessionPath } from './api.js';
import { badge, busy, field, h, notice, replace, row, table } from './dom.js';
import { age, commandText, until } from './format.js';
import { projectControl } from './project_choice.js';
import { update } from './update.js';

const live = ['creating', 'active', 'checking_in'];

/// Of so many sessions is asked which commands run in them; of others the list
/// says how many.
const mostAsked = 20;
const longestCommand = 40;

/// Those of one project, or of all. With `create` the form for a new one is
/// open.
export async function showSessions(page, project, create = false) {
  const path = project ? `/projects/${encodeURIComponent(project)}/sessions`
    : '/sessions';
  const list = h('div', {});
  const ended = h('input', { type: 'checkbox', onchange: page.calmly(refresh) });
  replace(page.place, h('h1', {}, project ? `Sessions of ${project}` : 'Sessions'),
    project && h('p', {}, h('a', { href: '#/' }, 'All sessions')),
    page.mayChange && createForm(await projectControl(project), create),
    h('div', { class: 'row' }, h('label', {}, ended, ' Show those that are over')),
    list);

  async function refresh() {
    // Ended ones may be many: without them each status is asked for alone.
    const all = ended.checked;
    const { sessions, more } = all
      ? await gathered([`${path}?limit=200`]) : await liveSessions(path);
    const running = await commandsOf(sessions);
    if (ended.checked !== all) {
      return; // what is wanted now is asked for
    }
    update(list, table('Sessions',
      ['Session', 'Status', 'Project', 'Branch', 'By', 'Runs', 'Age', 'Ends'],
      sessions.map((one) => sessionRow(one, running.get(one.id))),
      `No session is live.${page.mayChange ? ' Make one above.' : ''}`),
    more && h('p', { class: 'empty' },
      'There are more; “greenroom list --all” has them.'));
  }
  await page.repeat(5000, refresh);
}

/// The live ones of a list's path, newest first, and whether there are more.
export const liveSessions = (path) =>
  gathered(live.map((status) => `${path}?limit=200&status=${status}`));

async function gathered(paths) {
  const pages = await Promise.all(paths.map((path) => call('GET', path)));
  return { sessions: pages.flatMap(({ sessions }) => sessions).sort((a, b) =>
    Date.parse(b.created_at) - Date.parse(a.created_at)),
  more: pages.some((one) => one.next_cursor) };
}

/// The commands that run, by session.
async function commandsOf(sessions) {
  const asked = sessions.filter((one) => one.running_execs > 0)
    .slice(0, mostAsked);
  return new Map(await Promise.all(asked.map(async ({ project_id, id }) => {
    try {
      const { execs } = await call('GET',
        `${sessionPath(project_id, id)}/execs?limit=20`);
      return [id, execs.filter(({ status }) => status === 'running')];
    } catch {
      return [id, []]; // it may have ended; the next look tells
    }
  })));
}

/// The last command that was begun, and how many there are besides.
function runsCell({ running_execs: count }, [newest] = []) {
  if (count === 0) {
    return '–';
  }
  if (!newest) {
    return `${count} command${count > 1 ? 's' : ''}`;
  }
  const text = commandText(newest).replaceAll(/\s+/g, ' ').trim();
  const shown = [...text].length > longestCommand
    ? `${[...text].slice(0, longestCommand - 1).join('')}…` : text;
  return [h('span', { class: 'mono', title: text }, shown),
    count > 1 ? ` and ${count - 1} more` : ''];
}

function sessionRow(session, running) {
  const over = !live.includes(session.status);
  return row(session.id,
    h('a', { class: 'mono', href: sessionLink(session) }, session.id),
    badge(session.status),
    session.project_id,
    h('span', { class: 'mono' }, session.branch),
    session.created_by_name ?? session.created_by,
    runsCell(session, running),
    age(session.created_at),
    over ? (session.status_reason ?? '–')
      : `in ${until(session.expires_at)} (${session.on_expire})`);
}

export const sessionLink = (session, tab) =>
  `#${sessionPath(session.project_id, session.id)}${tab ? `/${tab}` : ''}`;

function createForm({ control: project, hint }, open) {
  const create = maker();
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
      const before = location.hash;
      const made = await create(
        `/projects/${encodeURIComponent(project.value.trim())}/sessions`, {
          [how.value]: branch.value.trim(),
          ...(!from.disabled && from.value.trim()
            ? { from_ref: from.value.trim() } : {}),
          expires_in: expires.value.trim(),
          preview_port: Number(port.value),
        });
      notice(`Session ${made.id} is there.`);
      if (location.hash === before) { // else something else is looked at
        location.hash = sessionLink(made);
      }
    });
  } },
    field('Project', project, hint), field('On', how), field('Branch', branch),
    field('From', from), field('Expires in', expires, '90m, 24h, 7d'),
    field('Preview port', port),
    h('button', { class: 'main' }, 'Create'));
  return h('details', { class: 'card', open },
    h('summary', {}, 'New session'), form);
}
