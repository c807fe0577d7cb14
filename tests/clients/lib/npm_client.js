// The client library `eventsource` of npm, which collects what it receives.
import { EventSource } from 'eventsource';

import { within } from './deadline.js';
import { Received, eventNames } from './events.js';

/// Watches `url` with `headers` until the server says that there is no more,
/// or the test ends.
export function watch(t, url, headers) {
  const source = new EventSource(url, {
    fetch: (input, init) =>
      fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
  });
  t.after(() => source.close());
  const received = new Received();
  for (const name of eventNames) {
    source.addEventListener(name, ({ lastEventId, type, data }) =>
      received.add({ id: lastEventId, type, data }));
  }
  const stopped = new Promise((resolve) => {
    source.addEventListener('error', ({ code }) => {
      if (source.readyState === source.CLOSED) {
        resolve(code);
      }
    });
  });
  return {
    source,
    received,
    /// The status at which the client gave up.
    stopped: (seconds = 15) => within(seconds, 'the client stops', stopped),
  };
}
