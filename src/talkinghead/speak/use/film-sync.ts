/** How well the mouths of made films go with the sound that they were made of, by a SyncNet. */
import { readFrames } from '../../../media/index.js';
import { noGrad, scope, tensorFromBytes } from '../../../torch/index.js';
import type { FaceReading } from '../../evaluate/reading.js';
import type { PreparedClips } from '../../prepare/clips.js';
import { soundColumns } from '../clips/sound-columns.js';
import { putPlanes } from '../faces.js';
import { checkRate, loadSync, type TrainedSync } from '../sync/sync-run.js';
import { pointsOf, type SyncPoints, type SyncScores, syncScoresOf } from '../sync/sync-scores.js';

/** A film, as it was read, and the number of the clip whose sound it says. */
export interface SpokenFilm {
  readonly clip: number;
  readonly face: FaceReading;
}

export class FilmSync {
  private constructor(
    private readonly sync: TrainedSync,
    private readonly clips: PreparedClips,
  ) {}

  /**
   * @param path - a run of `headrace talk train syncnet`, or its model
   * @throws DataError where it is none; ConfigError where it is of another frame rate
   */
  static open(path: string, clips: PreparedClips): FilmSync {
    const sync = loadSync(path);
    checkRate(sync.fps, clips.settings.fps, clips.folder);
    return new FilmSync(sync, clips);
  }

  /** Null where no film is as long as the network's windows. */
  async scores(films: readonly SpokenFilm[]): Promise<SyncScores | null> {
    const points: SyncPoints[] = [];
    for (const film of films) {
      if (film.face.faces.length >= this.sync.network.shape.frames) points.push(await this.#points(film));
    }
    const scores = points.length === 0 ? null : noGrad(() => syncScoresOf(points));
    for (const each of points.flat()) each.dispose();
    return scores;
  }

  async #points({ clip, face }: SpokenFilm): Promise<SyncPoints> {
    const { network, config, fps } = this.sync;
    const { size } = config;
    const frames = face.faces.length;
    const bytes = new Uint8Array(frames * 3 * size * size);
    let row = 0;
    for await (const picture of readFrames(face.path, { fps, width: size, height: size }))
      if (row < frames) putPlanes(picture, size, bytes, row++, face.path);
    const { samples } = (await this.clips.sound(clip))!;
    const columns = soundColumns(samples, frames, fps);
    return noGrad(() =>
      scope(() => {
        const pictures = tensorFromBytes(bytes, 'uint8', [frames, 3, size, size]);
        const [seen, heard] = pointsOf(
          network,
          { pictures, landmarks: heldLandmarks(face) },
          { first: 0, frames, columns },
        );
        return [seen.keep(), heard.keep()] as const;
      }),
    );
  }
}

/** From 0 to 1 over the picture; where no face was found, those of the frame before, or of the first that has one. */
function heldLandmarks({ faces, width, height }: FaceReading): Float32Array {
  const landmarks = new Float32Array(136 * faces.length);
  let last = faces.find((face) => face !== null)!;
  for (const [i, face] of faces.entries()) {
    last = face ?? last;
    for (let k = 0; k < 136; k++) landmarks[136 * i + k] = last.landmarks[k]! / (k % 2 === 0 ? width : height);
  }
  return landmarks;
}
