/** Calls operators with random arguments, and writes down each call before it makes it: a crash then has a name. */
import { openSync, writeSync } from 'node:fs';
import {
  type Argument,
  HeadraceError,
  op,
  operatorSchemas,
  scope,
  setMemoryLimits,
  setNumThreads,
} from 'headrace/torch';
import { argumentsFor, describeCall, parseSchema, randomFrom, type Signature } from './arguments.js';

/** Read files, wait, or stop the process on purpose. */
const LEFT_OUT = /^(fromFile|_cudaGetDeviceProperties)/;

const [, , log, first, rounds, seed, chosen] = process.argv as string[];
const file = openSync(log!, 'w');
const note = (text: string): void => void writeSync(file, text.padEnd(4000).slice(0, 4000), 0);

const signatures = operatorSchemas()
  .map(parseSchema)
  .filter((signature): signature is Signature => signature !== null && !LEFT_OUT.test(signature.name))
  .sort((a, b) => (a.name < b.name ? -1 : 1));

setNumThreads(1);
setMemoryLimits({ warnTensors: Number.POSITIVE_INFINITY });
for (let i = Number(first); i < signatures.length; i++) {
  const signature = signatures[i]!;
  if (chosen && !new RegExp(chosen).test(signature.name)) continue;
  for (let round = 0; round < Number(rounds); round++) {
    scope(() => {
      const args: Argument[] = argumentsFor(signature, randomFrom(Number(seed) + 7919 * i + 104729 * round));
      note(`${i} ${describeCall(signature.name, args)}`);
      try {
        op(signature.name)(...args);
      } catch (error) {
        if (!(error instanceof HeadraceError)) throw error;
      }
    });
  }
}
note('done');
