/** What is heard while frames are shown: a fixed number of columns of mel bands for each, at any frame rate. */
import { MelStream, melBands, melHop, voiceRate } from '../../voice/mel-stream.js';

/** Columns for each frame: 5 frames have 20, which at 25 a second are 10 ms apart. */
export const columnsPerFrame = 4;

/** Natural logarithms of energies lie about here, and vary by as much. */
const [usual, change] = [-8, 4] as const;

/**
 * A recording's mel bands at evenly spaced instants of its frames.
 * @param samples - 16 kHz, mono
 * @returns `[frames * columnsPerFrame, melBands]`, about -1 to 2; silence after the end
 */
export function soundColumns(samples: Float32Array, frames: number, fps: number): Float32Array {
  const steps: Float32Array[] = [];
  const ear = new MelStream();
  const take = (step: Float64Array): unknown =>
    steps.push(Float32Array.from(step, (value) => (value - usual) / change));
  ear.push(samples, take);
  const columns = new Float32Array(frames * columnsPerFrame * melBands);
  const perSecond = voiceRate / melHop;
  // The last instant's neighbours are heard as well.
  const silence = new Float32Array(melHop);
  while (steps.length < (frames / fps) * perSecond + 2) ear.push(silence, take);
  for (let i = 0; i < frames * columnsPerFrame; i++) {
    const at = ((i + 0.5) / (columnsPerFrame * fps)) * perSecond;
    const before = Math.floor(at);
    const [a, b] = [steps[before]!, steps[before + 1]!];
    for (let band = 0; band < melBands; band++)
      columns[i * melBands + band] = a[band]! + (at - before) * (b[band]! - a[band]!);
  }
  return columns;
}
