// A key for a login: the server keeps neither, and gives a cookie for it.
import { call } from './api.js';
import { busy, field, h, replace } from './dom.js';

/// `done` is given the key that is logged in.
export function showLogin(page, done) {
  const secret = h('input', { type: 'password', name: 'key', required: true,
    autocomplete: 'current-password', spellcheck: 'false' });
  const form = h('form', { class: 'card column', onsubmit: (event) => {
    event.preventDefault();
    busy(form, async () => {
      done(await call('POST', '/console/login', undefined,
        { 'X-API-Key': secret.value.trim() }));
    });
  } },
    h('h1', {}, 'Log in'),
    field('API key', secret,
      'It starts with gr_. An administrator makes one by POST /keys or by '
      + '“greenroom keys create”; the first one is in the data directory, in '
      + 'admin.key.'),
    h('button', { class: 'main' }, 'Log in'));
  replace(page.place, h('div', { class: 'narrow' }, form));
  secret.focus();
}
