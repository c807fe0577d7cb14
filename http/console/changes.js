// What the session has changed, and its check-in.
import { call, text } from './api.js';
import { busy, field, h, notice, replace } from './dom.js';
import { diffLines } from './format.js';

export async function changesTab(body, { page, path }) {
  const shown = h('div', {});
  const again = h('button', { type: 'button', onclick: () => busy(again, load) },
    'Look again');
  async function load() {
    const [git, diff] = await Promise.all([
      call('GET', `${path}/git`), text(`${path}/diff`)]);
    replace(shown, gitLine(git), showDiff(diff));
  }
  replace(body, page.mayChange && checkinForm(path), h('div', {}, again), shown);
  await load();
}

function gitLine(git) {
  const dirty = git.dirty_files?.length ?? git.dirty_files ?? 0;
  return h('p', {}, h('span', { class: 'mono' }, git.branch ?? 'detached HEAD'),
    git.ahead === null ? '' : ` · ${git.ahead} ahead, ${git.behind} behind`,
    ` · ${dirty} changed file${dirty === 1 ? '' : 's'} not committed`);
}

/// A unified diff, coloured; a sign at the start of each line says the same.
export function showDiff(diff) {
  if (diff.trim() === '') {
    return h('p', { class: 'empty' }, 'Nothing has been changed.');
  }
  return h('pre', { class: 'diff', tabindex: '0', role: 'region',
    'aria-label': 'The changes as a diff' },
  diffLines(diff).map(({ kind, text: line }) =>
    h('span', { class: kind }, `${line}\n`)));
}

/// What a check-in's answer says beside that it is done.
function whatBecame({ merge, rescue_note: note }) {
  const files = merge?.files?.length ? ` (${merge.files.join(', ')})` : '';
  return [
    merge?.reason && `Merge: ${merge.status}, ${merge.reason}${files}.`,
    merge?.commit && `Merged as ${merge.commit.slice(0, 12)}.`,
    note && `${note}.`,
  ].filter(Boolean);
}

function checkinForm(path) {
  const message = h('input', { name: 'message', autocomplete: 'off' });
  const skip = h('input', { type: 'checkbox' });
  const merge = h('input', { type: 'checkbox' });
  const form = h('form', { class: 'grid', onsubmit: (event) => {
    event.preventDefault();
    busy(form, async () => {
      const before = location.hash;
      const done = await call('POST', `${path}/checkin`, {
        ...(message.value.trim() ? { commit_message: message.value.trim() } : {}),
        skip_review: skip.checked, auto_merge: merge.checked,
      });
      notice([done.message, ...whatBecame(done)].join(' '));
      if (location.hash === before) { // else something else is looked at
        location.hash = `#${path}/timeline`;
      }
    });
  } },
    field('Commit message', message, 'Of what is not committed yet.'),
    h('label', {}, skip, ' Without a review'),
    h('label', {}, merge, ' Merge once it is approved'),
    h('button', { class: 'main' }, 'Check in'));
  return h('details', { class: 'card' },
    h('summary', {}, 'Check in and end the session'), form);
}
