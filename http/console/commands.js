// The commands of a session: run one, and watch what it prints as it does.
import { call, follow, maker } from './api.js';
import { badge, busy, field, h, replace } from './dom.js';
import { age, bytes, commandText, outcome, success } from './format.js';
import { OutputScreen } from './output.js';
import { isLive, streamOpened } from './session.js';
import { update } from './update.js';

export async function commandsTab(body, { page, path, session, on, kept }) {
  const list = h('div', {});
  const output = h('div', {});
  const mayChange = page.mayChange && isLive(session);
  let execs = [];
  let more = false;
  let chosen = null;
  let stop = () => {};
  let left = false;
  page.onLeave(() => {
    left = true;
    stop();
  });

  function draw() {
    update(list, execs.length === 0
      ? h('p', { class: 'empty' }, 'Nothing has been run yet.')
      : h('ul', { class: 'execs' }, execs.map((exec) => h('li',
        { 'data-key': exec.exec_id },
        h('button', { type: 'button', class: 'plain exec',
          'data-key': exec.exec_id,
          'aria-pressed': String(exec.exec_id === chosen),
          onclick: () => choose(exec.exec_id) },
        h('span', { class: 'mono' }, commandText(exec)),
        h('span', {}, outcomeBadge(exec), ` ${age(exec.created_at)} ago · `
          + bytes(exec.stdout_bytes + exec.stderr_bytes)))))),
    more && h('p', { class: 'empty' },
      `There are more; “greenroom ps ${session.id}” has them.`));
  }

  function choose(id) {
    if (left) {
      return; // nobody would end its stream
    }
    chosen = id;
    kept.exec = id;
    draw();
    stop();
    stop = showOutput(output, path, execs.find((exec) => exec.exec_id === id),
      mayChange);
  }

  async function refresh() {
    const found = await call('GET', `${path}/execs?limit=50`);
    execs = found.execs;
    more = Boolean(found.next_cursor);
    draw();
  }

  const soon = page.calmly(refresh);
  replace(body, mayChange && runForm(path, (exec) => {
    execs = [exec, ...execs.filter((one) => one.exec_id !== exec.exec_id)];
    choose(exec.exec_id);
    soon();
  }), list, output);
  await refresh();
  on([streamOpened, 'exec.queued', 'exec.started', 'exec.exited'], soon);
  if (execs.length > 0 && !chosen) { // none that was run meanwhile
    choose((execs.find((one) => one.exec_id === kept.exec) ?? execs[0]).exec_id);
  }
}

const outcomeBadge = (exec) => badge(outcome(exec), success(exec));

function runForm(path, done) {
  const run = maker();
  const command = h('input', { class: 'mono', name: 'command', required: true,
    autocomplete: 'off', spellcheck: 'false', placeholder: 'make test' });
  const form = h('form', { class: 'row', onsubmit: (event) => {
    event.preventDefault();
    busy(form, async () => {
      const { value } = command;
      const exec = await run(`${path}/exec`, { command: value });
      if (command.value === value) { // else the next is being typed
        command.value = '';
      }
      done(exec);
    });
  } }, field('Command', command), h('button', { class: 'main' }, 'Run'));
  return h('div', {}, form);
}

/// Returns what ends it.
function showOutput(into, path, exec, mayChange) {
  const execPath = `${path}/execs/${encodeURIComponent(exec.exec_id)}`;
  const screen = h('pre', { class: 'output', tabindex: '0', role: 'log',
    'aria-label': 'Output' });
  const state = h('span', { role: 'status' }, outcomeBadge(exec));
  const running = ['queued', 'running'].includes(exec.status);
  const interrupt = h('button', { type: 'button', onclick: () =>
    busy(interrupt, () => call('POST', `${execPath}/signal`,
      { signal: 'INT' })) }, 'Interrupt');
  const cancel = h('button', { type: 'button', class: 'danger', onclick: () =>
    busy(cancel, () => call('DELETE', execPath)) }, 'Cancel');
  const controls = h('span', { class: 'row' }, h('span', {}, interrupt),
    h('span', {}, cancel));
  replace(into, h('h2', { class: 'mono' }, commandText(exec)),
    h('div', { class: 'row line' }, state,
      exec.reason && h('span', {}, exec.reason),
      mayChange && running && controls,
      h('a', { href: `${execPath}/output`, download: `${exec.exec_id}.log` },
        'Download')), screen);

  const printed = new OutputScreen(screen);
  let empty = true;
  const stop = follow(path, { exec_id: exec.exec_id, from: 'earliest' }, {
    'exec.output': (event) => {
      empty = false;
      printed.write(event);
    },
    'stream.gap': () => printed.write({ stream: 'note',
      data: '[earlier output is not kept as events; download it]\n' }),
    'exec.started': (event) => {
      if (running) { // else its end is known already
        replace(state, outcomeBadge(event));
      }
    },
    'exec.exited': (event) => {
      replace(state, outcomeBadge(event));
      if (controls.contains(document.activeElement)) {
        screen.focus({ preventScroll: true });
      }
      controls.remove();
      if (empty && event.stdout_bytes + event.stderr_bytes > 0) {
        printed.write({ stream: 'note',
          data: '[what it printed is not kept any more]\n' });
      }
      printed.end();
      stop();
    },
    'session.ended': () => stop(),
  });
  return stop;
}
