/** What a mode does when one of its sources is another person's clip: whether that changes what it should, and that alone. */
import { descriptorDistance, expressionNames, type HeadPose } from '../../../media/index.js';
import { median } from '../../../report/index.js';
import { mean, strongest } from '../../evaluate/metrics.js';
import type { FaceReading } from '../../evaluate/reading.js';
import { toAndFro } from '../../motion/source.js';
import { personOf } from '../../prepare/clips.js';
import type { UsableClips } from '../clips/speak-clips.js';
import { type Factor, factors } from '../irfd.js';
import type { Sources } from './modes.js';

/** Films by what comes of the other clip; of `none` all is of one clip. */
export const controlRows = ['none', ...factors] as const;
export type ControlRowName = (typeof controlRows)[number];

/** Null where there is nothing to tell it by. */
export interface ControlFigures {
  /** Median over all frames of the angle to the clip's head, all three together, degrees. */
  readonly pose: number | null;
  /** Share of frames that show the clip's emotion most, of clips whose emotion is told. */
  readonly emotion: number | null;
  /** Share of films whose face is nearer to that of the clip's person than to all others left out. */
  readonly identity: number | null;
}

export interface ControlRow {
  readonly films: number;
  /** Against the clips that they were made by, each factor its own. */
  readonly meant: ControlFigures;
  /** Against the other clip of the two: what of it shows where it should not, or what is left of what was replaced. */
  readonly other: ControlFigures;
}

export type Control = Readonly<Record<ControlRowName, ControlRow | null>>;

/** A clip, and another person's that drives what it does not. */
export interface Crossing {
  readonly own: number;
  readonly other: number;
}

/** For each clip the next one of another person, of another emotion if there is one; clips without any are left out. */
export function crossings({ prepared }: UsableClips, chosen: readonly number[], from: readonly number[]): Crossing[] {
  return chosen.flatMap((own) => {
    const start = from.indexOf(own);
    const others = from.map((_, i) => from[(start + i) % from.length]!).filter((i) => who(i) !== who(own));
    const other = others.find((i) => mood(i) !== mood(own)) ?? others[0];
    return other === undefined ? [] : [{ own, other }];
  });

  function who(i: number): string {
    return personOf(prepared.clips[i]!);
  }
  function mood(i: number): string | null {
    return prepared.clips[i]!.emotion;
  }
}

/** What a film of a row is made of. The words are always the clip's own. */
export function sourcesOf({ own, other }: Crossing, row: ControlRowName): Sources {
  const of = (factor: Factor): number => (factor === row ? other : own);
  return { identity: of('identity'), emotion: of('emotion'), pose: of('pose'), sound: own };
}

/** A film of a crossing, as it was read. */
export interface CrossedFilm {
  readonly crossing: Crossing;
  readonly face: FaceReading;
}

/** Faces of the people left out, by a clip of each. */
export interface Gallery {
  /** Of each person the mean descriptor. */
  readonly people: ReadonlyMap<string, Float32Array>;
  /** The clips that it is of. */
  readonly clips: ReadonlySet<number>;
}

export class ControlMeasure {
  /** @param readings - of true clips, by their numbers; of one that is not there nothing is told */
  constructor(
    private readonly clips: UsableClips,
    private readonly readings: ReadonlyMap<number, FaceReading>,
    private readonly gallery: Gallery,
  ) {}

  row(name: ControlRowName, films: readonly CrossedFilm[]): ControlRow | null {
    if (films.length === 0) return null;
    const against = (of: (crossing: Crossing) => Sources): ControlFigures =>
      this.#figures(films.map(({ crossing, face }) => ({ face, sources: of(crossing) })));
    return {
      films: films.length,
      meant: against((crossing) => sourcesOf(crossing, name)),
      other: against(({ own, other }) => {
        const { identity, emotion, pose } = sourcesOf({ own: other, other: own }, name);
        return { identity, emotion, pose, sound: own };
      }),
    };
  }

  /** The clips themselves: what the measures see in truth. Who it is counts of clips that the gallery is not of. */
  truth(chosen: readonly number[]): ControlFigures {
    const of = (some: readonly number[]) =>
      this.#figures(
        some.flatMap((i) => {
          const face = this.readings.get(i);
          return face ? { face, sources: { identity: i, emotion: i, pose: i, sound: i } } : [];
        }),
      );
    const { identity } = of(chosen.filter((i) => !this.gallery.clips.has(i)));
    return { ...of(chosen), identity };
  }

  #figures(films: readonly { readonly face: FaceReading; readonly sources: Sources }[]): ControlFigures {
    const turned = films.flatMap(({ face, sources }) => anglesApart(face, this.readings.get(sources.pose)));
    const moods = films.flatMap(({ face, sources }) => {
      const meant = expressionNames.find((name) => name === this.clips.prepared.clips[sources.emotion]!.emotion);
      if (meant === undefined) return [];
      return face.faces.flatMap((each) => (each === null ? [] : Number(strongest(each.expressions) === meant)));
    });
    const known = films.flatMap(({ face, sources }) => {
      const nearest = this.#nearest(face);
      const person = personOf(this.clips.prepared.clips[sources.identity]!);
      return nearest === null ? [] : Number(nearest === person);
    });
    return { pose: turned.length === 0 ? null : median(turned), emotion: mean(moods), identity: mean(known) };
  }

  #nearest(face: FaceReading): string | null {
    const own = meanDescriptor(face);
    if (own === null || this.gallery.people.size === 0) return null;
    const apart = [...this.gallery.people].map(
      ([person, theirs]) => [descriptorDistance(own, theirs), person] as const,
    );
    return apart.reduce((best, each) => (each[0] < best[0] ? each : best))[1];
  }
}

/** Degrees between a film's head and a clip's, of each frame in which both are found. A clip that is shorter goes to and fro. */
function anglesApart({ faces }: FaceReading, clip: FaceReading | undefined): number[] {
  if (clip === undefined) return [];
  const apart = (a: HeadPose, b: HeadPose): number => Math.hypot(a.yaw - b.yaw, a.pitch - b.pitch, a.roll - b.roll);
  return faces.flatMap((face, i) => {
    const meant = clip.faces[toAndFro(i, clip.faces.length)];
    return face && meant ? apart(face.pose, meant.pose) : [];
  });
}

/** Null where no frame was looked at for who it is. */
export function meanDescriptor({ descriptors }: FaceReading): Float32Array | null {
  const all = [...descriptors.values()];
  if (all.length === 0) return null;
  return Float32Array.from(all[0]!, (_, k) => all.reduce((sum, each) => sum + each[k]!, 0) / all.length);
}
