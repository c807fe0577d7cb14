// Elements without markup: whatever a session prints or is called becomes text
// nodes, so none of it can become a script.

/// Elements that have listeners of their own.
export const listens = new WeakSet();

/// An element. Of `props`, `on…` are listeners, true and false set or leave out
/// an attribute, `class` and all others are attributes. Children are nodes,
/// texts, or lists of both; null and false are none.
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
      listens.add(element);
    } else if (value === true) {
      element.setAttribute(name, '');
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  append(element, children);
  return element;
}

export function append(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) {
      parent.append(child);
    }
  }
}

/// What had the focus may go with it: then the page's content has it, so that
/// whoever uses the keyboard does not begin at the top again.
export function replace(parent, ...children) {
  const focused = parent.contains(document.activeElement);
  parent.replaceChildren();
  append(parent, children);
  if (focused) {
    document.getElementById('main').focus({ preventScroll: true });
  }
}

/// A field with its label. `input` is the control.
export function field(label, input, hint) {
  const id = input.id || `f${++lastId}`;
  input.id = id;
  const help = hint && h('small', { id: `${id}-hint` }, hint);
  if (help) {
    input.setAttribute('aria-describedby', help.id);
  }
  return h('div', { class: 'field' }, h('label', { for: id }, label), input,
    help);
}

let lastId = 0;

/// A table. Where the window is narrow its rows are lists, by style.css, which
/// for some browsers has no table in it any more: hence the roles.
export function table(caption, heads, rows, empty) {
  if (rows.length === 0) {
    return h('p', { class: 'empty' }, empty);
  }
  for (const one of rows) {
    [...one.cells].forEach((cell, i) => { cell.dataset.label = heads[i]; });
  }
  return h('div', { class: 'scroll', tabindex: '0', role: 'region',
    'aria-label': `Table: ${caption}` },
    h('table', { role: 'table' },
      h('caption', { class: 'hidden' }, caption),
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' },
        heads.map((head) =>
          h('th', { scope: 'col', role: 'columnheader' }, head)))),
      h('tbody', { role: 'rowgroup' }, rows)));
}

export function cells(...values) {
  return h('tr', { role: 'row' },
    values.map((value) => h('td', { role: 'cell' }, value)));
}

/// A row that update.js finds again by its key.
export function row(key, ...values) {
  const made = cells(...values);
  made.dataset.key = key;
  return made;
}

/// `kind`, where it is not the text itself, says which colour it has.
export function badge(text, kind = text) {
  return h('span', { class: `badge ${kind}` }, text);
}

/// Says something that has happened: for a while, or where it is bad until
/// somebody has read it. Returns what takes it back.
export function notice(text, kind = 'good') {
  const remove = () => {
    const focused = line.contains(document.activeElement);
    line.remove();
    if (focused) {
      document.getElementById('main').focus({ preventScroll: true });
    }
  };
  const line = h('p', { class: `notice ${kind}` }, text,
    h('button', { type: 'button', class: 'plain', 'aria-label': 'Dismiss',
      onclick: remove }, '×'));
  document.getElementById('notices').append(line);
  if (kind === 'good') {
    setTimeout(remove, 10_000);
  }
  return remove;
}

/// Whether something in it is being asked or done, so that it is not to be drawn
/// anew: what becomes of it is said there.
export function isBusy(place) {
  return document.querySelector('dialog[open]') !== null
    || place.querySelector('[aria-busy]') !== null;
}

/// Runs what a button or form asks for: it is busy meanwhile, and a failure is
/// said beside it. The focus stays on it; where it is gone then, its page has it.
export async function busy(control, work) {
  const button = control.matches('form')
    ? control.querySelector('button[type=submit], button:not([type])')
    : control;
  const said = control.parentElement?.querySelector(':scope > .failure');
  said?.remove();
  const focused = document.activeElement === button;
  button.disabled = true; // which takes the focus from it
  button.setAttribute('aria-busy', 'true');
  try {
    await work();
  } catch (error) {
    control.after(failure(error));
  } finally {
    button.disabled = false;
    button.removeAttribute('aria-busy');
    const nowhere = [null, document.body].includes(document.activeElement);
    if (focused && nowhere) {
      (button.isConnected ? button : document.getElementById('main'))
        .focus({ preventScroll: true });
    }
  }
}

/// What went wrong and what would help.
export function failure(error) {
  return h('p', { class: 'failure', role: 'alert' }, error.message,
    error.remediation ? h('small', {}, ` ${error.remediation}`) : null);
}

/// Asks before something that cannot be undone.
export function ask(question, yes) {
  return new Promise((resolve) => {
    const dialog = h('dialog', { 'aria-label': question,
      onclose: () => {
        resolve(dialog.returnValue === 'yes');
        dialog.remove();
      } },
      h('form', { method: 'dialog' },
        h('p', {}, question),
        h('div', { class: 'row' },
          h('button', { value: 'yes', class: 'danger' }, yes),
          h('button', { value: 'no', autofocus: true }, 'Cancel'))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
