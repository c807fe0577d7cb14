// Which projects a key may use, also one that may not list them.
import { call } from './api.js';
import { h } from './dom.js';

/// Their `ids`, and whether these are `all`: without projects:read they are
/// those that the key is limited to, or those of the sessions that it sees.
export async function knownProjects() {
  try {
    const { projects } = await call('GET', '/projects');
    return { ids: projects.map(({ id }) => id), all: true };
  } catch (error) {
    if (error.status !== 403) {
      throw error;
    }
  }
  const { projects } = await call('GET', '/whoami');
  if (projects) {
    return { ids: projects, all: true };
  }
  const { sessions } = await call('GET', '/sessions?limit=200');
  return { ids: [...new Set(sessions.map((one) => one.project_id))].sort(),
    all: false };
}

/// The control of a form that chooses one, with its hint.
export async function projectControl() {
  const { ids, all } = await knownProjects();
  if (all && ids.length > 0) {
    return { control: h('select', { name: 'project' },
      ids.map((id) => h('option', { value: id }, id))) };
  }
  return { control: h('input', { name: 'project', required: true,
    autocomplete: 'off', spellcheck: 'false', value: ids[0] }),
  hint: all ? 'There is none yet; an administrator adds one.'
    : 'Its id: the key may not list projects (projects:read).' };
}
