// A page: its place in the window, and what ends with it. Timers, streams and
// terminals are over when another page is shown; what an answer that comes
// late still draws goes to a place that nobody sees any more.
import { passes, setLost } from './api.js';
import { h } from './dom.js';

export class Page {
  #left = false;
  #ends = [];

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
  /// is the caller's; of later ones it is said that what is shown is old.
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
      } catch (error) {
        setLost(this, !this.#left && passes(error));
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

  /// What calls `work` once where it is called many times in a row.
  calmly(work) {
    let timer = null;
    this.onLeave(() => clearTimeout(timer));
    return () => {
      timer ??= setTimeout(() => {
        timer = null;
        work().catch(() => {});
      }, 200);
    };
  }
}
