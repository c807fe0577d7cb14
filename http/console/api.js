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

/// Follows a session's events; `handlers` by event type. The browser comes back
/// by itself after a cut, and goes on where it was. Returns what ends it.
export function follow(path, query, handlers) {
  const source = new EventSource(`${path}/events?${new URLSearchParams(query)}`);
  for (const [type, handle] of Object.entries(handlers)) {
    source.addEventListener(type, (event) => handle(JSON.parse(event.data)));
  }
  return () => source.close();
}
