// The server as the console asks it: the same API as everybody's. Who asks is
// told by a cookie that no script can read; a header of our own, which no form
// and no other origin can send, goes with each request that changes something.

export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `the server answered ${status}`);
    this.status = status;
    this.code = error?.code ?? '';
    this.remediation = error?.details?.remediation ?? '';
    this.retryable = error?.details?.retryable ?? false;
    /// Milliseconds, where the server names any.
    this.retryAfter = error?.details?.retry_after_ms ?? 0;
  }
}

/// Called when the login is over.
let loggedOut = () => {};
export function onLoggedOut(what) {
  loggedOut = what;
}

async function ask(method, path, body, headers = {}, signal = undefined) {
  const init = { method, headers: { ...headers }, signal };
  if (method !== 'GET') {
    init.headers['X-Greenroom-Console'] = '1';
  }
  if (body !== undefined) {
    init.headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new Refused(0, { message: 'The server cannot be reached.' });
  }
  if (answer.ok) {
    return answer;
  }
  const json = await answer.json().catch(() => ({}));
  const refused = new Refused(answer.status, json.error);
  if (answer.status === 401 && path !== '/console/login') {
    loggedOut();
  }
  throw refused;
}

/// The `data` of an answer.
export async function call(method, path, body, headers) {
  const answer = await ask(method, path, body, headers);
  return (await whole(answer.json())).data;
}

/// What asks for something new, as `call` does. Where no answer has come, or only
/// that of a proxy, or one that is for now only, the server may have made it, or
/// be at it: asked for once more it is the same, by an Idempotency-Key.
export function maker() {
  let asked = '';
  let key = '';
  return async (path, body) => {
    const what = `${path} ${JSON.stringify(body)}`;
    if (asked !== what) {
      asked = what;
      key = [...crypto.getRandomValues(new Uint32Array(4))].join('-');
    }
    let answered = true;
    try {
      return await call('POST', path, body, { 'Idempotency-Key': key });
    } catch (error) {
      answered = error.code !== '' && !error.retryable && !passes(error);
      throw error;
    } finally {
      if (answered) {
        asked = '';
      }
    }
  };
}

export async function text(path) {
  return whole((await ask('GET', path)).text());
}

// The connection may break, or something before the server answer for it.
async function whole(body) {
  try {
    return await body;
  } catch {
    throw new Refused(0, { message: 'The server’s answer was cut off.' });
  }
}

/// A session's path, and a review's.
export const sessionPath = (project, id) =>
  `/projects/${encodeURIComponent(project)}/sessions/${encodeURIComponent(id)}`;
export const reviewPath = (project, id) =>
  `/projects/${encodeURIComponent(project)}/reviews/${encodeURIComponent(id)}`;

/// What has lost the server and tries to find it again; `told` hears whether
/// there is any.
const lost = new Set();
let told = () => {};
export function onLost(what) {
  told = what;
}
export function setLost(who, is) {
  const before = lost.size > 0;
  if (is) {
    lost.add(who);
  } else {
    lost.delete(who);
  }
  if (before !== lost.size > 0) {
    told(!before);
  }
}

/// The pauses between attempts: longer each time, and no two browsers' alike,
/// so that those of many do not all come at once.
export class Backoff {
  #next = 500;

  reset() {
    this.#next = 500;
  }

  next() {
    const pause = this.#next * (0.5 + Math.random() / 2);
    this.#next = Math.min(this.#next * 2, 15_000);
    return pause;
  }
}

/// Whether a refusal is for now only.
export const passes = ({ status }) =>
  status === 0 || status === 429 || status >= 500;

// A stream that is away for longer is said to be.
const unnoticed = 2000;

/// Follows a session's events; `handlers` by event type, with the event and its
/// type. `opened` is called each time the stream begins anew. It comes back
/// after a cut, and goes on where it was: by itself where the connection broke;
/// after any answer but 200 a browser gives up, and what it was is asked here.
/// A browser has six connections for all of its tabs, so one that nobody looks
/// at gives its own back until somebody does. Returns what ends it.
export function follow(path, query, handlers, opened = () => {}) {
  let source = null;
  let last = '';
  let over = false;
  let timer = null;
  let late = null;
  let probe = null;
  const pauses = new Backoff();
  const me = {};

  const address = () => {
    const asked = new URLSearchParams(query);
    if (last) {
      asked.delete('from');
      asked.set('last_event_id', last);
    }
    return `${path}/events?${asked}`;
  };
  const open = () => {
    source = new EventSource(address());
    source.onopen = () => {
      pauses.reset();
      found();
      opened();
    };
    source.onerror = () => {
      late ??= setTimeout(() => setLost(me, true), unnoticed);
      if (source?.readyState === EventSource.CLOSED) {
        source = null;
        timer = setTimeout(again, pauses.next());
      }
    };
    for (const [type, handle] of Object.entries(handlers)) {
      source.addEventListener(type, (event) => {
        last = event.lastEventId || last;
        handle(JSON.parse(event.data), type);
      });
    }
  };
  // An EventSource does not tell what it was answered.
  const again = async () => {
    timer = null;
    const mine = new AbortController();
    probe = mine;
    try {
      const { status } = await ask('GET', address(), undefined, {}, mine.signal);
      if (mine.signal.aborted) {
        return;
      }
      if (status === 200) {
        open();
      } else {
        end(); // no content: the session is over, and all of it was here
      }
    } catch (error) {
      if (mine.signal.aborted) {
        return;
      }
      if (passes(error)) {
        timer = setTimeout(again, Math.max(pauses.next(), error.retryAfter));
      } else {
        end();
      }
    } finally {
      mine.abort(); // its body is not read
    }
  };
  const found = () => {
    clearTimeout(late);
    late = null;
    setLost(me, false);
  };
  const close = () => {
    clearTimeout(timer);
    timer = null;
    found();
    probe?.abort();
    source?.close();
    source = null;
  };
  const look = () => {
    if (document.visibilityState === 'hidden') {
      close();
    } else if (!over && !source && !timer) {
      open();
    }
  };
  const end = () => {
    over = true;
    document.removeEventListener('visibilitychange', look);
    close();
  };
  document.addEventListener('visibilitychange', look);
  look();
  return end;
}
