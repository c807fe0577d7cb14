// The nodes, and having one give away what it has. For administrators.
import { call } from './api.js';
import { ask, badge, busy, cells, failure, field, h, isBusy, replace, row, table } from './dom.js';
import { update } from './update.js';

const path = (name) => `/nodes/${encodeURIComponent(name)}/drain`;

export async function showNodes(page) {
  const list = h('div', {});
  const plan = h('section', { 'aria-live': 'polite' });
  const deadline = h('input', { placeholder: 'none', autocomplete: 'off',
    size: '8' });
  replace(page.place, h('h1', {}, 'Nodes'), list,
    h('div', { class: 'grid' }, field('Deadline of a drain', deadline,
      'What still runs then is ended: 10m, 1h. None: it is waited for.')),
    plan);

  async function refresh() {
    const { nodes } = await call('GET', '/nodes');
    // Buttons that are just used stay.
    if (isBusy(list)) {
      return;
    }
    update(list, table('Nodes',
      ['Node', 'State', 'Sessions', 'Load', 'Version', 'Drain'],
      nodes.map(nodeRow), 'There is no node.'));
  }

  const body = (dry) => ({ dry_run: dry,
    ...(deadline.value.trim() ? { deadline: deadline.value.trim() } : {}) });

  async function drain(node, dry) {
    try {
      showPlan(plan, await call('POST', path(node.name), body(dry)), dry);
    } catch (error) {
      replace(plan, failure(error));
    }
    await refresh().catch(() => {});
  }

  function nodeRow(node) {
    const button = (name, kind, work) => {
      const made = h('button', { type: 'button', class: kind,
        'aria-label': `${name} ${node.name}`,
        onclick: () => busy(made, work) }, name);
      return made;
    };
    const actions = node.state === 'draining'
      ? [button('Resume', 'main', async () => {
        await call('DELETE', path(node.name));
        replace(plan);
      })]
      : [button('Plan', '', () => drain(node, true)),
        button('Drain', 'danger', async () => {
          if (await ask(`Node ${node.name} takes nothing new and gives its `
            + 'projects to other nodes. Drain it?', 'Drain it')) {
            await drain(node, false);
          }
        })];
    return row(node.name, node.name,
      [badge(node.state), !node.reachable && badge('unreachable')],
      String(node.sessions), node.load.toFixed(2), node.version,
      h('div', { class: 'row' }, actions));
  }
  await page.repeat(3000, refresh);
}

function showPlan(place, plan, dry) {
  const rows = plan.projects.flatMap(({ id, to, sessions }) =>
    (sessions.length > 0 ? sessions : [{}]).map((session) =>
      cells(id, to ?? 'nowhere: no other node is ready',
        h('span', { class: 'mono' }, session.id ?? '–'),
        session.waits_for ?? '–')));
  replace(place,
    h('h2', {}, dry ? `What a drain of ${plan.name} would do`
      : `What ${plan.name} has yet to give away`),
    table('Projects', ['Project', 'To', 'Session', 'Waits for'], rows,
      'It has nothing to give away.'));
}
