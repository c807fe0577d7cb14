// What has happened in a session, newest first, as it goes on.
import { h, replace } from './dom.js';
import { commandText, outcome } from './format.js';

/// All that a timeline holds but output.
export const eventTypes = ['session.created', 'session.extended', 'session.expiring',
  'session.ended', 'session.moved', 'exec.queued', 'exec.started', 'exec.exited', 'git.pushed',
  'git.committed', 'preview.ready', 'preview.gone', 'port.opened',
  'port.closed', 'checkin.started', 'checkin.finished', 'review.queued',
  'review.started', 'review.finished'];
const mostShown = 1000;

export async function timelineTab(body, { on }) {
  const list = h('ol', { class: 'timeline', reversed: true });
  replace(body, list);
  on(eventTypes, (event, type) => {
    list.prepend(h('li', {},
      h('time', { datetime: event.time }, new Date(event.time).toLocaleString()),
      h('strong', {}, type), h('span', {},
        [detail(type, event), doer(event)].filter(Boolean).join(' · '))));
    while (list.childElementCount > mostShown) {
      list.lastElementChild.remove();
    }
  });
}

/// Who brought it about: a key by its name, a push, the clock.
function doer(event) {
  const who = event.by_name ?? event.by;
  return who && `by ${who}`;
}

function detail(type, event) {
  if (type.startsWith('exec.')) {
    return `${commandText(event)}${type === 'exec.exited' ? ` · ${outcome(event)}` : ''}`;
  }
  if (type.startsWith('git.')) {
    return `${event.branch ?? ''} ${(event.new ?? '').slice(0, 12)}`;
  }
  if (type.startsWith('port.') || type.startsWith('preview.')) {
    return [event.port, event.process].filter(Boolean).join(' ');
  }
  return event.status_reason ?? event.message ?? event.status ?? '';
}
