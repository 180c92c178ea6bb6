// Numbers that make no sense are refused before anything is loaded, read or written: by the verbs of `headrace talk`, and in code.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Command, Option } from 'commander';
import { ConfigError } from 'headrace';
import { buildProgram } from 'headrace/cli';
import {
  evaluateTalk,
  makeSyntheticSet,
  Portrait,
  Preparation,
  readIrfdConfig,
  readVoiceConfig,
  trackMotion,
} from 'headrace/talkinghead';

const never = ['', ' ', 'many', 'NaN', 'Infinity', '-1', '-1e9'];
const whole = ['0.5', '2.5', '1e-9', '1e99'];
const none = ['0'];

/** Of each option that takes a number: values that are refused, the largest and the smallest that are not. */
const table: Readonly<Record<string, readonly [refused: readonly string[], taken: readonly string[]]>> = {
  'fit --face': [whole, ['0', '3']],
  'track --fps': [
    [...none, '1000', '1e9', '0.99', '1e-9'],
    ['1', '29.97', '240'],
  ],
  'track --start': [[], ['0', '2.5']],
  'track --end': [[], ['0.04', '1e9']],
  'track --face': [whole, ['0', '3']],
  'animate --fps': [
    [...none, '9', '61', '1000', '1e9'],
    ['10', '29.97', '60'],
  ],
  'animate --size': [
    [...none, ...whole, '31', '8193', '1e9'],
    ['32', '8192'],
  ],
  'animate --face': [whole, ['0', '3']],
  'animate --pose-scale': [
    ['5.1', '1e9'],
    ['0', '0.5', '5'],
  ],
  'animate --emotion-scale': [
    ['2.1', '1e9'],
    ['0', '0.5', '2'],
  ],
  'animate --mouth-scale': [
    ['3.1', '1e9'],
    ['0', '0.5', '3'],
  ],
  'animate --seed': [whole, ['0', '1000000000']],
  'synth --seed': [whole, ['0', '1000000000']],
  'synth --count': [
    [...none, ...whole, '1e9'],
    ['1', '10000000'],
  ],
  'synth --size': [
    [...none, ...whole, '15', '2049', '1e9'],
    ['16', '2048'],
  ],
  'synth --people': [
    [...none, ...whole, '1e9'],
    ['1', '10000000'],
  ],
  'synth --frames': [
    [...none, ...whole, '1e9'],
    ['1', '1000000'],
  ],
  'synth --fps': [
    [...none, '1000', '1e9', '1e-9'],
    ['1', '29.97', '240'],
  ],
  'prepare --fps': [
    [...none, '1000', '1e9', '1e-9'],
    ['1', '29.97', '240'],
  ],
  'prepare --size': [
    [...none, ...whole, '31', '4097', '1e9'],
    ['32', '4096'],
  ],
  'prepare --margin': [
    ['2.1', '1e9'],
    ['0', '0.25', '2'],
  ],
  'prepare --min-frames': [
    [...none, ...whole, '1e9'],
    ['1', '1000000'],
  ],
  'prepare --max-frames': [
    [...none, ...whole, '1e9'],
    ['1', '1000000'],
  ],
  'prepare --min-side': [
    [...none, ...whole, '15', '1e9'],
    ['16', '16384'],
  ],
  'prepare --jobs': [
    [...none, ...whole, '257', '1e9'],
    ['1', '256'],
  ],
  'train --seed': [whole, ['0', '1000000000']],
  'train --threads': [
    [...none, ...whole, '257', '1e9'],
    ['1', '256'],
  ],
  'ablate --seeds': [
    [...none, ...whole, '101', '1e9'],
    ['1', '100'],
  ],
  'ablate --seed': [whole, ['0', '1000000000']],
  'ablate --clips': [
    [...none, ...whole, '10001', '1e9'],
    ['1', '10000'],
  ],
  'ablate --threads': [
    [...none, ...whole, '257', '1e9'],
    ['1', '256'],
  ],
  'evaluate --size': [
    [...none, ...whole, '15', '4097', '1e9'],
    ['16', '4096'],
  ],
  'evaluate --fps': [
    [...none, '1000', '1e9', '1e-9'],
    ['1', '29.97', '240'],
  ],
};

const talk = buildProgram('0.0.0').commands.find((command) => command.name() === 'talk')!;

const takesNumber = ({ flags }: Option): boolean => /<[nsx]>/.test(flags);

function optionOf(name: string): Option {
  const [verb, flag] = name.split(' ');
  return talk.commands.find((command) => command.name() === verb)!.options.find(({ long }) => long === flag)!;
}

it('every number of every verb has a place in the table', () => {
  const named = (verb: Command): string[] =>
    verb.options.filter(takesNumber).map(({ long }) => `${verb.name()} ${long}`);
  assert.deepEqual(Object.keys(table), talk.commands.flatMap(named));
});

for (const [name, [refused, taken]] of Object.entries(table)) {
  it(`${name} takes what makes sense, and says what that is of anything else`, () => {
    const option = optionOf(name);
    const parse = (text: string): number => option.parseArg!(text, undefined as never) as unknown as number;
    for (const text of [...never, ...refused]) {
      const where = `${name} '${text}'`;
      assert.throws(
        () => parse(text),
        { message: /^Expected a (whole )?number (>= \d+|from [\d.]+ to [\d.]+)\.$/ },
        where,
      );
    }
    for (const text of taken) assert.equal(parse(text), Number(text));
  });
}

it('code is refused the same numbers, before a file is looked at', async () => {
  const calls: readonly (readonly [RegExp, () => unknown])[] = [
    ...[0, -1, 1e9, 1000, Number.NaN].flatMap((fps) => [
      [/trackMotion: expected fps to be a number from 1 to 240/, () => trackMotion('none.mp4', { fps })] as const,
      [/evaluateTalk: expected fps .* from 1 to 240/, () => evaluateTalk('none.mp4', 'none.mp4', { fps })] as const,
      [/Preparation: expected fps .* from 1 to 240/, () => new Preparation(['none'], 'none', { fps })] as const,
      [
        /makeSyntheticSet: .* fps .* from 1 to 240/,
        () => makeSyntheticSet('none', { seed: 1, count: 1, fps }),
      ] as const,
    ]),
    [/trackMotion: expected 0 <= start < end.* start 2 and end 1/, () => trackMotion('none.mp4', { start: 2, end: 1 })],
    [/trackMotion: expected 0 <= start/, () => trackMotion('none.mp4', { start: Number.NaN })],
    [/size to be a whole number from 32 to 8192/, () => Portrait.load('none.jpg', { size: 1e9 })],
    [/people to be a whole number from 1 to 2/, () => makeSyntheticSet('none', { seed: 1, count: 2, people: 3 })],
    [/threads to be a whole number from 1 to 256/, () => readVoiceConfig('standard', { threads: 1e9 })],
    [/threads to be a whole number from 1 to 256/, () => readIrfdConfig('standard', { threads: 0.5 })],
  ];
  for (const [message, call] of calls) {
    await assert.rejects(
      async () => call(),
      (error: Error) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.match(error.message, message);
        return true;
      },
    );
  }
});
