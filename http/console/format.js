// Numbers and times as people read them.

const units = [['d', 86_400], ['h', 3_600], ['m', 60], ['s', 1]];

/// Seconds as their two largest units: "2d 3h", "4m 10s", "0s".
export function duration(seconds) {
  let left = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [name, size] of units) {
    const count = Math.floor(left / size);
    if (count > 0 || (name === 's' && parts.length === 0)) {
      parts.push(`${count}${name}`);
    }
    left -= count * size;
  }
  return parts.slice(0, 2).join(' ');
}

/// How long ago `time`, RFC 3339, was.
export function age(time, now = Date.now()) {
  return duration((now - Date.parse(time)) / 1000);
}

/// How long it is until `time`; "now" where it is past.
export function until(time, now = Date.now()) {
  const seconds = (Date.parse(time) - now) / 1000;
  return seconds <= 0 ? 'now' : duration(seconds);
}

export function bytes(count) {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let value = count;
  while (value >= 1024 && at + 1 < names.length) {
    value /= 1024;
    ++at;
  }
  return `${at === 0 ? value : value.toFixed(1)} ${names[at]}`;
}

/// A key as people know it, and as others can be told apart.
export function keyText(id, name) {
  return name && name !== id ? `${name} (${id})` : id;
}

/// A command as one line.
export function commandText(exec) {
  return exec.command ?? (exec.argv ?? []).map(shellQuoted).join(' ');
}

/// As a shell takes it for one word, whatever is in it.
export function shellQuoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word
    : `'${word.replaceAll("'", "'\\''")}'`;
}

/// Whether an exec has done what it was to do: good, bad, or nobody knows yet.
export function success(exec) {
  switch (exec.status) {
    case 'exited': return exec.exit_code === 0 ? 'good' : 'bad';
    case 'queued': case 'running': return exec.status;
    default: return 'bad';
  }
}

/// How an exec ended, or that it has not.
export function outcome(exec) {
  switch (exec.status) {
    case 'exited': return `exit ${exec.exit_code}`;
    case 'signaled': return `signal ${exec.signal}`;
    case 'timed_out': return 'timed out';
    default: return exec.status;
  }
}

/// The lines of a unified diff, each with its kind: file, hunk, add, remove,
/// meta or same.
export function diffLines(text) {
  let inHunk = false;
  return text.replace(/\n$/, '').split('\n').map((line) => {
    if (line.startsWith('diff ')) {
      inHunk = false;
      return { kind: 'file', text: line };
    }
    if (line.startsWith('@@')) {
      inHunk = true;
      return { kind: 'hunk', text: line };
    }
    if (!inHunk) {
      return { kind: 'meta', text: line };
    }
    const kinds = { '+': 'add', '-': 'remove', '\\': 'meta' };
    return { kind: kinds[line[0]] ?? 'same', text: line };
  });
}
