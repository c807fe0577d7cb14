// Which projects a key may use, also one that may not list them.
import { call } from './api.js';
import { h } from './dom.js';

/// The `projects`, and whether these are `all`: without projects:read they are
/// those that the key is limited to, or those of the sessions that it sees, and
/// no more than their `id` is known.
export async function knownProjects() {
  try {
    const { projects } = await call('GET', '/projects');
    return { projects, all: true };
  } catch (error) {
    if (error.status !== 403) {
      throw error;
    }
  }
  const byId = (ids) => ids.map((id) => ({ id }));
  const { projects } = await call('GET', '/whoami');
  if (projects) {
    return { projects: byId(projects), all: true };
  }
  const { sessions } = await call('GET', '/sessions?limit=200');
  const seen = new Set(sessions.map((one) => one.project_id));
  return { projects: byId([...seen].sort()), all: false };
}

/// The control of a form that chooses one, with its hint; `chosen` is chosen.
export async function projectControl(chosen) {
  const { projects, all } = await knownProjects();
  const ids = projects.map(({ id }) => id);
  if (all && ids.length > 0 && (!chosen || ids.includes(chosen))) {
    return { control: h('select', { name: 'project' }, ids.map((id) =>
      h('option', { value: id, selected: id === chosen }, id))) };
  }
  return { control: h('input', { name: 'project', required: true,
    autocomplete: 'off', spellcheck: 'false', value: chosen ?? ids[0] }),
  hint: !all ? 'Its id: the key may not list projects (projects:read).'
    : ids.length > 0 ? `The key sees no project ${chosen}.`
      : 'There is none yet; an administrator adds one.' };
}
