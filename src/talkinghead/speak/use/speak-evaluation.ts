/** A trained second stage beside the portrait mode: both are driven by clips of people left out, and measured against them alike. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { type ExpressionName, expressionNames, FaceAnalyser, FaceDescriber } from '../../../media/index.js';
import { ConfigError, checkOptions, HeadraceError } from '../../../torch/index.js';
import { meanFigures } from '../../evaluate/evaluate.js';
import { type Evaluation, evaluateTalk, type VideoResult } from '../../evaluate/index.js';
import { type FaceReading, type FaceTools, readFace } from '../../evaluate/reading.js';
import { personOf } from '../../prepare/clips.js';
import { clipFile, clipFiles } from '../../prepare/records.js';
import { checkWhole } from '../../render/checks.js';
import { checkClips, type UsableClips } from '../clips/speak-clips.js';
import { factors } from '../irfd.js';
import { checkRate } from '../sync/sync-run.js';
import type { SyncScores } from '../sync/sync-scores.js';
import { loadTalking } from '../talking/talking-model.js';
import {
  type Control,
  type ControlFigures,
  ControlMeasure,
  type ControlRowName,
  type CrossedFilm,
  type Crossing,
  controlRows,
  crossings,
  type Gallery,
  meanDescriptor,
  sourcesOf,
} from './control.js';
import { FilmSync, type SpokenFilm } from './film-sync.js';
import { type Mode, ModeFilms, modes } from './modes.js';

export interface SpeakEvaluateOptions {
  /** Clips, evenly from those of the people left out; each takes some seconds. Default 8. */
  readonly clips?: number;
  /** Which ways are measured. Default both. */
  readonly modes?: readonly Mode[];
  /** A run of `headrace talk train syncnet`, or its model: LSE-C and LSE-D are measured by it. */
  readonly sync?: string;
  readonly onProgress?: (what: 'making' | 'measuring' | 'reading', done: number, all: number) => void;
  /** Told of clips that a mode could not make, and why. */
  readonly note?: (remark: string) => void;
  readonly shouldStop?: () => boolean;
}

/** A film that could not be made, or in which no face was found then. */
export interface Refusal {
  readonly mode: Mode;
  readonly row: ControlRowName;
  readonly clip: string;
  readonly why: string;
}

export interface SpeakEvaluation {
  readonly clips: number;
  readonly refused: readonly Refusal[];
  /**
   * Driven by one clip alone: the figures of each mode over the clips that all of them could make and in which a face is found;
   * where there is none, of each its own. Null of a mode that could make none, or was not asked for.
   */
  readonly self: Readonly<Record<Mode, Evaluation | null>>;
  /** With one source in turn of another person's clip. Null as above, or where one person alone is left out. */
  readonly control: Readonly<Record<Mode, Control | null>>;
  /** What the measures of control see in the clips themselves. */
  readonly truth: ControlFigures;
  /** How well mouths go with the sound in films of one clip alone, and in the clips themselves; null without a SyncNet. */
  readonly sync: Readonly<Record<Mode | 'truth', SyncScores | null>> | null;
  /** People left out, among whom faces are told. */
  readonly people: number;
}

/**
 * Self-driven, as published: of each clip the first frame is the portrait, its sound is said, and head and emotion follow its video;
 * and then with identity, emotion and pose in turn of another clip.
 * @param run - a run of `headrace talk train speak`, or its model @param data - the clips that it was trained on
 * @returns null where it was asked to stop
 * @throws ConfigError, DataError
 */
