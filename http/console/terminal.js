// An interactive terminal: a shell of the session on a screen of xterm.js. The
// shell lives in the session; what ends here is only the view of it.
import { Backoff, call, passes, Refused, text } from './api.js';
import { badge, busy, h, replace } from './dom.js';
import { commandText, outcome } from './format.js';
import { streamOpened } from './session.js';
import { update } from './update.js';

const shell = 'exec "${SHELL:-/bin/bash}" -i';

export async function terminalTab(body, { page, path, session, on }) {
  const library = await load(session.id);
  const list = h('div', { class: 'row' });
  let there = [];
  let chosen = null;
  // Those that run, newest first.
  async function refresh() {
    const { execs } = await call('GET', `${path}/execs?limit=200`);
    there = execs.filter((exec) => exec.tty && exec.status === 'running');
    draw();
  }
  function draw() {
    update(list, there.map((exec) => h('button', { type: 'button',
      'data-key': exec.exec_id,
      'aria-pressed': String(exec.exec_id === chosen),
      onclick: () => show(exec.exec_id, true) }, nameOf(exec))));
  }
  await refresh();
  const mayType = page.mayChange;
  const place = h('div', {});
  const open = h('button', { type: 'button', class: 'main', onclick: () =>
    busy(open, async () => {
      const exec = await call('POST', `${path}/exec`, {
        command: shell,
        env: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
        tty: { rows: 24, cols: 80 }, stdin: 'open',
      });
      show(exec.exec_id, true);
    }) }, 'New shell');
  function show(id, focus) {
    if (left) {
      return;
    }
    shown?.();
    chosen = id;
    draw();
    shown = attach(library, place, `${path}/execs/${encodeURIComponent(id)}`,
      { mayType, focus });
  }
  let shown = null;
  let left = false;
  page.onLeave(() => {
    left = true;
    shown?.();
  });
  replace(body, h('div', { class: 'row' }, mayType && h('span', {}, open), list),
    place);
  on([streamOpened, 'exec.started', 'exec.exited'], page.calmly(refresh));
  if (there.length > 0) {
    show(there[0].exec_id, false);
  } else if (!mayType) {
    replace(place, h('p', { class: 'empty' },
      'No terminal is open, and the key may only watch.'));
  }
}

/// What tells terminals apart, of which many are shells.
const nameOf = (exec) => `${exec.command === shell ? 'Shell' : commandText(exec)}`
  + ` · ${new Date(exec.created_at).toLocaleTimeString()}`;

// Programs cannot tell it from Ctrl+L, so no program misses it.
const isLeaveKey = (event) => event.ctrlKey && event.shiftKey && !event.altKey
  && !event.metaKey && (event.key.toLowerCase() === 'l' || event.code === 'KeyL');

/// xterm.js and its style, which only this page needs.
async function load(sessionId) {
  if (!document.querySelector('link[href="/console/xterm.css"]')) {
    document.head.append(h('link', { rel: 'stylesheet',
      href: '/console/xterm.css' }));
  }
  try {
    const [{ Terminal }, { FitAddon }] = await Promise.all([
      import('./xterm.mjs'), import('./addon-fit.mjs')]);
    return { Terminal, FitAddon };
  } catch {
    throw await whyNotLoaded(sessionId);
  }
}

// An import does not tell what it was answered.
async function whyNotLoaded(sessionId) {
  try {
    await Promise.all([text('/console/xterm.mjs'),
      text('/console/addon-fit.mjs')]);
  } catch (error) {
    return error.status !== 404 ? error : new Refused(404, {
      message: 'This node cannot show terminals here, for xterm.js is not '
        + 'installed on it.',
      details: { remediation: `“greenroom shell ${sessionId}” opens one from a `
        + 'command line, and “Commands” runs what asks nothing. Whoever runs the '
        + 'node adds xterm.js by “./dev build”, where npm can be reached, and '
        + 'restarts it with the directory “console” of that build beside the '
        + 'program.' } });
  }
  return new Refused(200, { message: 'xterm.js could not be loaded.',
    details: { remediation: 'Load this page anew.' } });
}

// As style.css has it, by whether it is dark.
const themes = {
  true: { background: '#0f1419', foreground: '#e6edf3', cursor: '#e6edf3' },
  false: { background: '#ffffff', foreground: '#1b1f23', cursor: '#1b1f23',
    selectionBackground: '#b4d5fe' },
};

