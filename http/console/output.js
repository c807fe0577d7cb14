// What commands print, on the page: runs of text, whose styles are classes of
// style.css.
import { h } from './dom.js';
import { Printout, weight } from './printout.js';

// More than that a person does not read here; all of it can be downloaded.
const mostShown = 512 * 1024;
const showEvery = 100; // ms

const spans = (runs) =>
  runs.map(({ text, style }) => h('span', { class: style }, text));

/// Output that is there as a whole: its newest part.
export function shownOutput(text) {
  const printout = new Printout(mostShown);
  printout.write('stdout', text);
  printout.end();
  return spans(printout.take().settled);
}

/// What appends to `screen` what is printed, drops the oldest over the limit, and
/// stays at the end where the reader is there. Events come by the thousand, so
/// they are shown together, a few times a second: each showing has the page laid
/// out anew.
export class OutputScreen {
  #screen;
  #printout = new Printout(mostShown);
  // Who listens to the page hears a line once it is whole.
  #line = h('span', { 'aria-live': 'off' });
  #weight = 0;
  #timer = null;

  constructor(screen) {
    this.#screen = screen;
    screen.append(this.#line);
  }

  /// `event` is an exec.output.
  write({ stream, data, encoding }) {
    this.#printout.write(stream, encoding === 'base64'
      ? Uint8Array.from(atob(data), (char) => char.charCodeAt(0)) : data);
    this.#later();
  }

  /// All has been printed.
  end() {
    this.#printout.end();
    this.#later();
  }

  #later() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#show();
    }, showEvery);
  }

  #show() {
    const screen = this.#screen;
    const atEnd =
      screen.scrollTop + screen.clientHeight >= screen.scrollHeight - 4;
    const { settled, line } = this.#printout.take();
    this.#line.before(...spans(settled));
    this.#line.replaceChildren(...spans(line));
    this.#weight += settled.reduce((sum, run) => sum + weight(run), 0);
    while (this.#weight > mostShown && screen.childNodes.length > 2) {
      this.#weight -= weight({ text: screen.firstChild.textContent });
      screen.firstChild.remove();
    }
    if (atEnd) {
      screen.scrollTop = screen.scrollHeight;
    }
  }
}
