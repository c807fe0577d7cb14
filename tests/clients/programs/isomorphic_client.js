// isomorphic-git as a client of a session:
// clone URL DIR | push DIR FILE | fetch DIR
import fs from 'node:fs';
import { join } from 'node:path';

import git from 'isomorphic-git';
import http from 'isomorphic-git/http/node';

const author = { name: 'Ada', email: 'ada@example.org' };

const steps = {
  async clone(url, dir) {
    await git.clone({ fs, http, dir, url });
  },
  async push(dir, filepath) {
    fs.writeFileSync(join(dir, filepath), 'by isomorphic-git\n');
    await git.add({ fs, dir, filepath });
    await git.commit({ fs, dir, message: 'Add a file', author });
    const answer = await git.push({ fs, http, dir, remote: 'origin' });
    if (!answer.ok) {
      throw new Error(JSON.stringify(answer));
    }
  },
  async fetch(dir) {
    await git.fetch({ fs, http, dir, remote: 'origin', singleBranch: false });
    for (const name of [await git.currentBranch({ fs, dir }), 'main']) {
      console.log(await git.resolveRef(
        { fs, dir, ref: `refs/remotes/origin/${name}` }));
    }
  },
};

const [step, ...args] = process.argv.slice(2);
await steps[step](...args);
