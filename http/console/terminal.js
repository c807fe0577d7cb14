// An interactive terminal: a shell of the session on a screen of xterm.js. The
// shell lives in the session; what ends here is only the view of it.
import { call } from './api.js';
import { badge, busy, h, replace } from './dom.js';
import { commandText } from './format.js';
import { isLive } from './session.js';

export async function terminalTab(body, { page, path, session }) {
  if (!isLive(session)) {
    replace(body, h('p', { class: 'empty' },
      'The session is over, and its terminals with it.'));
    return;
  }
  const library = await load();
  const { execs } = await call('GET', `${path}/execs?limit=200`);
  const there = execs.filter((exec) => exec.tty && exec.status === 'running');
  const place = h('div', {});
  const open = h('button', { type: 'button', class: 'main', onclick: () =>
    busy(open, async () => {
      const exec = await call('POST', `${path}/exec`, {
        command: 'exec "${SHELL:-/bin/bash}" -i',
        env: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
        tty: { rows: 24, cols: 80 }, stdin: 'open',
      });
      show(exec.exec_id);
    }) }, 'New shell');
  function show(id) {
    if (left) {
      return;
    }
    shown?.();
    shown = attach(library, place, path, id);
  }
  let shown = null;
  let left = false;
  page.onLeave(() => {
    left = true;
    shown?.();
  });
  replace(body, h('div', { class: 'row' }, h('span', {}, open),
    there.map((exec) => h('button', { type: 'button', class: 'mono',
      onclick: () => show(exec.exec_id) }, commandText(exec)))), place);
  if (there.length > 0) {
    show(there[0].exec_id);
  }
}

const longestPause = 10_000;

/// xterm.js and its style, which only this page needs.
async function load() {
  if (!document.querySelector('link[href="/console/xterm.css"]')) {
    document.head.append(h('link', { rel: 'stylesheet',
      href: '/console/xterm.css' }));
  }
  try {
    const [{ Terminal }, { FitAddon }] = await Promise.all([
      import('./xterm.mjs'), import('./addon-fit.mjs')]);
    return { Terminal, FitAddon };
  } catch {
    throw new Error('This node was built without xterm.js, so it shows no '
      + 'terminals here; “greenroom shell” opens one.');
  }
}

/// Shows an exec's terminal and what becomes of the connection; comes back
/// after a cut, for then the terminal tells its last screenful again. Returns
/// what ends it.
function attach({ Terminal, FitAddon }, place, path, id) {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const terminal = new Terminal({
    cursorBlink: true, scrollback: 5000, screenReaderMode: false,
    fontFamily: 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
    theme: dark ? {} : { background: '#ffffff', foreground: '#1b1f23',
      cursor: '#1b1f23', selectionBackground: '#b4d5fe' },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  const state = h('p', { class: 'row', role: 'status' }, badge('connecting'));
  const screen = h('div', { class: 'screen' });
  replace(place, state, screen);
  terminal.open(screen);

  let socket = null;
  let over = false;
  let pause = 250;
  const url = new URL(`${path}/execs/${encodeURIComponent(id)}/attach`,
    location.href);
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
      pause = 250;
      terminal.reset();
      replace(state, badge('connected'));
      resized();
      terminal.focus();
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
        over = true;
        replace(state, badge('ended'), reason ? ` ${reason}` : ' The shell has ended.');
        return;
      }
      replace(state, badge('reconnecting'));
      setTimeout(() => over || connect(), pause);
      pause = Math.min(pause * 2, longestPause);
    };
  }

  terminal.onData((data) => say(typed.encode(data)));
  terminal.onBinary((data) =>
    say(Uint8Array.from(data, (c) => c.charCodeAt(0))));
  const watcher = new ResizeObserver(resized);
  watcher.observe(screen);
  connect();
  return () => {
    over = true;
    watcher.disconnect();
    socket.close();
    terminal.dispose();
    replace(place);
  };
}
