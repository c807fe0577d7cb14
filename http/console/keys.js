// API keys: who may do what. For administrators.
import { call } from './api.js';
import { ask, busy, field, h, isBusy, replace, row, table } from './dom.js';
import { age } from './format.js';
import { update } from './update.js';

// What people and programs are given, by what they do.
const roles = {
  'Work in sessions and review': ['sessions:execute', 'projects:read'],
  'Look on': ['sessions:read', 'projects:read'],
  'Read metrics': ['metrics:read'],
  'Do everything': ['admin'],
};

export async function showKeys(page) {
  const list = h('div', {});
  const { projects } = await call('GET', '/projects');
  const refresh = async () => {
    const { keys, next_cursor: more } = await call('GET', '/keys?limit=200');
    if (isBusy(list)) {
      return;
    }
    update(list, table('Keys',
      ['Name', 'Key', 'Scopes', 'Projects', 'Age', 'Expires', 'Do'],
      keys.map((key) => row(key.id, key.name, h('span', { class: 'mono' }, key.id),
        key.scopes.join(', '), key.projects?.join(', ') ?? 'all',
        age(key.created_at),
        key.expires_at ? new Date(key.expires_at).toLocaleString() : 'never',
        revokeButton(key, refresh))),
      'There is no key but the administrator’s of the node.'),
    more && h('p', { class: 'empty' },
      'There are more; “greenroom keys” has them.'));
  };
  replace(page.place, h('h1', {}, 'Keys'), createForm(projects, refresh), list);
  await page.repeat(5000, refresh);
}

function revokeButton(key, refresh) {
  const button = h('button', { type: 'button', class: 'danger',
    'aria-label': `Revoke ${key.name}`, onclick: async () => {
      if (await ask(`Revoke the key “${key.name}”? Whoever uses it is logged out.`,
        'Revoke it')) {
        let gone = false;
        await busy(button, async () => {
          await call('DELETE', `/keys/${encodeURIComponent(key.id)}`);
          gone = true;
        });
        if (gone) {
          await refresh().catch(() => {}); // the next look tells
        }
      }
    } }, 'Revoke');
  return h('span', {}, button);
}

function createForm(projects, refresh) {
  const name = h('input', { required: true, autocomplete: 'off' });
  const role = h('select', {},
    Object.keys(roles).map((one) => h('option', {}, one)));
  const project = h('select', {}, h('option', { value: '' }, 'all'),
    projects.map(({ id }) => h('option', { value: id }, id)));
  const author = h('input', { autocomplete: 'off', spellcheck: 'false',
    placeholder: 'Ada Lovelace <ada@example.org>' });
  const expires = h('input', { autocomplete: 'off', spellcheck: 'false',
    placeholder: 'never' });
  const made = h('div', {});
  const form = h('form', { class: 'grid', onsubmit: (event) => {
    event.preventDefault();
    busy(form, async () => {
      const { key } = await call('POST', '/keys', {
        name: name.value.trim(),
        scopes: roles[role.value],
        projects: project.value ? [project.value] : undefined,
        author: author.value.trim() || undefined,
        expires_in: expires.value.trim() || undefined,
      });
      replace(made, h('p', {}, `The key of ${name.value.trim()}, which is shown `
        + 'this once. It is what they log in with here.'),
      h('input', { class: 'mono wide', readonly: true, value: key,
        'aria-label': 'Secret' }));
      form.reset();
      await refresh().catch(() => {});
    });
  } },
    field('Name', name), field('May', role), field('Project', project),
    field('Author', author, 'of commits made with it'),
    field('Expires in', expires, '90d, 24h'),
    h('button', { class: 'main' }, 'Make a key'));
  return h('details', { class: 'card' }, h('summary', {}, 'New key'), form, made);
}
