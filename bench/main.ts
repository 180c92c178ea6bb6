/**
 * npm run bench                      all parts, one session, to bench/results/
 * npm run bench step calls           some of them
 * npm run bench -- --rounds 5        more rounds (default 3); medians count
 * npm run bench -- --model resnet32  step, pipeline and replicas of one model only (or vit-tiny-p4)
 * npm run bench -- --quick           one short round, to bench/scratch/: does it work?
 * npm run bench -- --no-wait         at once, however busy the machine is: such figures say that it works, and little more
 * npm run bench accuracy -- --help   trains to the end and compares accuracies: hours
 */
import { parseArgs } from 'node:util';
import { branchesPart } from './branches.js';
import { callsPart } from './calls.js';
import { controlPart } from './control.js';
import { faultsPart } from './faults.js';
import { describeHost, hostLine } from './host.js';
import { lstmPart } from './lstm.js';
import { memoryPart } from './memory.js';
import { modelNames } from './models.js';
import { pipelinePart } from './pipeline.js';
import { say } from './progress.js';
import { Quiet, type Turn } from './quiet.js';
import { ranksPart } from './ranks.js';
import { readerPart } from './reader.js';
import { recoveryPart } from './recovery.js';
import { replicasPart } from './replicas.js';
import { type Part, type PartOptions, type PartResult, textTable, verdict } from './results.js';
import { scopesPart } from './scopes.js';
import { selfDrivenPart } from './self-driven.js';
import { sentimentPart } from './sentiment.js';
import { speakPart } from './speak.js';
import { stepPart } from './step.js';
import { talkPart } from './talk.js';
import { voicePart } from './voice.js';
import { writeResults } from './write.js';

const parts: Readonly<Record<string, (options: PartOptions) => Promise<PartResult>>> = {
  step: stepPart,
  pipeline: pipelinePart,
  replicas: replicasPart,
  calls: callsPart,
  lstm: lstmPart,
  memory: memoryPart,
  ranks: ranksPart,
  scopes: scopesPart,
  sentiment: sentimentPart,
  reader: readerPart,
  branches: branchesPart,
  talk: talkPart,
  control: controlPart,
  'self-driven': selfDrivenPart,
  voice: voicePart,
  speak: speakPart,
  faults: faultsPart,
  recovery: recoveryPart,
};

async function bench(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      'no-wait': { type: 'boolean', default: false },
      rounds: { type: 'string' },
      model: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`Expected --rounds to be at least 1, got ${rounds}`);
  const models = values.model === undefined ? modelNames : modelNames.filter((name) => name === values.model);
  if (models.length === 0)
    throw new Error(`Expected --model to be one of ${modelNames.join(', ')}, got ${values.model}`);
  const names = positionals.length > 0 ? positionals : Object.keys(parts);
  const unknown = names.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length > 0) {
    throw new Error(`Expected parts among ${Object.keys(parts).join(', ')}, accuracy; got ${unknown.join(', ')}`);
  }
  const written = { quick: values.quick, only: values.model };
  const host = describeHost();
  say(hostLine(host));
  const quiet = values.quick || values['no-wait'] ? null : await Quiet.start();
  const turn: Turn = quiet?.turn ?? ((run) => run());
  const found: Record<string, Part> = {};
  try {
    for (const name of names) {
      const start = performance.now();
      const result = await parts[name]!({ rounds, quick: values.quick, models, turn });
      const seconds = Math.round((performance.now() - start) / 1000);
      const hurried = values['no-wait'] ? ['It was not waited for a quiet machine.'] : [];
      const notes = [...result.notes, ...(quiet?.notes() ?? hurried)];
      const part = { ...result, notes, time: new Date().toISOString(), seconds };
      found[name] = part;
      const remarks = part.notes.map((note) => `${note}\n`).join('');
      process.stdout.write(`\n${part.title}\n${textTable(part.rows)}\n${remarks}`);
      // Part by part, so that a session that is broken off keeps what it has.
      writeResults(host, found, written);
    }
  } finally {
    quiet?.close(); // its processes would keep a failed bench from ending
  }
  const all = Object.values(found).flatMap(({ rows }) => rows);
  if (all.some(({ target }) => target)) process.stdout.write(`\n${verdict(all)}\n`);
  say(`written to ${writeResults(host, found, written)}`);
}

const args = process.argv.slice(2);
try {
  if (args[0] === 'accuracy') await (await import('./accuracy.js')).accuracy(args.slice(1));
  else await bench(args);
} catch (error) {
  say(`bench: ${process.env.HEADRACE_DEBUG === '1' ? (error as Error).stack : (error as Error).message}`);
  process.exitCode = 1;
}
