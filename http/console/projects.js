// The projects: how full they are, what they protect, and the ways to their
// sessions and reviews.
import { badge, h, replace, row, table } from './dom.js';
import { knownProjects } from './project_choice.js';
import { liveSessions } from './sessions.js';
import { update } from './update.js';

export async function showProjects(page) {
  const list = h('div', {});
  replace(page.place, h('h1', {}, 'Projects'), list);
  await page.repeat(5000, async () => {
    const [{ projects, all }, live] = await Promise.all([
      knownProjects(), liveSessions('/sessions')]);
    update(list, table('Projects', ['Project', 'Status', 'Sessions',
      'Protected branches', 'Reviewed', 'Repository', 'Go to'],
    projects.map((one) => projectRow(one, live, page.mayChange)),
    all ? 'There is none yet; an administrator adds one: “greenroom projects add”.'
      : 'No session is there that would tell of any.'),
    !all && h('p', { class: 'empty' }, 'The key may not list projects '
      + '(projects:read): these are those of the sessions that it sees.'));
  });
}

function projectRow(project, { sessions, more }, mayChange) {
  const { id, max_active_sessions: most } = project;
  const live = sessions.filter((one) => one.project_id === id).length;
  const path = `#/projects/${encodeURIComponent(id)}`;
  return row(id,
    h('a', { href: `${path}/sessions` }, id),
    project.status ? badge(project.status) : '–',
    [more && 'at least ', `${live}${most ? ` of ${most}` : ''}`],
    h('span', { class: 'mono' }, branches(project)),
    reviewed(project.review),
    h('span', { class: 'mono' }, project.repo ?? '–'),
    h('div', { class: 'row' },
      mayChange && project.status !== 'stopped' && h('a', {
        href: `${path}/sessions/new`,
        'aria-label': `New session in ${id}` }, 'New session'),
      h('a', { href: `${path}/reviews`, 'aria-label': `Reviews of ${id}` },
        'Reviews')));
}

function branches({ protected_branches: names, default_branch: main }) {
  if (names === undefined) {
    return '–';
  }
  return names === null ? main ?? 'the default branch'
    : names.join(', ') || 'none';
}

function reviewed(review) {
  if (!review) {
    return '–';
  }
  return [review.command
    ? ['by ', h('span', { class: 'mono' }, review.command)] : 'by a person',
  review.required && ', always'];
}
