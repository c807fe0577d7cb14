// Webhooks of the projects, and what was sent to them. For administrators.
import { call } from './api.js';
import { ask, badge, busy, field, h, isBusy, notice, replace, row, table } from './dom.js';
import { age, keyText } from './format.js';
import { update } from './update.js';

const webhooksOf = (project) =>
  `/projects/${encodeURIComponent(project)}/webhooks`;
const pathOf = (project, id) => `${webhooksOf(project)}/${encodeURIComponent(id)}`;

const state = (webhook) => (!webhook.enabled ? 'disabled'
  : webhook.failing_since ? 'failing' : 'enabled');

export async function showWebhooks(page) {
  const list = h('div', {});
  const { projects } = await call('GET', '/projects');
  const refresh = async () => {
    const lists = await Promise.all(projects.map(({ id }) =>
      call('GET', webhooksOf(id))));
    const all = lists.flatMap(({ webhooks }) => webhooks);
    update(list, table('Webhooks',
      ['Webhook', 'Project', 'Session', 'State', 'Receiver', 'Events',
        'Delivered'],
      all.map((one) => row(one.id,
        h('a', { class: 'mono', href: `#${pathOf(one.project_id, one.id)}` },
          one.id),
        one.project_id, h('span', { class: 'mono' }, one.session_id ?? '–'),
        badge(state(one)), one.url,
        one.types.join(', ') || 'all',
        one.delivered_at ? `${age(one.delivered_at)} ago` : '–')),
      'No project has any.'));
  };
  replace(page.place, h('h1', {}, 'Webhooks'), createForm(projects, refresh),
    list);
  await page.repeat(5000, refresh);
}

function createForm(projects, refresh) {
  const project = h('select', {},
    projects.map(({ id }) => h('option', { value: id }, id)));
  const url = h('input', { type: 'url', required: true, spellcheck: 'false',
    placeholder: 'https://ci.example.org/greenroom' });
  const types = h('input', { autocomplete: 'off', spellcheck: 'false',
    placeholder: 'all' });
  const made = h('div', {});
  const form = h('form', { class: 'grid', onsubmit: (event) => {
    event.preventDefault();
    busy(form, async () => {
      const { id, secret } = await call('POST', webhooksOf(project.value), {
        url: url.value.trim(),
        types: types.value.split(/[\s,]+/).filter(Boolean),
      });
      replace(made, h('p', {}, `Webhook ${id}: its deliveries are signed with `
        + 'this secret, which is shown this once.'),
      h('input', { class: 'mono wide', readonly: true, value: secret,
        'aria-label': 'Secret' }));
      form.reset();
      await refresh().catch(() => {}); // the next look tells
    });
  } },
    field('Project', project), field('Receiver', url),
    field('Events', types, 'session.ended, review.finished'),
    h('button', { class: 'main' }, 'Add'));
  return h('details', { class: 'card' }, h('summary', {}, 'New webhook'), form,
    made);
}

export async function showWebhook(page, project, id) {
  const path = pathOf(project, id);
  const facts = h('dl', {});
  const actions = h('div', { class: 'row' });
  const list = h('div', {});

  const button = (name, kind, work) => {
    const made = h('button', { type: 'button', class: kind, onclick: () =>
      busy(made, async () => {
        await work();
        await refresh().catch(() => {}); // it is done; the next look tells
      }) }, name);
    return h('span', {}, made);
  };
  const redeliver = (what) => call('POST', `${path}/redeliver`, what);

  let enabled = null;
  function showActions(webhook) {
    if (enabled === webhook.enabled) {
      return;
    }
    enabled = webhook.enabled;
    replace(actions,
      button('Send a test', 'main', async () => {
        const sent = await call('POST', `${path}/test`, {});
        notice(sent.status === 'delivered'
          ? `The receiver took it (${sent.response_status}).`
          : `It was not taken: ${sent.error ?? sent.response_status}`,
        sent.status === 'delivered' ? 'good' : 'bad');
      }),
      button('Send what failed again', '', () => redeliver({})),
      button(enabled ? 'Disable' : 'Enable', '', () =>
        call('PATCH', path, { enabled: !enabled })),
      button('Remove', 'danger', async () => {
        if (await ask('Remove the webhook and the list of its deliveries?',
          'Remove it')) {
          await call('DELETE', path);
          location.hash = '#/webhooks';
        }
      }));
  }

  async function refresh() {
    const [webhook, { deliveries, next_cursor: more }] = await Promise.all([
      call('GET', path), call('GET', `${path}/deliveries?limit=50`)]);
    update(facts, [
      ['State', badge(state(webhook))],
      ['Why', webhook.disabled_reason],
      ['Receiver', webhook.url],
      ['Project', webhook.project_id],
      ['Session', webhook.session_id],
      ['Events', webhook.types.join(', ') || 'all'],
      ['For', webhook.description],
      ['Failing for', webhook.failing_since && age(webhook.failing_since)],
      ['Last failure', webhook.last_error],
      ['By', keyText(webhook.created_by, webhook.created_by_name)],
    ].filter(([, value]) => value).map(([name, value]) =>
      [h('dt', {}, name), h('dd', {}, value)]));
    showActions(webhook);
    if (isBusy(list)) {
      return;
    }
    update(list, table('Deliveries',
      ['Delivery', 'Event', 'Session', 'Status', 'Attempts', 'Answer', 'Age', 'Do'],
      deliveries.map((one) => row(one.id,
        h('span', { class: 'mono' }, one.id), one.type,
        h('span', { class: 'mono' }, one.session_id ?? '–'),
        badge(one.status), String(one.attempts),
        one.error ?? String(one.response_status ?? '–'), age(one.created_at),
        one.status === 'pending' ? '' : button('Send again', '', () =>
          redeliver({ delivery_id: one.id })))),
      'Nothing was sent yet.'),
    more && h('p', { class: 'empty' },
      'There are more; “greenroom webhooks deliveries” has them.'));
  }
  replace(page.place, h('h1', {}, 'Webhook ', h('span', { class: 'mono' }, id)),
    h('section', { class: 'card', 'aria-label': 'The webhook' }, facts, actions),
    h('h2', {}, 'Deliveries'), list);
  await page.repeat(3000, async () => {
    // It may be gone by the button of this page.
    if (location.hash === `#${path}`) {
      await refresh();
    }
  });
}
