// What the console makes of what commands print: colours, lines that are written
// over, and nothing else of the sequences that terminals know.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Printout, weight } from '../../http/console/printout.js';

/// All runs of what is printed in these chunks, those of one style joined.
function runs(...chunks) {
  const printout = new Printout(1 << 20);
  for (const chunk of chunks) {
    printout.write('stdout', chunk);
  }
  const { settled, line } = printout.take();
  return [...settled, ...line];
}

const text = (...chunks) => runs(...chunks).map((run) => run.text).join('');
/// As text, with the styles besides the stream's in angle brackets.
const styled = (...chunks) => runs(...chunks).map((run) => {
  const style = run.style.replace(/^stdout ?/, '');
  return style ? `<${style}>${run.text}</>` : run.text;
}).join('');

test('a line is written over as on a terminal', () => {
  const cases = {
    'one\ntwo\n': 'one\ntwo\n',
    'one\r\ntwo\r\n': 'one\ntwo\n',
    '10%\r50%\r100%': '100%',
    '100%\r7': '700%',
    'ab\b\bAB': 'AB',
    '\b\bx': 'x',
    'a\tb': 'a\tb',
    'long line\rnew\x1b[K\n': 'new\n',
    'long line\x1b[2K\rnew\n': 'new\n',
    '\x1b[1G\x1b[0K- one\x1b[1G\x1b[0K\\ two': '\\ two',
    'abc\x1b[99Gd\x1b[2GB': 'aBcd',
    'a\x07\x00\x7fb': 'ab',
    'eins 😀\b!': 'eins !',
    '': '',
  };
  for (const [printed, shown] of Object.entries(cases)) {
    assert.equal(text(printed), shown, JSON.stringify(printed));
  }
});

test('sixteen colours, bold and reset are shown', () => {
  const cases = {
    '\x1b[31mred\x1b[0m plain': '<c1>red</> plain',
    '\x1b[1;92mbold\x1b[22mnot\x1b[39mplain': '<bold c10>bold</><c10>not</>plain',
    '\x1b[30;47ma\x1b[49mb\x1b[mc': '<c0 b7>a</><c0>b</>c',
    '\x1b[104mx': '<b12>x</>',
    '\x1b[38;5;9mnine\x1b[38;5;200mmany': '<c9>nine</>many',
    '\x1b[31;38;2;1;4;34;1mtrue': '<bold>true</>',
    '\x1b[38:2::1:4:34mtrue\x1b[48:5:3mthree': 'true<b3>three</>',
    '\x1b[4:3;31mcurly': '<c1>curly</>',
    '\x1b[31mone\n\x1b[0mtwo\n': '<c1>one\n</>two\n',
    '\x1b[31mred\rno\x1b[0mw\n': '<c1>no</>w\n',
  };
  for (const [printed, shown] of Object.entries(cases)) {
    assert.equal(styled(printed), shown, JSON.stringify(printed));
  }
});

test('all other sequences are left out', () => {
  for (const sequence of ['\x1b[2J', '\x1b[?25l', '\x1b[3A', '\x1b[>4;1m',
    '\x1b[1 q', '\x1b(B', '\x1b)0', '\x1b7', '\x1b=', '\x1bM', '\x1b#8',
    '\x1b]0;title\x07', '\x1b]8;;https://example.org/\x1b\\', '\x1bPq#0;\x1b\\',
    '\x1b_Gf=24;AAAA\x1b\\', '\x9b5B', '\x9d0;title\x9c', '\x1b\x1b[5B',
    `\x1b[${'1;'.repeat(500)}m`, '\x1b]0;cut\x18']) {
    assert.equal(styled(`a${sequence}b`), 'ab', JSON.stringify(sequence));
  }
  // A program that was killed within a title.
  assert.equal(text('\x1b]0;tit\nnext\n'), '\nnext\n');
});

test('it is the same however it is cut into chunks', () => {
  const printed = 'ä😀 \x1b[1;31mröt\x1b[0m\r\x1b]0;title\x1b\\\x1b(B'
    + '\x1b[38;5;2mgrün\x1b[0m\x1b[K\r\n12%\r34%\b!\n\u2028\x9b32mend';
  const whole = styled(printed);
  assert.match(whole, /grün/);
  const bytes = new TextEncoder().encode(printed);
  for (let size = 1; size < 8; ++size) {
    const chunks = [];
    for (let i = 0; i < bytes.length; i += size) {
      chunks.push(bytes.slice(i, i + size));
    }
    assert.equal(styled(...chunks), whole, `${size} bytes`);
  }
  const letters = [...printed];
  assert.equal(styled(...letters), whole);
  // A character that does not go on is shown as one that is no more known.
  assert.equal(text(bytes.slice(0, 1), 'b'), '\ufffdb');
});

test('the streams share lines, but neither sequences nor colours', () => {
  const printout = new Printout(1 << 20);
  printout.write('stdout', 'out \x1b[3');
  printout.write('stderr', 'err ');
  printout.write('stdout', '2mgreen ');
  printout.write('stderr', 'plain');
  printout.end();
  const { settled, line } = printout.take();
  assert.deepEqual(line, []);
  assert.deepEqual(settled, [
    { text: 'out ', style: 'stdout' }, { text: 'err ', style: 'stderr' },
    { text: 'green ', style: 'stdout c2' }, { text: 'plain', style: 'stderr' },
  ]);
});

test('what is taken is not told again, and only one line is open', () => {
  const printout = new Printout(1 << 20);
  printout.write('stdout', 'one\n1%');
  assert.deepEqual(printout.take(), {
    settled: [{ text: 'one\n', style: 'stdout' }],
    line: [{ text: '1%', style: 'stdout' }] });
  printout.write('stdout', '\r2%');
  assert.deepEqual(printout.take(),
    { settled: [], line: [{ text: '2%', style: 'stdout' }] });
});

test('memory is bounded, and time grows with what is printed', () => {
  const limit = 64 * 1024;
  // Each is the worst for some other part of it.
  const worst = ['x'.repeat(100), '\bx', '\r', '\x1b[2K', '\x1b[K', '\x1b[9999Gx',
    '\x1b[31mx\x1b[32my', '\n', '\x1b]', '\x1b[1;', 'x\x1b[31m\n', '\t😀',
    'y\r'];
  for (const piece of worst) {
    const printout = new Printout(limit);
    printout.write('stdout', 'x'.repeat(8000));
    const chunk = piece.repeat(Math.ceil(limit / piece.length));
    const begun = process.cpuUsage(); // of no other program
    for (let i = 0; i < 8; ++i) {
      printout.write(i % 2 ? 'stdout' : 'stderr', chunk);
    }
    const took = process.cpuUsage(begun).user / 1000;
    const { settled, line } = printout.take();
    const all = [...settled, ...line].reduce((sum, run) =>
      sum + weight(run), 0);
    // The newest, and a line of runs of one character at most.
    assert.ok(all <= 2 * limit + 8192 * weight({ text: 'xx' }),
      `${JSON.stringify(piece)}: ${all}`);
    assert.ok(took < 5000, `${JSON.stringify(piece)} took ${took} ms`);
  }
});
