// A page: its place in the window, and what ends with it. Timers, streams and
// terminals are over when another page is shown; what an answer that comes
// late still draws goes to a place that nobody sees any more.
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

  /// Calls `work` now and then, while the page is looked at. Only the first
  /// failure counts.
  async repeat(milliseconds, work) {
    const again = () => {
      if (document.visibilityState === 'visible') {
        work().catch(() => {});
      }
    };
    const timer = setInterval(again, milliseconds);
    this.onLeave(() => clearInterval(timer));
    await work();
  }
}
