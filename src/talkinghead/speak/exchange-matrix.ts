/** What exchanges come to, of people whom neither model nor judge has seen, against exact pictures. */
import { expressionNames } from '../../media/index.js';
import { ConfigError, checkOptions, noGrad, ops, scope, type Tensor } from '../../torch/index.js';
import { Chance } from '../training/chance.js';
import { drawExchanges, type ExactExchange, planExchanges } from './exchanges.js';
import { asSeen, type FaceHooks, type Faces, loadFaces, picturesOf, rowsOf } from './faces.js';
import { type Codes, exchanged, type Factor, factors, type Irfd } from './irfd.js';
import { loadIrfd } from './irfd-run.js';
import { type FaceJudge, judged, judgeOf, judgeSteps, posesOf, type Verdict } from './judge.js';
import { accuracy, chanceOf, explained, fitProbe, oneHot } from './probes.js';

/** Rows of the matrix: what the model made; the exact picture; and the picture as it was, as if nothing had been exchanged. */
export const matrixRows = ['made', 'exact', 'unchanged'] as const;

export interface ExchangeFigures {
  /** Mean distance from the exact picture, of 255. */
  readonly pixels: number;
  /** Median of the angle between the head's pose and the one meant, degrees, as the judge sees it. */
  readonly pose: number;
  /** Shares of pictures in which the judge sees the emotion, and the person of all the test's, that were meant. */
  readonly emotion: number;
  readonly identity: number;
}

export interface Leakage {
  /** Shares right by a linear map of the code, and by guessing. */
  readonly identity: number;
  readonly emotion: number;
  /** Share of the poses' variance that a linear map of the code tells. */
  readonly pose: number;
}

export interface IrfdEvaluation {
  readonly people: number;
  /** Exchanges of each factor. */
  readonly exchanges: Readonly<Record<Factor, number>>;
  /** `none`: out of the picture's own codes. */
  readonly matrix: Readonly<Record<Factor | 'none', Readonly<Record<(typeof matrixRows)[number], ExchangeFigures>>>>;
  /** What each code tells. The code of a factor should tell that factor alone. */
  readonly codes: Readonly<Record<Factor, Leakage>>;
  readonly chance: { readonly identity: number; readonly emotion: number };
}

export interface IrfdEvaluateOptions {
  /** Exchanges of each clip of the people left out. Default 2. */
  readonly each?: number;
  /** Steps of the judge's training, where the set has none yet. Default 3000. */
  readonly judgeSteps?: number;
  readonly onProgress?: (what: 'reading' | 'training a judge' | 'drawing exchanges', done: number, all: number) => void;
  readonly shouldStop?: () => boolean;
}

const batch = 64;

/**
 * Measures a model on the people whom its training left out.
 * @param path - a model that `headrace talk train irfd` has made, or its run's folder
 * @param data - the set that it was trained on
 * @returns null where it was asked to stop
 * @throws ConfigError, DataError
 */
export async function evaluateIrfd(
  path: string,
  data: string,
  options: IrfdEvaluateOptions = {},
): Promise<IrfdEvaluation | null> {
  checkOptions('evaluateIrfd', options, ['each', 'judgeSteps', 'onProgress', 'shouldStop']);
  const { each = 2, judgeSteps: steps = judgeSteps, onProgress, shouldStop } = options;
  const { model, config } = loadIrfd(path);
  if (config.testPeople < 2)
    throw new ConfigError(`Expected a model that left two people or more out (testPeople), got ${config.testPeople}`);
  const hooks = (what: Parameters<NonNullable<typeof onProgress>>[0]): FaceHooks => ({
    onProgress: (done, all) => onProgress?.(what, done, all),
    shouldStop,
  });
  const faces = await loadFaces(data, config.size, config.testPeople, hooks('reading'));
  const judge = faces && (await judgeOf(faces, steps, hooks('training a judge')));
  if (faces === null || judge === null) return null;
  const list = planExchanges(faces.test, each, new Chance(99));
  const drawn = await drawExchanges(faces, list, hooks('drawing exchanges'));
  if (drawn === null) return null;
  const matrix = new Matrix(model, judge, faces, list, drawn.pictures);
  const of = (name: Factor): number[] => [...list.keys()].filter((i) => list[i]!.factor === name);
  const rows = factors.map((name) => [name, matrix.figures(of(name), name)] as const);
  return {
    people: config.testPeople,
    exchanges: { identity: of('identity').length, emotion: of('emotion').length, pose: of('pose').length },
    matrix: {
      none: matrix.figures([...list.keys()], null),
      ...(Object.fromEntries(rows) as Record<Factor, ReturnType<Matrix['figures']>>),
    },
    ...leakages(model, faces),
  };
}

class Matrix {
  /** Where each person of the test lies in the judge's space: the mean of their true pictures. */
  readonly #centres: Tensor;
  readonly #people: readonly number[];

