// Draws anew what is shown already, every few seconds or at each event, without
// taking anything from who uses it: what has not changed stays the element that
// it was, so focus, selection, scrolling and what is typed outlive it. So does
// the failure that is said behind a control, until that is used again or gone.
import { append, listens } from './dom.js';

const focusable = 'a[href], button, input, select, textarea, summary, '
  + '[tabindex="0"]';

/// Makes `parent` have these children. An element with a `data-key` is matched
/// by it, others by their place and name. What listens stays only where it is
/// the same in all, or has the same key: then its key has to say all that the
/// listeners depend on.
export function update(parent, ...children) {
  const wanted = document.createDocumentFragment();
  append(wanted, children);
  const focused = parent.contains(document.activeElement)
    ? document.activeElement : null;
  const at = focused ? stops(parent).indexOf(focused) : -1;
  match(parent, [...wanted.childNodes]);
  if (focused && document.activeElement !== focused) {
    // What had the focus is gone: what took its place gets it.
    const all = stops(parent);
    const next = focused.isConnected ? focused
      : all[Math.min(Math.max(at, 0), all.length - 1)];
    (next ?? document.getElementById('main'))?.focus({ preventScroll: true });
  }
}

const stops = (parent) => [...parent.querySelectorAll(focusable)];

const keyOf = (node) => node.dataset?.key;

/// Whether `old` can become `made`.
function fits(old, made) {
  return old.nodeName === made.nodeName && keyOf(old) === keyOf(made)
    && (isBusy(old) || keyOf(made) !== undefined || !(listens.has(old) || listens.has(made))
      || old.isEqualNode(made));
}

function match(parent, made) {
  const keyed = new Map();
  for (const old of parent.childNodes) {
    if (keyOf(old) !== undefined) {
      keyed.set(keyOf(old), old);
    }
  }
  const keys = new Set(made.map(keyOf));
  for (const [key, old] of keyed) {
    if (!keys.has(key)) {
      drop(old);
    }
  }
  let here = behindFailure(parent.firstChild);
  for (const one of made) {
    const old = keyOf(one) === undefined ? here : keyed.get(keyOf(one));
    if (!old || !fits(old, one)) {
      parent.insertBefore(one, here);
      // It takes the place of what stood there, unless that is to be found yet.
      if (here && keyOf(here) === undefined) {
        const gone = here;
        here = behindFailure(here.nextSibling);
        drop(gone);
      }
      continue;
    }
    if (old === here) {
      here = behindFailure(here.nextSibling);
    } else {
      parent.insertBefore(old, here);
    }
    become(old, one);
  }
  while (here) {
    const gone = here;
    here = behindFailure(here.nextSibling);
    drop(gone);
  }
}

const isFailure = (node) => node?.classList?.contains('failure');

const behindFailure = (node) => (isFailure(node) ? node.nextSibling : node);

function drop(node) {
  if (isFailure(node.nextSibling)) {
    node.nextSibling.remove();
  }
  node.remove();
}

// What it does is not done yet, and is said there.
const isBusy = (node) => node.getAttribute?.('aria-busy') === 'true';

function become(old, made) {
  if (isBusy(old) || old.isEqualNode(made)) {
    return;
  }
  if (!(old instanceof Element)) {
    old.nodeValue = made.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!made.hasAttribute(name)) {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of made.attributes) {
    if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
  match(old, [...made.childNodes]);
}
