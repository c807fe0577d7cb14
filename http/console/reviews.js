// What waits for a decision, and one of these with its diff.
import { call, reviewPath, text } from './api.js';
import { showDiff } from './changes.js';
import { badge, busy, field, h, isBusy, replace, row, table } from './dom.js';
import { age, keyText } from './format.js';
import { shownOutput } from './output.js';
import { knownProjects } from './project_choice.js';
import { update } from './update.js';

/// Those of one project, or of all.
export async function showReviews(page, project) {
  const list = h('div', {});
  replace(page.place, h('h1', {}, project ? `Reviews of ${project}` : 'Reviews'),
    project && h('p', {}, h('a', { href: '#/reviews' }, 'All reviews')), list);
  await page.repeat(5000, async () => {
    const { projects, all: whole } = project
      ? { projects: [{ id: project }], all: true } : await knownProjects();
    const lists = await Promise.all(projects.map(({ id }) => reviewsOf(id)));
    const all = lists.flatMap(({ reviews }) => reviews).sort((a, b) =>
      Date.parse(b.created_at) - Date.parse(a.created_at));
    update(list, table('Reviews',
      ['Review', 'Status', 'Project', 'Branch', 'Into', 'By', 'Age'],
      all.map((one) => row(reviewPath(one.project_id, one.id),
        h('a', { class: 'mono', href: `#${reviewPath(one.project_id, one.id)}` },
          one.id),
        badge(one.status), one.project_id,
        h('span', { class: 'mono' }, one.branch),
        h('span', { class: 'mono' }, one.target),
        one.created_by_name ?? one.created_by, age(one.created_at))),
      'Nothing has been checked in for review.'),
    lists.some((one) => one.next_cursor) && h('p', { class: 'empty' },
      'There are more; “greenroom reviews” has them.'),
    !whole && h('p', { class: 'empty' }, 'The key may not list projects '
      + '(projects:read): these are of the projects of the sessions that it '
      + 'sees.'));
  });
}

async function reviewsOf(project) {
  try {
    return await call('GET',
      `/projects/${encodeURIComponent(project)}/reviews?limit=50`);
  } catch (error) {
    if (error.status === 404) {
      return { reviews: [] }; // a key may be limited to a project that is gone
    }
    throw error;
  }
}

export async function showReview(page, project, id) {
  const path = reviewPath(project, id);
  document.title = `Review ${id} · Greenroom`;
  let shown = '';
  const draw = async () => {
    const review = await call('GET', path);
    const [diff, output] = await Promise.all([
      text(`${path}/diff`),
      // Only a project with a review command has any.
      review.output ? text(review.output) : '',
    ]);
    shown = review.status;
    replace(page.place, h('h1', {}, 'Review ', h('span', { class: 'mono' }, id)),
      h('section', { class: 'card', 'aria-label': 'The review' },
        facts(project, review)),
      page.mayChange && shown === 'queued'
        && decision(path, draw, whyNot(page, review)),
      page.mayChange && shown === 'approved' && mergeButton(path, draw),
      output && [h('h2', {}, 'What the review command printed'),
        h('pre', { class: 'output', tabindex: '0', role: 'region',
          'aria-label': 'Output of the review command' }, shownOutput(output))],
      h('h2', {}, 'Changes'), showDiff(diff));
  };
  await draw();
  // What the review command, or somebody else, decides is shown by itself; a
  // comment that is being written stays until then.
  await page.repeat(3000, async () => {
    if (!page.place.querySelector('[aria-busy]')
      && (await call('GET', path)).status !== shown) {
      await draw();
    }
  });
}

function facts(project, review) {
  return h('dl', {}, [
    ['Status', badge(review.status)],
    ['Why', review.status_reason],
    ['Project', project],
    ['Branch', h('span', { class: 'mono' }, `${review.branch} → ${review.target}`)],
    ['Commit', h('span', { class: 'mono' }, review.commit)],
    ['By', keyText(review.created_by, review.created_by_name)],
    ['Decided by', keyText(review.decided_by, review.decided_by_name)],
    ['Comment', review.comment !== review.status_reason && review.comment],
    ['In conflict', review.files?.join(', ')],
    ['Merged as', review.merge_commit],
    ['Once approved', ['queued', 'running'].includes(review.status)
      && (review.auto_merge ? 'it is merged' : 'it waits for “Merge”')],
  ].filter(([, value]) => value).map(([name, value]) =>
    [h('dt', {}, name), h('dd', {}, value)]));
}

// Two pairs of eyes.
const whyNot = ({ key, isAdmin }, review) => (
  review.created_by === key.id && !isAdmin
    ? 'Your key has checked it in, so another, or an administrator, approves it.'
    : null);

function decision(path, again, whyNotApproved) {
  const comment = h('input', { name: 'comment', autocomplete: 'off' });
  const button = (name, verb, kind) => {
    const made = h('button', { type: 'button', class: kind, onclick: () => {
      // Whoever is refused is to know why.
      comment.required = verb === 'reject';
      if (isBusy(place) || !comment.reportValidity()) {
        return;
      }
      busy(made, async () => {
        await call('POST', `${path}/${verb}`, comment.value.trim()
          ? { comment: comment.value.trim() } : {});
        await again().catch(() => {}); // it is decided; the next look tells
      });
    } }, name);
    return h('span', {}, made);
  };
  const place = h('div', { class: 'card row' }, field('Comment', comment),
    whyNotApproved ? h('small', {}, whyNotApproved)
      : button('Approve', 'approve', 'main'),
    button('Reject', 'reject', 'danger'));
  return place;
}

function mergeButton(path, again) {
  const merge = h('button', { type: 'button', class: 'main', onclick: () =>
    busy(merge, async () => {
      await call('POST', `${path}/merge`, {});
      await again().catch(() => {});
    }) }, 'Merge');
  return h('div', { class: 'card' }, merge);
}
