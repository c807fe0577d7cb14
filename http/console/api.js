// The server as the console asks it: the same API as everybody's. Who asks is
// told by a cookie that no script can read; a header of our own, which no form
// and no other origin can send, goes with each request that changes something.

export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `the server answered ${status}`);
    this.status = status;
    this.code = error?.code ?? '';
    this.remediation = error?.details?.remediation ?? '';
  }
}

/// Called when the login is over.
let loggedOut = () => {};
export function onLoggedOut(what) {
  loggedOut = what;
}

async function ask(method, path, body, headers = {}) {
  const init = { method, headers: { ...headers } };
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
  return (await answer.json()).data;
}

export async function text(path) {
  return (await ask('GET', path)).text();
}

/// A session's path, and a review's.
export const sessionPath = (project, id) =>
  `/projects/${encodeURIComponent(project)}/sessions/${encodeURIComponent(id)}`;
export const reviewPath = (project, id) =>
  `/projects/${encodeURIComponent(project)}/reviews/${encodeURIComponent(id)}`;

/// Follows a session's events; `handlers` by event type, with the event and its
/// type. `opened` is called each time the stream begins anew. The browser comes
/// back by itself after a cut, and goes on where it was. A browser has six
/// connections for all of its tabs, so one that nobody looks at gives its own
/// back until somebody does. Returns what ends it.
export function follow(path, query, handlers, opened = () => {}) {
  let source = null;
  let last = '';
  const open = () => {
    const asked = new URLSearchParams(query);
    if (last) {
      asked.delete('from');
      asked.set('last_event_id', last);
    }
    source = new EventSource(`${path}/events?${asked}`);
    source.onopen = opened;
    for (const [type, handle] of Object.entries(handlers)) {
      source.addEventListener(type, (event) => {
        last = event.lastEventId || last;
        handle(JSON.parse(event.data), type);
      });
    }
  };
  const look = () => {
    if (document.visibilityState === 'hidden') {
      source?.close();
      source = null;
    } else if (!source) {
      open();
    }
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    document.removeEventListener('visibilitychange', look);
    source?.close();
  };
}
