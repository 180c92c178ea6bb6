// Every code block of the documents is what it says: programs compile under strict and run, command lines are understood.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Command } from 'commander';
import { buildProgram } from 'headrace/cli';
import { makeFixtures } from './fixtures.js';
import { commandsOf, compilePrograms, type Program, programsOf, runAsThread } from './programs.js';
import { filesBelow, root } from './repository.js';

const documents = filesBelow('docs', ['.md']);
const programs = documents.flatMap(programsOf);
const fileOf = ({ where }: Program): string => `${where.replace(/^docs\//, '').replace(/\.md:/, '-')}`;

describe('the programs in docs/', () => {
  const folder = path.join(root, 'build', 'documents');

  before(async () => {
    await compilePrograms(
      folder,
      Object.fromEntries(programs.map((program) => [`${fileOf(program)}.ts`, program.text])),
    );
    await makeFixtures(folder);
    process.chdir(folder); // what the programs name lies there
  });
  after(() => process.chdir(root));

  for (const program of programs) {
    it(`${program.where} runs, and its ${program.promises} promises hold`, async () => {
      await runAsThread(path.join(folder, 'out', `${fileOf(program)}.js`));
    });
  }
});

/** Makes every verb do nothing, so that parsing is all that happens. */
function silenced(command: Command): Command {
  command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  if (command.commands.length === 0) command.action(() => {});
  for (const child of command.commands) silenced(child);
  return command;
}

describe('the command lines in the documents', () => {
  const lines = ['README.md', ...documents, ...filesBelow('models', ['.md'])].flatMap(commandsOf);

  it('are many', () => {
    assert.ok(lines.length > 30, `${lines.length}`);
  });

  for (const { where, words } of lines) {
    it(`${where}: headrace ${words.join(' ')}`, async () => {
      await silenced(buildProgram('0.0.0')).parseAsync(words, { from: 'user' });
    });
  }
});
