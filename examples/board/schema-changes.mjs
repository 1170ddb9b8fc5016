// Lists breaking and dangerous changes of the schema. Usage: `npm run check:schema -- [OLD.graphql]`. Exits with code 1 if
// a change breaks callers.
//
// Without a file, the schema is compared with the last release: the newest tag `v…` among the ancestors of this commit.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { buildSchema, findBreakingChanges, findDangerousChanges } from 'graphql';

const SCHEMA = 'api/schema.graphql';
const root = new URL('../../', import.meta.url);

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** Returns the origin and the text of the older schema; `undefined` before the first release. */
function older(file) {
  // npm runs scripts in the package's folder, but the path is relative to the caller's directory.
  if (file) return [file, readFileSync(resolve(process.env.INIT_CWD ?? '.', file), 'utf8')];
  const [tag] = git('-c', 'versionsort.suffix=-', 'tag', '--list', 'v*', '--merged', 'HEAD', '--sort=-version:refname').split('\n');
  return tag ? [tag, git('show', `${tag}:${SCHEMA}`)] : undefined;
}

function print(title, changes) {
  console.log(`${title}: ${changes.length}`);
  for (const { type, description } of changes) console.log(`  ${type}: ${description}`);
}

const release = older(process.argv[2]);
if (!release) {
  console.log('no release yet');
  process.exit();
}

const [name, text] = release;
const [before, after] = [text, readFileSync(new URL(SCHEMA, root), 'utf8')].map((sdl) => buildSchema(sdl));
const breaking = findBreakingChanges(before, after);

console.log(`${SCHEMA} since ${name}`);
print('breaking', breaking);
print('dangerous', findDangerousChanges(before, after));
process.exitCode = breaking.length > 0 ? 1 : 0;
