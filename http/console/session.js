// One session: what it is, and its tabs.
import { call, follow, reviewPath, sessionPath } from './api.js';
import { ask, badge, busy, failure, field, h, notice, replace } from './dom.js';
import { age, keyText, shellQuoted, until } from './format.js';
import { changesTab } from './changes.js';
import { commandsTab } from './commands.js';
import { Page } from './page.js';
import { portsTab } from './ports.js';
import { terminalTab } from './terminal.js';
import { eventTypes, timelineTab } from './timeline.js';
import { update } from './update.js';

const tabs = {
  commands: ['Commands', commandsTab],
  terminal: ['Terminal', terminalTab],
  changes: ['Changes', changesTab],
  ports: ['Ports', portsTab],
  timeline: ['Timeline', timelineTab],
};

// A session that is over has these; the rest ended with it.
const lasting = ['commands', 'timeline'];

export const isLive = (session) =>
  ['creating', 'active', 'checking_in'].includes(session.status);

/// In place of an event's type: the stream has begun anew, so something may have
/// been missed.
export const streamOpened = 'opened';

/// What has happened in a session is one stream, which all of the page shares:
/// `on(types, handle)` hears of these.
function startStream(page, path, from) {
  const listeners = [];
  const hear = (event, type) => {
    for (const [types, handle] of listeners) {
      if (types.includes(type)) {
        handle(event, type);
      }
    }
    if (type === 'session.ended') {
      stop();
    }
  };
  const stop = follow(path, { types: eventTypes.join(','), from },
    Object.fromEntries(eventTypes.map((type) => [type, hear])),
    () => hear({}, streamOpened));
  page.onLeave(() => stop());
  return (types, handle) => listeners.push([types, handle]);
}

export async function showSession(page, project, id, wanted) {
  const path = sessionPath(project, id);
  document.title = `Session ${id} · Greenroom`;
  const tab = tabs[wanted] ? wanted : 'commands';
  const head = h('section', { class: 'card', 'aria-label': 'The session' });
  const nav = h('nav', { class: 'tabs', 'aria-label': 'Session' });
  const body = h('section', { 'aria-label': tabs[tab][0] });
  let session = await call('GET', path);
  // What has been done is done, also where it cannot be looked at at once.
  const soon = page.calmly(refresh);
  let tick = drawHead(head, session, page, soon);
  let on = () => {};
  let shown = null;
  const kept = {}; // what a tab that is drawn anew goes on with
  let warning = null; // the last session.expiring
  let told = null;
  let takeBack = () => {};

  async function refresh() {
    const before = isLive(session);
    session = await call('GET', path);
    warn();
    tick = drawHead(head, session, page, soon);
    drawTabs(nav, session, path, tab);
    // What it offers can be done no more; a timeline offers nothing.
    if (before && !isLive(session) && tab !== 'timeline') {
      on = () => {};
      await drawTab();
    }
  }

  // Tells of an end that is near, until the session is extended or over.
  function warn() {
    const due = isLive(session) && warning?.expires_at === session.expires_at
      && warning.remaining_seconds <= 3600 ? warning : null;
    if (due !== told) {
      takeBack();
      told = due;
      takeBack = due ? notice(`The session ends in ${until(due.expires_at)}; `
        + '“Extend” gives it more time.', 'bad') : () => {};
      page.onLeave(takeBack); // at once where what was asked comes too late
    }
  }

  // A tab that cannot be shown leaves the rest of the page as it is.
  async function drawTab() {
    shown?.leave();
    const mine = new Page(page.key);
    shown = mine;
    page.onLeave(() => mine.leave());
    replace(body, mine.place);
    if (!isLive(session) && !lasting.includes(tab)) {
      replace(mine.place, h('p', { class: 'empty' }, 'The session is over: '
        + 'it has no terminal, changes or ports any more. What its commands '
        + 'printed and its timeline are still here.'));
      return;
    }
    try {
      await tabs[tab][1](mine.place, { page: mine, path, session, on,
        kept });
    } catch (error) {
      replace(mine.place, failure(error));
      mine.later(error, drawTab);
    }
  }

  drawTabs(nav, session, path, tab);
  replace(page.place,
    h('h1', {}, 'Session ', h('span', { class: 'mono' }, id)), head, nav, body);
  if (isLive(session) || tab === 'timeline') {
    on = startStream(page, path, tab === 'timeline' ? 'earliest' : 'now');
    on([streamOpened, 'session.extended', 'session.expiring', 'session.ended',
      'exec.started', 'exec.exited', 'checkin.started', 'checkin.finished'],
    soon);
    on(['session.expiring'], (event) => { warning = event; });
    const timer = setInterval(() => tick(), 1000);
    page.onLeave(() => clearInterval(timer));
  }
  await drawTab();
}

