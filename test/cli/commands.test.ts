import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import type { Command } from 'commander';
import { buildProgram } from 'headrace/cli';

const stored = new URL('../../../test/cli/commands.txt', import.meta.url);

/** Every command with its arguments and options, as a user may type them. */
function describe(command: Command, path: string): string[] {
  const words = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : argument.name(),
  );
  const options = command.options.map((option) => {
    const choices = option.argChoices ? ` {${option.argChoices.join('|')}}` : '';
    const value = option.defaultValueDescription ?? option.defaultValue;
    const shown = value === undefined ? '' : ` = ${value}`;
    return `  ${option.flags}${choices}${shown}`;
  });
  return [
    [path, ...words].join(' '),
    ...options,
    ...command.commands.flatMap((child) => describe(child, `${path} ${child.name()}`)),
  ];
}

it('the commands and options are those that are stored', () => {
  const lines = `${describe(buildProgram('0.0.0'), 'headrace').join('\n')}\n`;
  assert.equal(
    lines,
    readFileSync(stored, 'utf8'),
    `The command line has changed. Users and scripts rely on it: if the change is meant, store it in test/cli/commands.txt.`,
  );
});

it('the help of every verb ends with an example', () => {
  const program = buildProgram('0.0.0');
  const verbs = program.commands.flatMap((command) => (command.commands.length > 0 ? command.commands : [command]));
  for (const verb of verbs) {
    let help = '';
    verb.configureOutput({ writeOut: (text) => (help += text) });
    verb.outputHelp();
    assert.match(
      help,
      new RegExp(`Example:\\n {2}headrace .*${verb.name()} .*\\n?$|Example:\\n {2}headrace ${verb.name()}\\n?$`),
    );
  }
});
