/** IRFD and the second stage as experiments. */
import type { Run } from '../../../report/index.js';
import { evaluateIrfd, type IrfdEvaluation, type matrixRows } from '../exchange-matrix.js';
import { factors } from '../irfd.js';
import type { IrfdConfig } from '../irfd-config.js';
import { trainIrfd } from '../irfd-run.js';
import type { TalkingConfig } from '../talking/talking-config.js';
import { trainTalking } from '../talking/talking-run.js';
import { evaluateSpeak, type SpeakEvaluation } from '../use/speak-evaluation.js';
import type { ExperimentKind } from './experiment.js';

/** @param data - a set of `headrace talk synth --clips` @param judgeSteps - of the judge's training, where the set has none yet */
export function irfdExperiment(data: string, judgeSteps?: number): ExperimentKind<IrfdConfig, IrfdEvaluation> {
  return {
    train: (config, out, resume, hooks) => trainIrfd(config, { data, out, resume, ...hooks }),
    evaluate: (run, { onProgress, shouldStop }) =>
      evaluateIrfd(run, data, {
        ...(judgeSteps !== undefined && { judgeSteps }),
        ...(onProgress && { onProgress }),
        ...(shouldStop && { shouldStop }),
      }),
    figures: (found) => irfdFigures(found),
  };
}

/**
 * Each exchange by the factor that it is of, pixels as the mean of the three; shares in percent.
 * @param row - of which pictures; the leakage is that of the codes
 */
export function irfdFigures({ matrix, codes, chance }: IrfdEvaluation, row: (typeof matrixRows)[number] = 'made'): Run {
  const pixels = factors.reduce((sum, name) => sum + matrix[name][row].pixels, 0) / factors.length;
  // What a code tells beyond guessing of what it should not tell: the worst of all.
  const leaks = factors.flatMap((name) =>
    factors
      .filter((other) => other !== name)
      .map((other) => codes[name][other] - (other === 'pose' ? 0 : chance[other])),
  );
  return {
    'own pixels': matrix.none[row].pixels,
    pixels,
    pose: matrix.pose[row].pose,
    emotion: 100 * matrix.emotion[row].emotion,
    identity: 100 * matrix.identity[row].identity,
    leakage: 100 * Math.max(...leaks),
  };
}

/** @param data - clips with sound @param sync - a SyncNet to measure by @param clips - of the people left out */
export function speakExperiment(
  data: string,
  sync: string | null,
  clips?: number,
): ExperimentKind<TalkingConfig, SpeakEvaluation> {
  return {
    train: (config, out, resume, hooks) => trainTalking(config, { data, out, resume, ...hooks }),
    evaluate: (run, { onProgress, note, shouldStop }) =>
      evaluateSpeak(run, data, {
        modes: ['speak'],
        ...(sync !== null && { sync }),
        ...(clips !== undefined && { clips }),
        ...(onProgress && { onProgress }),
        ...(note && { note }),
        ...(shouldStop && { shouldStop }),
      }),
    figures: speakFigures,
  };
}

/** Driven by itself but for the last three, of which each source in turn is another's; shares in percent. */
export function speakFigures({ self, control, sync }: SpeakEvaluation): Run {
  const own = self.speak?.mean.generated;
  const [turned, moved, other] = [control.speak?.pose, control.speak?.emotion, control.speak?.identity];
  const percent = (share: number | null | undefined): number | null => (share == null ? null : 100 * share);
  const all = {
    psnr: own?.psnr,
    ssim: own?.ssim,
    lmdFace: own?.lmdFace,
    lmdMouth: own?.lmdMouth,
    apart: own?.identity,
    sound: own?.syncSoundR,
    ...(sync && { 'LSE-C': sync.speak?.confidence }),
    pose: turned?.meant.pose,
    emotion: percent(moved?.meant.emotion),
    identity: percent(other?.meant.identity),
  };
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, value ?? Number.NaN]));
}
