/** A plan in words: a table to read, what it predicts, and what would change it. */
import { formatColumns } from '../report/columns.js';
import { type Plan, secondsOf } from './plan.js';
import { isLocal, needsGradients } from './schedule.js';

/** A plan as a table to read, with what it predicts and what would change it. */
export function formatPlan(p: Plan): string {
  const { profile } = p;
  const rows = p.stages.map((stage, s) => [
    stage.replicas === 1 ? String(s) : `${s} x ${stage.replicas}`,
    stage.layers.length === 1
      ? String(stage.layers[0])
      : `${stage.layers[0]} .. ${stage.layers[stage.layers.length - 1]}`,
    milliseconds(stage.forward),
    milliseconds(stage.backward),
    milliseconds(stage.head ? secondsOf(stage.head) : 0),
    milliseconds(stage.update + stage.other + stage.reduce),
    milliseconds(stage.total),
    percent(p.idle[s]!),
    String(stage.parameters + (stage.head?.parameters ?? 0)),
    megabytes(stage.bytes),
  ]);
  const header = ['stage', 'layers', 'forward', 'backward', 'head', 'other', 'total ms', 'idle', 'parameters', 'MiB'];
  const heads = isLocal(p.schedule) ? `, ${profile.headKind} heads` : '';
  const parts = p.microbatches > 1 ? `, ${p.microbatches} microbatches` : '';
  return [
    `${profile.model}, batches of ${profile.batchSize} on ${profile.device}, ${profile.threads} thread(s) a stage: ` +
      `${p.schedule}, ${p.stages.length} stage(s)${parts}${heads}`,
    formatColumns([header, ...rows], [1]),
    `cut after layers: ${p.cut.length > 0 ? p.cut.join(', ') : 'none'}`,
    `predicted: ${p.samplesPerSecond.toFixed(1)} samples/s, ${milliseconds(p.period)} ms a batch, ` +
      `${p.speedUp.toFixed(2)} times one worker; workers idle ${percent(mean(p.idle))} of the time`,
    advice(p),
    ...(p.atOnce < p.workers ? [coresNote(p)] : []),
  ].join('\n');
}

function coresNote({ workers, cores, atOnce, profile, speedUp, fullSpeedUp }: Plan): string {
  const threads = profile.threads > 1 ? `${profile.threads} threads each` : 'one thread each';
  return (
    `counted for the ${cores} cores of this machine, on which ${atOnce} of the ${workers} workers (${threads}) can work at ` +
    `once: ${speedUp.toFixed(2)} times one worker; on ${workers * profile.threads} cores it would be ${fullSpeedUp.toFixed(2)}.`
  );
}

/** What holds the plan back, and what to try. */
function advice(p: Plan): string {
  if (p.stages.length === 1) return 'one stage: nothing to balance.';
  if (p.period > p.simulation.period)
    return `limit: ${p.cores} cores; more stages than they can work on bring no more speed.`;
  const totals = p.stages.map((stage) => stage.total);
  const slowest = totals.indexOf(Math.max(...totals));
  const over = totals[slowest]! / mean(totals) - 1;
  const stage = p.stages[slowest]!;
  const name = `stage ${slowest}, ${percent(over)} above the mean`;
  const heads = mean(p.stages.map(({ head }) => (head ? secondsOf(head) : 0))) / mean(totals);
  if (needsGradients(p.schedule) && mean(p.idle) > over + 0.05) {
    return `limit: the bubble (${percent(mean(p.idle))} idle); more microbatches make it smaller.`;
  }
  if (heads > 0.2) return `limit: heads take ${percent(heads)} of the work; lighter heads would speed up every stage.`;
  if (over < 0.03) return `balanced: the slowest is ${name}.`;
  if (stage.layers.length === 1) return `limit: ${name}; it is the one layer ${stage.layers[0]}: try fewer stages.`;
  return `limit: ${name}; no other cut is better: layers are coarse for ${p.stages.length} stages.`;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(2);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