export async function evaluateSpeak(
  run: string,
  data: string,
  options: SpeakEvaluateOptions = {},
): Promise<SpeakEvaluation | null> {
  checkOptions('evaluateSpeak', options, ['clips', 'modes', 'sync', 'onProgress', 'note', 'shouldStop']);
  const { clips = 8, modes: asked = modes } = options;
  checkWhole('evaluateSpeak', 'clips', clips, 1, 10_000);
  const unknown = asked.filter((mode) => !modes.includes(mode));
  if (asked.length === 0 || unknown.length > 0)
    throw new ConfigError(`Expected modes among ${modes.join(', ')}, got ${unknown.join(', ') || 'none'}`);
  const { config, fps } = loadTalking(run);
  if (config.testPeople === 0)
    throw new ConfigError('Expected a model that left people out (testPeople), got one that was trained on all');
  const found = checkClips(data, { testPeople: config.testPeople, leastFrames: config.frames });
  checkRate(fps, found.prepared.settings.fps, data);
  const sync = options.sync === undefined ? null : FilmSync.open(options.sync, found.prepared);
  const folder = mkdtempSync(join(tmpdir(), 'headrace-evaluate-'));
  try {
    return await new ModesEvaluation(run, data, found, folder, sync, options).all(clips, asked);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Nothing more is wanted. */
class Stopped extends Error {}

type Progress = Parameters<NonNullable<SpeakEvaluateOptions['onProgress']>>;

class ModesEvaluation {
  readonly #refused: Refusal[] = [];
  /** What was read of films so far, by their paths: those of one clip alone are needed twice. */
  readonly #seen = new Map<string, FaceReading>();
  /** Clips of the people left out. */
  readonly #heldOut: readonly number[];
  readonly #fps: number;

  constructor(
    private readonly run: string,
    private readonly data: string,
    private readonly found: UsableClips,
    private readonly folder: string,
    private readonly filmSync: FilmSync | null,
    private readonly options: SpeakEvaluateOptions,
  ) {
    const { prepared, usable, testPeople } = found;
    this.#heldOut = usable.filter((i) => testPeople.has(personOf(prepared.clips[i]!)));
    this.#fps = prepared.settings.fps;
  }

  async all(count: number, asked: readonly Mode[]): Promise<SpeakEvaluation | null> {
    const chosen = evenly(this.#heldOut, count);
    const crossed = crossings(this.found, chosen, this.#heldOut);
    try {
      await this.#makeAll(chosen, crossed, asked);
      const self = await this.#self(asked);
      const tools = { analyser: await FaceAnalyser.load(), describer: await FaceDescriber.load() };
      const faces = this.#galleryClips();
      const needed = new Set([...chosen, ...crossed.map(({ other }) => other), ...faces.values()]);
      const readings = await this.#readings([...needed], tools);
      const gallery = galleryOf(faces, readings);
      const measure = new ControlMeasure(this.found, readings, gallery);
      const control: Record<Mode, Control | null> = { speak: null, portrait: null };
      for (const mode of asked) control[mode] = await this.#control(mode, crossed, measure, tools);
      const truth = measure.truth(chosen);
      const sync = await this.#sync(asked, chosen, readings, tools);
      return { clips: chosen.length, refused: this.#refused, self, control, truth, sync, people: gallery.people.size };
    } catch (error) {
      if (error instanceof Stopped) return null;
      throw error;
    }
  }

  /** How far it is. @throws Stopped */
  #tell(...progress: Progress): void {
    this.options.onProgress?.(...progress);
    if (this.options.shouldStop?.()) throw new Stopped();
  }

  /** The same, where nothing else would let signals be heard. */
  async #told(...progress: Progress): Promise<void> {
    await new Promise(setImmediate);
    this.#tell(...progress);
  }

  async #makeAll(chosen: readonly number[], crossed: readonly Crossing[], asked: readonly Mode[]): Promise<void> {
    const own = chosen.map((index) => ({ own: index, other: index }));
    const rows = controlRows.flatMap((row) => (row === 'none' ? own : crossed).map((crossing) => ({ row, crossing })));
    using films = new ModeFilms(this.run, this.found.prepared);
    let done = 0;
    for (const mode of asked) {
      for (const row of controlRows) mkdirSync(join(this.folder, mode, row), { recursive: true });
      for (const { row, crossing } of rows) {
        await this.#told('making', done++, asked.length * rows.length);
        try {
          await films.make(mode, sourcesOf(crossing, row), this.#film(mode, row, crossing));
        } catch (error) {
          this.#refuse(mode, row, this.#id(crossing.own), error);
        }
      }
    }
    await this.#told('making', done, done);
  }

  #id(index: number): string {
    return this.found.prepared.clips[index]!.id;
  }

  #film(mode: Mode, row: ControlRowName, { own }: Crossing): string {
    return join(this.folder, mode, row, `${this.#id(own)}.mp4`);
  }

  /** What a mode cannot do is told, and the rest goes on. @throws what is no fault of the clip */
  #refuse(mode: Mode, row: ControlRowName, clip: string, error: unknown): void {
    if (!(error instanceof HeadraceError)) throw error;
    this.#refused.push({ mode, row, clip, why: error.message });
    const what = row === 'none' ? '' : `, ${row} of another clip`;
    this.options.note?.(`${clip}, ${mode}${what}: ${error.message}`);
  }

  #isRefused(mode: Mode, row: ControlRowName, crossing: Crossing): boolean {
    const clip = this.#id(crossing.own);
    return this.#refused.some((each) => each.mode === mode && each.row === row && each.clip === clip);
  }

  /** Beside each other stand the figures of the clips that all could make, where there is any. */
  async #self(asked: readonly Mode[]): Promise<SpeakEvaluation['self']> {
    const all: Record<Mode, readonly VideoResult[]> = { speak: [], portrait: [] };
    for (const mode of asked) all[mode] = await this.#measured(mode);
    const names = asked.map((mode) => new Set(all[mode].map(({ reference }) => reference)));
    const both = [...names[0]!].filter((name) => names.every((some) => some.has(name)));
    const shared = (videos: readonly VideoResult[]): Evaluation | null => {
      const some = both.length > 0 ? videos.filter(({ reference }) => both.includes(reference)) : videos;
      return some.length === 0 ? null : { videos: some, mean: meanFigures(some) };
    };
    return { speak: shared(all.speak), portrait: shared(all.portrait) };
  }

  async #measured(mode: Mode): Promise<readonly VideoResult[]> {
    if (readdirSync(join(this.folder, mode, 'none')).length === 0) return [];
    const { videos } = await evaluateTalk(join(this.folder, mode, 'none'), join(this.data, clipFiles.folder), {
      emotion: (reference) => this.#emotion(reference),
      onVideo: (_, done, all) => this.#tell('measuring', done, all),
      onFailure: ({ generated }, error) => this.#refuse(mode, 'none', idOf(generated), error),
    });
    return videos;
  }

  #emotion(reference: string): ExpressionName | null {
    const told = this.found.prepared.clips.find((clip) => clip.id === idOf(reference))?.emotion;
    return expressionNames.find((name) => name === told) ?? null;
  }

  /** A clip of each person left out: the last, so that portraits seldom come of it. */
  #galleryClips(): Map<string, number> {
    return new Map(this.#heldOut.map((index) => [personOf(this.found.prepared.clips[index]!), index]));
  }

  /** What is seen in the clips themselves, but for those in which no face is found. */
  async #readings(indices: readonly number[], tools: FaceTools): Promise<Map<number, FaceReading>> {
    const readings = new Map<number, FaceReading>();
    for (const [i, index] of indices.entries()) {
      await this.#told('reading', i, indices.length);
      const path = clipFile(this.found.prepared.folder, this.#id(index), 'mp4');
      try {
        readings.set(index, await readFace(path, this.#fps, tools));
      } catch (error) {
        if (!(error instanceof HeadraceError)) throw error;
        this.options.note?.(`${error.message}: nothing is held against it`);
      }
    }
    return readings;
  }

  async #read(film: string, tools: FaceTools): Promise<FaceReading> {
    const face = this.#seen.get(film) ?? (await readFace(film, this.#fps, tools));
    this.#seen.set(film, face);
    return face;
  }

  async #control(
    mode: Mode,
    crossed: readonly Crossing[],
    measure: ControlMeasure,
    tools: FaceTools,
  ): Promise<Control | null> {
    const rows: (readonly [ControlRowName, ReturnType<ControlMeasure['row']>])[] = [];
    for (const [i, row] of controlRows.entries()) {
      const films: CrossedFilm[] = [];
      for (const [k, crossing] of crossed.entries()) {
        await this.#told('measuring', i * crossed.length + k, controlRows.length * crossed.length);
        if (this.#isRefused(mode, row, crossing)) continue;
        try {
          films.push({ crossing, face: await this.#read(this.#film(mode, row, crossing), tools) });
        } catch (error) {
          this.#refuse(mode, row, this.#id(crossing.own), error);
        }
      }
      rows.push([row, measure.row(row, films)]);
    }
    const control = Object.fromEntries(rows) as Control;
    return [...factors, 'none' as const].every((row) => control[row] === null) ? null : control;
  }

  async #sync(
    asked: readonly Mode[],
    chosen: readonly number[],
    readings: ReadonlyMap<number, FaceReading>,
    tools: FaceTools,
  ): Promise<SpeakEvaluation['sync']> {
    if (this.filmSync === null) return null;
    const clips = chosen.flatMap((clip) => (readings.has(clip) ? [{ clip, face: readings.get(clip)! }] : []));
    const scores: Record<Mode | 'truth', SyncScores | null> = { speak: null, portrait: null, truth: null };
    scores.truth = await this.filmSync.scores(clips);
    for (const [i, mode] of asked.entries()) {
      const films: SpokenFilm[] = [];
      for (const [k, clip] of chosen.entries()) {
        await this.#told('measuring', i * chosen.length + k, asked.length * chosen.length);
        const own = { own: clip, other: clip };
        if (this.#isRefused(mode, 'none', own)) continue;
        films.push({ clip, face: await this.#read(this.#film(mode, 'none', own), tools) });
      }
      scores[mode] = await this.filmSync.scores(films);
    }
    return scores;
  }
}

function galleryOf(clips: ReadonlyMap<string, number>, readings: ReadonlyMap<number, FaceReading>): Gallery {
  const people = [...clips].flatMap(([person, index]) => {
    const face = readings.get(index);
    const own = face ? meanDescriptor(face) : null;
    return own === null ? [] : [[person, own] as const];
  });
  return { people: new Map(people), clips: new Set(clips.values()) };
}

function evenly<T>(all: readonly T[], count: number): T[] {
  const few = Math.min(all.length, count);
  return Array.from({ length: few }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / few)]!);
}

const idOf = (path: string): string => basename(path, extname(path));
