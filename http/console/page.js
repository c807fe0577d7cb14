// A page: its place in the window, and what ends with it. Timers, streams and
// terminals are over when another page is shown; what an answer that comes
// late still draws goes to a place that nobody sees any more.
import { Backoff, passes, setLost } from './api.js';
import { failure, h } from './dom.js';

export class Page {
  #left = false;
  #ends = [];

  /// `key` looks at it; null: nobody is logged in.
  constructor(key) {
    this.key = key;
  }

  get isAdmin() {
    return this.key.scopes.includes('admin');
  }

  /// Whether its key may change sessions and decide on reviews, or only watch.
  get mayChange() {
    return this.isAdmin || ['sessions:execute', 'projects:execute'].some((one) =>
      this.key.scopes.includes(one));
  }

  /// Where it is drawn.
  place = h('div', {});

  /// `end` is called when the page is left; at once where it has been.
  onLeave(end) {
    if (this.#left) {
      end();
    } else {
      this.#ends.push(end);
    }
  }

  leave() {
    this.#left = true;
    for (const end of this.#ends.splice(0)) {
      end();
    }
  }

  /// Tries again what only fails for now, unless the page is left before.
  later(error, work) {
    if (passes(error)) {
      const timer = setTimeout(work, Math.max(3000, error.retryAfter));
      this.onLeave(() => clearTimeout(timer));
    }
  }

  /// Calls `work` now and then, while the page is looked at. The first failure
  /// is the caller's; of later ones it is said that what is shown is old, and
  /// where it is not for now only, why.
  async repeat(milliseconds, work) {
    let working = true;
    const again = async () => {
      if (working || document.visibilityState !== 'visible') {
        return;
      }
      working = true;
      try {
        await work();
        setLost(this, false);
        this.#say(null);
      } catch (error) {
        setLost(this, !this.#left && passes(error));
        if (!passes(error)) {
          this.#say(error);
        }
      }
      working = false;
    };
    const timer = setInterval(again, milliseconds);
    this.onLeave(() => {
      clearInterval(timer);
      setLost(this, false);
    });
    await work();
    working = false;
  }

  /// What calls `work` once where it is called many times in a row, and once
  /// more where it was called meanwhile. Two never run at once, or the older
  /// answer might be shown last. What only fails for now is tried again, for
  /// nobody else may call; why something else has failed is said.
  calmly(work) {
    const pauses = new Backoff();
    const me = {};
    let timer = null;
    let working = false;
    let wanted = false;
    const begin = (pause) => {
      if (!this.#left) {
        timer ??= setTimeout(run, pause);
      }
    };
    const run = async () => {
      working = true;
      wanted = false;
      let pause = 200;
      try {
        await work();
        pauses.reset();
        setLost(me, false);
        this.#say(null);
      } catch (error) {
        if (!passes(error)) {
          this.#say(error);
        }
        wanted ||= passes(error);
        pause = Math.max(pauses.next(), error.retryAfter ?? 0);
        setLost(me, !this.#left && passes(error));
      }
      working = false;
      timer = null;
      if (wanted) {
        begin(pause);
      }
    };
    this.onLeave(() => {
      clearTimeout(timer);
      setLost(me, false);
    });
    return () => {
      wanted = true;
      if (!working) {
        begin(200);
      }
    };
  }

  // Why what is shown stays as it is, above it; null: it does not.
  #say(error) {
    const said = this.place.querySelector(':scope > .failure');
    const text = error && failure(error);
    if (!text || !said?.isEqualNode(text)) { // who listens hears it once
      said?.remove();
      this.place.prepend(...text ? [text] : []);
    }
  }
}
