// Apps that people run in sessions: the files that go into their repository,
// and how they are started.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('..', import.meta.url));
const packages = join(here, 'node_modules');

/// A bare repository's only branch gets these files, by name.
async function commit(repository, work, message) {
  const git = (...args) => execFileSync('git', [
    '-C', work, '-c', 'user.name=Test', '-c', 'user.email=test@example.com',
    ...args], { encoding: 'utf8' });
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--quiet', '--message', message);
  git('push', '--quiet', '--force', repository, 'main');
}

/// The app that Vite's template for React makes, without its packages.
export async function makeReactApp(repository, dir) {
  const work = join(dir, 'react-app');
  execFileSync(process.execPath, [
    join(packages, 'create-vite/index.js'), 'react-app',
    '--template', 'react', '--no-interactive'],
  { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
  await commit(repository, work, 'Begin with the template');
}

/// A page of webpack's development server.
export async function makeWebpackApp(repository, dir) {
  const work = join(dir, 'webpack-app');
  const files = {
    '.gitignore': 'node_modules\n',
    'webpack.config.js': `
      const Html = require('html-webpack-plugin');
      module.exports = {
        mode: 'development',
        entry: './src/index.js',
        plugins: [new Html({ title: 'Webpack' })],
        // As behind any proxy: hot reload at the page's own address.
        devServer: { client: { webSocketURL: 'auto://0.0.0.0:0/ws' } },
      };`,
    'src/text.js': 'export const text = "first";\n',
    'src/index.js': `
      import { text } from './text.js';
      const shown = document.body.appendChild(document.createElement('p'));
      shown.id = 'text';
      shown.textContent = text;
      module.hot.accept('./text.js', () => { shown.textContent = text; });`,
  };
  await writeFiles(work, files);
  await commit(repository, work, 'Begin');
}

export async function writeFiles(work, files) {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(work, name)), { recursive: true });
    await writeFile(join(work, name), text);
  }
}

/// What `npm install` would do in the session, without asking anybody: all
/// packages of these tests, or one that needs no other.
export async function addPackages(checkout, one = '') {
  const all = join(checkout, 'node_modules');
  await cp(join(packages, one), join(all, one), {
    recursive: true, verbatimSymlinks: true,
    filter: (path) => !path.includes('/playwright-core/'),
  });
  // A session of a node that runs as root is somebody else.
  if (process.getuid() === 0) {
    const { uid, gid } = await stat(checkout);
    execFileSync('chown', ['-R', '-h', `${uid}:${gid}`, all]);
  }
}

/// A clone as a person has it: changes of files go out by `git push`.
export class Clone {
  constructor(url, dir) {
    this.dir = dir;
    execFileSync('git', ['clone', '--quiet', url, dir]);
  }

  async edit(name, change) {
    const path = join(this.dir, name);
    const before = await readFile(path, 'utf8');
    const after = change(before);
    if (after === before) {
      throw new Error(`nothing to change in ${name}`);
    }
    await writeFile(path, after);
    const git = (...args) => execFileSync('git', [
      '-C', this.dir, '-c', 'user.name=Test',
      '-c', 'user.email=test@example.com', ...args]);
    git('commit', '--quiet', '--all', '--message', 'Edit');
    git('push', '--quiet');
  }
}
