// What a command prints, as a terminal of endless width shows it: in colours,
// with lines that are written over. All of it is data, texts and names of
// styles, which becomes no markup and needs no browser.
//
// What it costs grows with what is printed, however that is cut into chunks and
// whatever sequences are in it. It keeps one line, what of the lines before it
// was not taken yet, up to a limit, and the parameters of one sequence.

/// Of a longer line only the end can still be written over.
const longestLine = 8192;
const longestParameters = 64;

// What a run takes beside its text, so that many short ones are no way around a
// limit.
const runCost = 48;
export const weight = (run) => run.text.length + runCost;

// No C0, DEL or C1.
// eslint-disable-next-line no-control-regex
const printable = /[^\x00-\x1f\x7f-\x9f]+/y;

export class Printout {
  #limit;
  #settled = [];
  #weight = 0;
  // The line that is being written: a character and a style for each cell. The
  // cursor, where the next goes, is in it or right behind it.
  #chars = [];
  #styles = [];
  #at = 0;
  #sources = new Map();

  /// Of what nobody takes it keeps the newest, between one and two times
  /// `limit` characters.
  constructor(limit) {
    this.#limit = limit;
  }

  /// `data` is text, or bytes of UTF-8. A chunk may end anywhere: the next of
  /// the same stream goes on with the character or sequence that it began.
  write(stream, data) {
    if (!this.#sources.has(stream)) {
      this.#sources.set(stream, new Source(stream));
    }
    const source = this.#sources.get(stream);
    const text = source.decode(data);
    for (let i = 0; i < text.length;) {
      printable.lastIndex = i;
      if (source.within === 'text' && printable.test(text)) {
        this.#put(text.slice(i, printable.lastIndex), source.style);
        i = printable.lastIndex;
      } else {
        this.#step(source, text[i]);
        ++i;
      }
    }
  }

  /// Nothing more is written over: what is printed has ended.
  end() {
    this.#settle('');
  }

  /// What has settled since the last time, and the line that is being written,
  /// as runs: a `text`, and its `style`, names of classes: the stream's, `bold`,
  /// a colour `c0` to `c15`, a background `b0` to `b15`.
  take() {
    const settled = this.#settled;
    this.#settled = [];
    this.#weight = 0;
    return { settled, line: this.#runs() };
  }

  #step(source, char) {
    const code = char.charCodeAt(0);
    if (code >= 0x80 && code < 0xa0) { // an escape in one character
      source.within = 'escape';
      this.#step(source, String.fromCharCode(code - 0x40));
    } else if (char === '\x1b') {
      source.within = 'escape';
    } else if (code < 0x20 || code === 0x7f) {
      // A title has no second line, so what a program that was killed within
      // one leaves open does not take the rest with it.
      if (source.within === 'string' && !'\x07\x18\x1a\n'.includes(char)) {
        return;
      }
      source.within = 'text';
      this.#control(char, source.style);
    } else {
      this.#sequence(source, char, code);
    }
  }