function drawTabs(nav, session, path, tab) {
  const names = Object.keys(tabs).filter((name) =>
    isLive(session) || lasting.includes(name));
  update(nav, names.map((name) => h('a', { href: `#${path}/${name}`,
    'data-key': name, 'aria-current': name === tab ? 'page' : null },
  tabs[name][0])));
}

// Forms stand apart and stay as they are. Returns what moves the times on.
function drawHead(head, session, page, soon) {
  const live = isLive(session);
  const facts = head.querySelector('dl') ?? h('dl', {});
  const past = h('span', { class: 'past' });
  const ends = h('span', { class: 'ends' });
  update(facts, fact('Status', h('span', { role: 'status' }, badge(session.status))),
    session.status_reason && fact('Why', session.status_reason),
    fact('Project', session.project_id),
    fact('Branch', h('span', { class: 'mono' }, session.branch)),
    fact('By', keyText(session.created_by, session.created_by_name)),
    fact('Age', past),
    live && fact('Ends', [ends, session.on_expire === 'checkin'
      ? ', then it is checked in'
      : ', then its work is kept under rescue refs']),
    fact('Runs', session.running_execs === 1 ? '1 command'
      : `${session.running_execs} commands`),
    fact('Node', session.pod_name),
    session.commit && fact('Commit', h('span', { class: 'mono' }, session.commit)),
    session.review_id && fact('Review', h('a', { class: 'mono',
      href: `#${reviewPath(session.project_id, session.review_id)}` },
    session.review_id)),
    session.rescue_refs?.length > 0 && fact('Kept under', [h('ul', {},
      session.rescue_refs.map(({ ref, holds }) =>
        h('li', {}, h('span', { class: 'mono' }, ref), ` ${holds}`))),
    h('small', {}, 'A new session “From” one of these goes on with it.')]),
    session.rescue_note && fact('Note', session.rescue_note));
  if (!facts.isConnected) {
    head.append(facts);
  }
  const actions = head.querySelector('.actions');
  if (live && !actions) {
    head.append(page.mayChange ? actionRow(session, page, soon)
      : h('p', { class: 'empty actions' },
        'The key may only watch; sessions:execute would let it do more.'));
  } else if (!live) {
    actions?.remove();
  }
  const tick = () => {
    const say = (name, text) => {
      const shown = facts.querySelector(name);
      if (shown) {
        shown.textContent = text;
      }
    };
    say('.past', age(session.created_at));
    say('.ends', `in ${until(session.expires_at)}`);
  };
  tick();
  return tick;
}

const fact = (name, value) => [h('dt', {}, name), h('dd', {}, value)];

function actionRow(session, page, soon) {
  const path = sessionPath(session.project_id, session.id);
  const mayEnd = page.isAdmin || page.key.id === session.created_by;
  const by = h('input', { value: '24h', size: '6' });
  const extend = h('button', { type: 'button', onclick: () => busy(extend,
    async () => {
      const { expires_at: end } = await call('POST', `${path}/extend`,
        { expires_in: by.value.trim() });
      notice(`The session ends on ${new Date(end).toLocaleString()}.`);
      soon();
    }) }, 'Extend');
  const end = h('button', { type: 'button', class: 'danger', onclick: () =>
    busy(end, async () => {
      if (await ask('End the session without a check-in? Its commands are '
        + 'killed; its work is kept under rescue refs.', 'End it')) {
        await call('POST', `${path}/discard`, {});
        soon();
      }
    }) }, 'End');
  let line = null;
  const clone = h('button', { type: 'button', onclick: () => busy(clone,
    async () => {
      if (!await ask('Make a new clone URL? The one before is dead then.',
        'Make it')) {
        return;
      }
      const { auth_clone_url: url } = await call('POST', `${path}/clone-token`, {});
      line?.remove(); // its URL is dead
      line = h('input', { class: 'mono wide', readonly: true,
        value: ['git', 'clone', '--branch', session.branch, url]
          .map(shellQuoted).join(' '), 'aria-label': 'How to clone' });
      clone.after(line);
      line.select();
      await navigator.clipboard?.writeText(line.value).then(
        () => notice('The command is in the clipboard.'), () => {});
    }) }, 'Clone URL');
  return h('div', { class: 'row actions' },
    field('Expires in', by), h('span', {}, extend), h('span', {}, clone),
    mayEnd ? h('span', {}, end)
      : h('small', {}, 'Whoever has made it, or an administrator, may end it.'));
}