  constructor(
    private readonly model: Irfd,
    private readonly judge: FaceJudge,
    private readonly faces: Faces,
    private readonly list: readonly ExactExchange[],
    private readonly drawn: Tensor,
  ) {
    const frames = faces.test.flat();
    const person = frames.map((frame) => faces.labels[frame]!.person);
    this.#people = [...new Set(person)];
    this.#centres = scope(() => {
      const { identity } = judged(
        judge,
        batchesOf(frames).map((some) => picturesOf(faces, some)),
      );
      const rows = this.#people.map((who) => {
        const own = rowsOf([...person.keys()].filter((i) => person[i] === who));
        return ops.indexSelect(identity, 0, own).mean(0);
      });
      return ops.stack(rows).keep();
    });
  }

  /** @param numbers - of exchanges @param factor - null to measure pictures out of their own codes */
  figures(numbers: readonly number[], factor: Factor | null): Record<(typeof matrixRows)[number], ExchangeFigures> {
    return noGrad(() =>
      scope(() => {
        const pairs = numbers.map((number) => this.list[number]!);
        // Where identities are exchanged, what is drawn is the person of `a` in the place of the one of `b`.
        const own = pairs.map(({ a, b }) => (factor === 'identity' ? b : a));
        const other = pairs.map(({ a, b }) => (factor === 'identity' ? a : b));
        const source = (name: Factor): number[] => (factor === name ? other : own);
        const meant = { identity: source('identity'), emotion: source('emotion'), pose: source('pose') };
        const unchanged = batchesOf(own).map((frames) => picturesOf(this.faces, frames));
        const others = batchesOf(other).map((frames) => picturesOf(this.faces, frames));
        const exact =
          factor === null
            ? unchanged
            : batchesOf(numbers).map((some) => asSeen(ops.indexSelect(this.drawn, 0, rowsOf(some))));
        const made = unchanged.map((pictures, i) => {
          const codes = this.model.encode(pictures);
          return this.model.decode(factor === null ? codes : exchanged(codes, this.model.encode(others[i]!), factor));
        });
        const row = (pictures: readonly Tensor[]): ExchangeFigures => this.#measure(pictures, exact, meant);
        return { made: row(made), exact: row(exact), unchanged: row(unchanged) };
      }),
    );
  }

  #measure(
    pictures: readonly Tensor[],
    exact: readonly Tensor[],
    meant: Readonly<Record<Factor, readonly number[]>>,
  ): ExchangeFigures {
    const { labels } = this.faces;
    const seen: Verdict = judged(this.judge, pictures);
    const errors = pictures.map((some, i) => some.clamp(-1, 1).sub(exact[i]!).abs().mean([1, 2, 3]));
    const turned = seen.pose.sub(posesOf(this.faces, meant.pose)).square().sum(1).sqrt();
    const who = meant.identity.map((frame) => this.#people.indexOf(labels[frame]!.person));
    const how = meant.emotion.map((frame) => expressionNames.indexOf(labels[frame]!.emotion));
    return {
      pixels: ops.cat(errors, 0).mean().item() * 127.5,
      pose: turned.median().item(),
      emotion: accuracy(seen.emotion, how),
      identity: accuracy(seen.identity.matmul(this.#centres.t()), who),
    };
  }
}

function batchesOf(rows: readonly number[]): number[][] {
  return Array.from({ length: Math.ceil(rows.length / batch) }, (_, i) => rows.slice(i * batch, (i + 1) * batch));
}

/** Frames of the people to learn from by which probes of emotion and pose are fitted. */
const probed = 1500;

/**
 * What a linear map tells of each factor by each code. Emotion and pose: fitted on people to learn from, tested on others. Who it
 * is: of the test's people, fitted on every other clip of them and tested on the rest, which show them elsewhere.
 */
function leakages(model: Irfd, faces: Faces): Pick<IrfdEvaluation, 'codes' | 'chance'> {
  return scope(() => {
    const chance = new Chance(3);
    const known = Array.from({ length: probed }, () => chance.pick(chance.pick(faces.train)));
    const frames = faces.test.flat();
    const [first, second] = everyOther(faces);
    const [fit, test, one, two] = [known, frames, first, second].map((some) => codesOf(model, faces, some)) as [
      Codes,
      Codes,
      Codes,
      Codes,
    ];
    const people = [...new Set(frames.map((frame) => faces.labels[frame]!.person))];
    const who = (some: readonly number[]): number[] => some.map((frame) => people.indexOf(faces.labels[frame]!.person));
    const how = (some: readonly number[]): number[] =>
      some.map((frame) => expressionNames.indexOf(faces.labels[frame]!.emotion));
    const leakage = (name: Factor): Leakage => ({
      identity: accuracy(fitProbe(one[name], oneHot(who(first), people.length)).predict(two[name]), who(second)),
      emotion: accuracy(
        fitProbe(fit[name], oneHot(how(known), expressionNames.length)).predict(test[name]),
        how(frames),
      ),
      pose: explained(fitProbe(fit[name], posesOf(faces, known)).predict(test[name]), posesOf(faces, frames)),
    });
    return {
      codes: { identity: leakage('identity'), emotion: leakage('emotion'), pose: leakage('pose') },
      chance: { identity: chanceOf(who(second)), emotion: chanceOf(how(frames)) },
    };
  });
}

/** Frames of the first, third, ... clip of each person of the test, and of the others. */
function everyOther({ test, labels }: Faces): [number[], number[]] {
  const seen = new Map<number, number>();
  const halves: [number[], number[]] = [[], []];
  for (const clip of test) {
    const { person } = labels[clip[0]!]!;
    const count = seen.get(person) ?? 0;
    seen.set(person, count + 1);
    halves[(count % 2) as 0 | 1].push(...clip);
  }
  return halves;
}

function codesOf(model: Irfd, faces: Faces, frames: readonly number[]): Codes {
  return noGrad(() => {
    const all = batchesOf(frames).map((some) => model.encode(picturesOf(faces, some)));
    const whole = (name: Factor): Tensor =>
      ops.cat(
        all.map((codes) => codes[name]),
        0,
      );
    return { identity: whole('identity'), emotion: whole('emotion'), pose: whole('pose') };
  });
}