  #control(char, style) {
    switch (char) {
      case '\n': case '\v': case '\f': this.#settle('\n'); break;
      case '\r': this.#at = 0; break;
      case '\b': this.#at = Math.max(0, this.#at - 1); break;
      case '\t': this.#put(char, style); break;
      default: // rings a bell, or does nothing
    }
  }

  // A character within an escape sequence.
  #sequence(source, char, code) {
    const ends = code >= 0x30 && code <= 0x7e;
    switch (source.within) {
      case 'escape':
        source.parameters = '';
        source.within = char === '[' ? 'parameters'
          : ']PX^_'.includes(char) ? 'string'
            : code < 0x30 ? 'charset' : 'text';
        break;
      case 'charset':
        source.within = ends ? 'text' : 'charset';
        break;
      case 'parameters':
        if (code < 0x40) {
          if (source.parameters.length < longestParameters) {
            source.parameters += char;
          }
        } else {
          source.within = 'text';
          this.#act(source, char);
        }
        break;
      default: // a string: title, link, picture
    }
  }

  #act(source, char) {
    const { parameters } = source;
    if (!/^[\d;:]*$/.test(parameters)
      || parameters.length === longestParameters) {
      return;
    }
    if (char === 'm') {
      source.dress();
    } else if (char === 'G') {
      this.#at = Math.min(Math.max(1, Number(parameters) || 1) - 1,
        this.#chars.length);
    } else if (char === 'K' && parameters !== '1') {
      // Who erases all of a line goes to its start before or after that.
      this.#at = parameters === '2' ? 0 : this.#at;
      this.#cut(this.#at);
    }
  }

  #put(text, style) {
    for (const char of text) {
      if (this.#at >= longestLine) {
        this.#settle('');
      }
      this.#chars[this.#at] = char;
      this.#styles[this.#at] = style;
      ++this.#at;
    }
  }

  #cut(length) {
    this.#chars.length = length;
    this.#styles.length = length;
  }

  #runs() {
    const runs = [];
    let begin = 0;
    for (let i = 1; i <= this.#chars.length; ++i) {
      if (this.#styles[i] !== this.#styles[begin]) {
        runs.push({ text: this.#chars.slice(begin, i).join(''),
          style: this.#styles[begin] });
        begin = i;
      }
    }
    return runs;
  }

  // The line is written, and ends with `end`.
  #settle(end) {
    for (const { text, style } of this.#runs()) {
      this.#keep(text, style);
    }
    if (end) {
      this.#keep(end, this.#settled.at(-1)?.style ?? '');
    }
    if (this.#chars.length > 0) {
      this.#cut(0);
    }
    this.#at = 0;
    if (this.#weight > 2 * this.#limit) {
      let drop = 0;
      while (this.#weight > this.#limit && drop + 1 < this.#settled.length) {
        this.#weight -= weight(this.#settled[drop]);
        ++drop;
      }
      this.#settled.splice(0, drop);
    }
  }

  #keep(text, style) {
    const last = this.#settled.at(-1);
    if (last?.style === style && last.text.length < this.#limit / 16) {
      last.text += text;
      this.#weight += text.length;
    } else {
      const run = { text, style };
      this.#settled.push(run);
      this.#weight += weight(run);
    }
  }
}

// One of the streams that are printed: each has characters and sequences that
// are begun, and colours of its own.
class Source {
  /// What the next character is a part of.
  within = 'text';
  parameters = '';
  style;
  #stream;
  #bold = false;
  #colour = null;
  #background = null;
  #decoder = new TextDecoder();

  constructor(stream) {
    this.#stream = stream;
    this.style = stream;
  }

  decode(data) {
    return typeof data === 'string'
      ? this.#decoder.decode() + data // what is lacking of a character is lost
      : this.#decoder.decode(data, { stream: true });
  }

  /// Takes the colours that `parameters` name.
  dress() {
    const codes = this.parameters.split(';');
    for (let i = 0; i < codes.length; ++i) {
      const [first, ...others] = codes[i].split(':');
      const code = Number(first);
      if (code === 38 || code === 48) {
        const kind = others[0] ?? codes[i + 1];
        this.#set(code - 8, Number(kind === '5'
          ? others[1] ?? codes[i + 2] : NaN));
        i += others.length > 0 ? 0 : kind === '5' ? 2 : kind === '2' ? 4 : 0;
      } else if (others.length === 0) {
        this.#say(code);
      }
    }
    this.style = this.#stream + (this.#bold ? ' bold' : '')
      + (this.#colour === null ? '' : ` c${this.#colour}`)
      + (this.#background === null ? '' : ` b${this.#background}`);
  }

  #say(code) {
    if (code === 0) {
      this.#bold = false;
      this.#colour = null;
      this.#background = null;
    } else if (code === 1 || code === 22) {
      this.#bold = code === 1;
    } else if (code >= 30 && code <= 49) {
      this.#set(code < 40 ? 30 : 40, code % 10 < 8 ? code % 10 : NaN);
    } else if (code >= 90 && code <= 107 && code % 10 < 8) {
      this.#set(code < 100 ? 30 : 40, code % 10 + 8);
    }
  }

  // Of more colours than sixteen the usual one is shown instead.
  #set(what, number) {
    const colour = number < 16 ? number : null;
    if (what === 30) {
      this.#colour = colour;
    } else {
      this.#background = colour;
    }
  }
}
