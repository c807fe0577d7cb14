// The commands of a session: run one, and watch what it prints as it does.
import { call, follow } from './api.js';
import { badge, busy, field, h, replace } from './dom.js';
import { age, bytes, commandText, outcome, plain, success } from './format.js';
import { isLive, streamOpened } from './session.js';
import { update } from './update.js';

// More than that a person does not read here; all of it can be downloaded.
const mostShown = 512 * 1024;
const showEvery = 100; // ms

export async function commandsTab(body, { page, path, session, on }) {
  const list = h('div', {});
  const output = h('div', {});
  let execs = [];
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
          + bytes(exec.stdout_bytes + exec.stderr_bytes)))))));
  }

  function choose(id) {
    if (left) {
      return; // nobody would end its stream
    }
    chosen = id;
    draw();
    stop();
    stop = showOutput(output, path, execs.find((exec) => exec.exec_id === id),
      isLive(session));
  }

  async function refresh() {
    execs = (await call('GET', `${path}/execs?limit=50`)).execs;
    draw();
  }

  replace(body, isLive(session) && runForm(path, async (exec) => {
    await refresh();
    choose(exec.exec_id);
  }), list, output);
  await refresh();
  on([streamOpened, 'exec.queued', 'exec.started', 'exec.exited'],
    page.calmly(refresh));
  if (execs.length > 0) {
    choose(execs[0].exec_id);
  }
}

const outcomeBadge = (exec) => badge(outcome(exec), success(exec));

function runForm(path, done) {
  const command = h('input', { class: 'mono', name: 'command', required: true,
    autocomplete: 'off', spellcheck: 'false', placeholder: 'make test' });
  const form = h('form', { class: 'row', onsubmit: (event) => {
    event.preventDefault();
    busy(form, async () => {
      await done(await call('POST', `${path}/exec`, { command: command.value }));
      command.value = '';
    });
  } }, field('Command', command), h('button', { class: 'main' }, 'Run'));
  return h('div', {}, form);
}

/// Returns what ends it.
function showOutput(into, path, exec, live) {
  const execPath = `${path}/execs/${encodeURIComponent(exec.exec_id)}`;
  const screen = h('pre', { class: 'output', tabindex: '0', role: 'log',
    'aria-label': 'Output' });
  const state = h('span', {}, outcomeBadge(exec));
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
      live && running && controls,
      h('a', { href: `${execPath}/output`, download: `${exec.exec_id}.log` },
        'Download')), screen);

  const printed = printer(screen);
  const stop = follow(path, { exec_id: exec.exec_id, from: 'earliest' }, {
    'exec.output': (event) => printed(event),
    'stream.gap': () => printed({ stream: 'note',
      data: '[earlier output is not kept as events; download it]\n' }),
    'exec.started': (event) => {
      if (running) { // else its end is known already
        replace(state, outcomeBadge(event));
      }
    },
    'exec.exited': (event) => {
      replace(state, outcomeBadge(event));
      controls.remove();
      stop();
    },
    'session.ended': () => stop(),
  });
  return stop;
}

/// Appends what is printed, drops the oldest over the limit, and stays at the
/// end where the reader is there. Events come by the thousand, so they are shown
/// together, a few times a second: each showing has the page laid out anew.
function printer(screen) {
  let size = 0;
  let waiting = []; // pieces of one stream each
  let waits = 0; // characters in them
  const decoders = {};
  const show = () => {
    const atEnd =
      screen.scrollTop + screen.clientHeight >= screen.scrollHeight - 4;
    for (const { stream, texts, length } of waiting) {
      screen.append(h('span', { class: stream }, texts.join('')));
      size += length;
    }
    waiting = [];
    waits = 0;
    while (size > mostShown && screen.childNodes.length > 1) {
      size -= screen.firstChild.textContent.length;
      screen.firstChild.remove();
    }
    if (atEnd) {
      screen.scrollTop = screen.scrollHeight;
    }
  };
  return (event) => {
    const data = event.encoding === 'base64'
      ? (decoders[event.stream] ??= new TextDecoder()).decode(
        Uint8Array.from(atob(event.data), (c) => c.charCodeAt(0)),
        { stream: true })
      : event.data;
    const text = plain(data);
    if (waiting.length === 0) {
      setTimeout(show, showEvery);
    }
    let last = waiting.at(-1);
    if (last?.stream !== event.stream || last.length > mostShown / 16) {
      last = { stream: event.stream, texts: [], length: 0 };
      waiting.push(last);
    }
    last.texts.push(text);
    last.length += text.length;
    waits += text.length;
    // What would be dropped at once is not shown first.
    if (waits > 2 * mostShown) {
      waiting = keepNewest(waiting);
      waits = waiting.reduce((sum, one) => sum + one.length, 0);
    }
  };
}

/// The newest pieces, as many as may be shown.
function keepNewest(pieces) {
  let length = 0;
  const begin = pieces.findLastIndex((one) => {
    length += one.length;
    return length > mostShown;
  });
  return pieces.slice(begin + 1);
}
