/**
 * The voice model on what it has not seen: synthesisers' voices with exact mouths and, where `HEADRACE_VOICE_CLIPS` names a folder of videos
 * (FOLDER/SPEAKER/NAME.mpg), the mouths of its people, all of whom count as unseen: leave out who was trained on. Beside it loudness alone
 * and, where `HEADRACE_HEADAUDIO` names its package, headaudio.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  assessExact,
  assessSeen,
  conditions,
  loudnessOpening,
  type MouthMaker,
  modelOpening,
  prepareVoiceData,
  VoiceModel,
  voiceRecipes,
} from 'headrace/talkinghead';
import { headAudio } from './headaudio.js';
import { say } from './progress.js';
import { median, type PartOptions, type PartResult, type Row, row, type Target } from './results.js';

export async function voicePart({ quick }: PartOptions): Promise<PartResult> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-voice-'));
  const clips = process.env.HEADRACE_VOICE_CLIPS ?? null;
  const unpacked = process.env.HEADRACE_HEADAUDIO;
  const makers: [string, MouthMaker][] = [['model', modelOpening(VoiceModel.load())]];
  if (unpacked !== undefined) makers.push(['headaudio', await headAudio(unpacked)]);
  const base = voiceRecipes.standard!;
  const testVoices = quick ? base.testVoices.map(({ voice }) => ({ voice, texts: 4 })) : base.testVoices;
  try {
    const data = (await prepareVoiceData(
      { ...base, voices: [], validationVoices: [], testVoices, testSpeakers: [] },
      { folder, clips, note: say },
    ))!;
    const rows: Row[] = [];
    for (const voice of testVoices.map((source) => source.voice)) {
      const own = data.testSynthetic.filter(({ speaker }) => speaker === voice);
      for (const condition of conditions) rows.push(...exactRows(makers, own, voice, condition));
    }
    for (const condition of data.real.length > 0 ? conditions : [])
      rows.push(...seenRows(makers, data.real, condition));
    const notes = clips === null ? ['HEADRACE_VOICE_CLIPS names no videos: no real mouths were looked at.'] : [];
    rows.push(row('one second of sound', 'ms', [timeOf(data.testSynthetic[0]!.samples)]));
    return { title: 'Speech to mouth', settings: { testVoices, clips: data.real.length }, rows, notes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Clips = Parameters<typeof assessExact>[1];
type Heard = Parameters<typeof assessExact>[2];

function exactRows(makers: readonly [string, MouthMaker][], clips: Clips, voice: string, condition: Heard): Row[] {
  return makers.flatMap(([name, make]) => {
    const { r, loudness, closed, offset, silent, spoken } = assessExact(make, clips, condition);
    const what = (text: string): string => `${voice}, ${condition}, ${name}: ${text}`;
    const must = (target: Target): Target | undefined => (name === 'model' ? target : undefined);
    const all = [
      row(what('r with the exact opening'), 'r', [r], must({ least: 0.85 })),
      row(what('lips closed for m, b, p'), '%', [100 * closed], must({ least: 95 })),
      row(what('frames late'), 'frames', [Math.abs(offset)], must({ most: 1 })),
      row(what('open in silence, of open in speech'), '%', [(100 * Math.max(0, silent)) / spoken]),
    ];
    return name === 'model' ? [...all, row(`${voice}, ${condition}, loudness alone: r`, 'r', [loudness])] : all;
  });
}

function seenRows(makers: readonly [string, MouthMaker][], clips: Clips, condition: Heard): Row[] {
  const rows = makers.flatMap(([name, make]) => {
    const { r, partial, offset, open, seenOpen } = assessSeen(make, clips, condition);
    const what = (text: string): string => `real mouths, ${condition}, ${name}: ${text}`;
    const must = (target: Target): Target | undefined => (name === 'model' ? target : undefined);
    return [
      row(what('r within speech'), 'r', [r], must({ least: 0.5 })),
      row(what('r beyond loudness'), 'r', [partial], must({ least: 0.3 })),
      row(what('frames late'), 'frames', [Math.abs(offset)], must({ most: 1 })),
      row(what('open, of what the camera saw'), '%', [(100 * open) / seenOpen]),
    ];
  });
  const { r } = assessSeen(loudnessOpening, clips, condition);
  return [...rows, row(`real mouths, ${condition}, loudness alone: r`, 'r', [r])];
}

function timeOf(samples: Float32Array): number {
  const model = VoiceModel.load();
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    const stream = model.stream(25);
    stream.push(samples);
    stream.end();
    return (performance.now() - start) / (samples.length / 16000);
  });
  return median(times);
}