/// Shows an exec's terminal and what becomes of the connection; comes back
/// after a cut, for then the terminal tells its last screenful again. With
/// `focus` it has that once it is there, and later only if somebody gives it.
/// Returns what ends it.
function attach({ Terminal, FitAddon }, place, path, { mayType, focus }) {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const terminal = new Terminal({
    cursorBlink: true, scrollback: 5000, screenReaderMode: false,
    disableStdin: !mayType,
    fontFamily: 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
    theme: themes[dark.matches],
  });
  const recolour = () => { terminal.options.theme = themes[dark.matches]; };
  dark.addEventListener('change', recolour);
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  const state = h('p', { class: 'row', role: 'status' }, badge('connecting'));
  const screen = h('div', { class: 'screen' });
  // Behind the terminal, so that who leaves it goes on with Tab from there.
  const leave = h('p', { class: 'empty', tabindex: '-1' }, mayType
    ? ['Keys go to the shell, Tab too. ', h('kbd', {}, 'Ctrl+Shift+L'),
      ' leaves it.']
    : 'The key may only watch this terminal.');
  replace(place, state, screen, leave);
  terminal.open(screen);
  terminal.textarea.setAttribute('aria-label', mayType
    ? 'Terminal. Tab goes to the shell. Control Shift L leaves it.'
    : 'Terminal, to watch only');
  terminal.attachCustomKeyEventHandler((event) => {
    if (mayType && !over && !isLeaveKey(event)) {
      return true;
    }
    if (event.type === 'keydown' && isLeaveKey(event)) {
      event.preventDefault();
      leave.focus();
    }
    return false;
  });

  let socket = null;
  let over = false;
  let toFocus = focus;
  let timer = null;
  // Connections in a row: each but the first comes after an answer by HTTP.
  let unopened = 0;
  const pauses = new Backoff();
  const url = new URL(`${path}/attach`, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const say = (text) => {
    if (socket?.readyState === WebSocket.OPEN) {
      socket.send(text);
    }
  };
  const typed = new TextEncoder();
  const resized = () => {
    fit.fit();
    say(JSON.stringify({ rows: terminal.rows, cols: terminal.cols }));
  };

  function connect() {
    socket = new WebSocket(url, 'greenroom');
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      pauses.reset();
      unopened = 0;
      terminal.reset();
      replace(state, badge('connected'));
      resized();
      if (toFocus) {
        terminal.focus();
        toFocus = false;
      }
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) {
        terminal.write(new Uint8Array(data));
      }
    };
    socket.onclose = ({ code, reason }) => {
      if (over) {
        return;
      }
      if (code === 1000) {
        stop('ended', reason || 'The shell has ended.');
      } else if (code === 1008) { // the server's policy, which stays as it is
        stop('closed', reason || 'The server has closed it.');
      } else {
        ++unopened;
        replace(state, badge('reconnecting'), unopened > 2 && h('span', {},
          ' The server answers, but no WebSocket comes through to it: a proxy '
          + 'in between may not pass them on.'));
        timer = setTimeout(again, pauses.next());
      }
    };
  }

  function stop(how, why) {
    over = true;
    leave.textContent = 'It takes no more keys.';
    replace(state, badge(how), h('span', {}, ` ${why}`));
  }

  // What an upgrade was answered a browser does not tell.
  async function again() {
    try {
      const exec = await call('GET', path);
      if (over) {
        return;
      }
      if (['running', 'queued'].includes(exec.status)) {
        connect();
      } else {
        stop('ended', exec.reason ?? outcome(exec));
      }
    } catch (error) {
      if (over) {
        return;
      }
      if (passes(error)) {
        timer = setTimeout(again, Math.max(pauses.next(), error.retryAfter));
      } else {
        stop('closed', `${error.message} ${error.remediation}`);
      }
    }
  }

  terminal.onData((data) => say(typed.encode(data)));
  terminal.onBinary((data) =>
    say(Uint8Array.from(data, (c) => c.charCodeAt(0))));
  const watcher = new ResizeObserver(resized);
  watcher.observe(screen);
  connect();
  return () => {
    over = true;
    clearTimeout(timer);
    watcher.disconnect();
    dark.removeEventListener('change', recolour);
    socket.close();
    terminal.dispose();
    replace(place);
  };
}
