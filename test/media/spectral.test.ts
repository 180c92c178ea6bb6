import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  amplitudeToDb,
  chromaCqt,
  chromaFilters,
  chromaStft,
  constantQ,
  estimateTuning,
  hzToMel,
  logMel,
  melFilters,
  melSpectrogram,
  melToHz,
  mfcc,
  powerToDb,
  readWav,
  rms,
  spectrogram,
  stft,
  zeroCrossingRate,
} from 'headrace/media';
import { ops, stack, type Tensor, tensor, zeros } from 'headrace/torch';
import { numbers, type Packed } from '../golden/golden.js';

const at = (name: string) => fileURLToPath(new URL(`../../../test/media/golden/${name}`, import.meta.url));
const golden = JSON.parse(readFileSync(at('spectral.json'), 'utf8')) as Record<string, Packed> & Record<string, number>;
const { rate, channels } = readWav(at('sound.wav'));
const y = tensor(channels[0]!);
const short = y.narrow(0, 8000, 1000);
const C1 = 440 * 2 ** -3.75;

/** The greatest difference from a stored array, in parts of its greatest value. */
function difference(actual: Tensor, name: string): number {
  const expected = golden[name] as Packed;
  assert.deepEqual(actual.shape, expected.shape, name);
  const want = numbers(expected);
  const got = Array.from(actual.data() as Float32Array);
  let [worst, scale] = [0, 0];
  want.forEach((value, i) => {
    worst = Math.max(worst, Math.abs(value - got[i]!));
    scale = Math.max(scale, Math.abs(value));
  });
  assert.ok(got.every(Number.isFinite), name);
  return worst / scale;
}

const close = (actual: Tensor, name: string, tolerance = 2e-6): void => {
  const worst = difference(actual, name);
  assert.ok(worst <= tolerance, `${name}: ${worst}`);
};

/** Real parts and then imaginary ones. */
const parts = (x: Tensor) => stack([ops.real(x), ops.imag(x)], 0);

/** Rows 0, 5, 10, ... */
const everyFifth = (x: Tensor) => x.slice(0, 0, null, 5);

test('the Fourier transform of frames, with each padding', () => {
  const small = { nFft: 256, winLength: 200, hop: 1000 };
  close(parts(stft(y, small)), 'stft');
  close(parts(stft(y, { ...small, padMode: 'reflect' })), 'stftReflect');
  close(parts(stft(y, { ...small, padMode: 'edge', window: 'hamming' })), 'stftEdge');
  close(parts(stft(y, { nFft: 256, hop: 1000, center: false })), 'stftUncentred');
});

test('mel filters on both scales', () => {
  close(melFilters({ rate, nFft: 512, nMels: 40 }), 'melFilters');
  close(
    melFilters({ rate: 16000, nFft: 400, nMels: 80, fMin: 55, fMax: 7600, htk: true, norm: null }),
    'melFiltersHtk',
  );
  for (const htk of [false, true]) {
    for (const hertz of [0, 300, 1000, 1001, 7000])
      assert.ok(Math.abs(melToHz(hzToMel(hertz, htk), htk) - hertz) < 1e-9);
  }
  assert.ok(Math.abs(hzToMel(1000) - 15) < 1e-12);
  assert.ok(Math.abs(hzToMel(1000, true) - 999.9856) < 1e-4);
});

test('mel spectra and decibels', () => {
  const options = { rate, nMels: 40 };
  close(melSpectrogram(y, options), 'melSpectrogram');
  close(logMel(y, options), 'logMel', 1e-5);
  close(amplitudeToDb(melSpectrogram(y, { ...options, power: 1 }), { ref: 'max', topDb: 60 }), 'logMelRef', 1e-5);
  const db = powerToDb(tensor([1, 10, 1e-3, 0]), { topDb: null });
  assert.deepEqual(Array.from(db.data() as Float32Array).map(Math.round), [0, 10, -30, -100]);
});

test('cepstra', () => {
  close(mfcc(y, { rate }), 'mfcc');
  close(mfcc(y, { rate, htk: true }), 'mfccHtk');
  close(mfcc(y, { rate, nMfcc: 13, lifter: 22 }), 'mfccLifter');
  close(mfcc(short, { rate, htk: true }), 'mfccShort');
});

test("a short window: mel, cepstra and chroma keep librosa's hop of 512, spectra a quarter of the window", () => {
  close(melSpectrogram(y, { rate, nMels: 20, nFft: 512 }), 'melSpectrogram512');
  close(mfcc(y, { rate, nMfcc: 13, nMels: 20, nFft: 512, winLength: 400 }), 'mfcc400');
  close(chromaStft(y, { rate, nFft: 1024 }), 'chromaStft1024', 1e-5);
  close(parts(stft(y.narrow(0, 0, 1000), { nFft: 128, winLength: 100 })), 'stft128');
  assert.equal(logMel(y, { rate, nMels: 20, nFft: 512 }).shape[1], 1 + Math.floor(y.numel / 512));
});

test('an option that nobody reads is refused with the one that was meant', () => {
  const wrong = (options: object): { rate: number } => ({ rate, ...options });
  assert.throws(() => stft(y, { hopLength: 5 } as object), /options of stft .* got hopLength/);
  assert.throws(() => melSpectrogram(y, wrong({ n_mels: 40 })), /melSpectrogram .* got n_mels\. Did you mean nMels\?/);
  assert.throws(() => logMel(y, wrong({ top_db: 40 })), /logMel .* Did you mean topDb\?/);
  assert.throws(() => mfcc(y, wrong({ n_mfcc: 13 })), /mfcc .* Did you mean nMfcc\?/);
  assert.throws(() => mfcc(y, wrong({ topDb: 60 })), /options of mfcc .* got topDb/);
  assert.throws(() => chromaStft(y, wrong({ nfft: 512 })), /chromaStft .* Did you mean nFft\?/);
  assert.throws(() => chromaCqt(y, wrong({ nFft: 512 })), /options of chromaCqt .* got nFft/);
  assert.throws(() => rms(y, { frame_length: 5 } as object), /rms .* Did you mean frameLength\?/);
  assert.throws(() => stft(y, { window: 'kaiser' as 'hann' }), /expected a window hann, hamming, ones, got 'kaiser'/);
  assert.throws(() => zeroCrossingRate(y, { hop: 0 }), /expected hop to be a whole number/);
});

test('sign changes and loudness', () => {
  close(zeroCrossingRate(y), 'zeroCrossingRate');
  close(rms(y), 'rms');
  close(rms(y, { padMode: 'reflect', frameLength: 400, hop: 300 }), 'rmsReflect');
});

test('chroma by spectrogram, tuned and not', () => {
  close(chromaFilters({ rate, nFft: 512, tuning: 0.2 }), 'chromaFilters');
  close(chromaStft(y, { rate, tuning: 0 }), 'chromaStft0', 1e-5);
  close(chromaStft(y, { rate }), 'chromaStft', 1e-5);
});

test('tuning', () => {
  assert.ok(Math.abs(estimateTuning(y, { rate }) - golden.tuning12!) < 1e-9);
  assert.ok(Math.abs(estimateTuning(y, { rate, binsPerOctave: 36 }) - golden.tuning36!) < 1e-9);
  assert.equal(estimateTuning(zeros([3000]), { rate }), 0);
});

test('the constant-Q transform is what its definition gives, and near what librosa makes of it', () => {
  const options = { rate, hop: 512, fMin: C1, binsPerOctave: 36, octaves: 7 };
  close(everyFifth(constantQ(y, options)), 'constantQ', 1e-5);
  close(everyFifth(constantQ(short, options)), 'constantQShort', 1e-5);
  const away = difference(everyFifth(constantQ(y, options)), 'librosaCqt');
  assert.ok(away < 0.02, `${away}`);
  assert.ok(difference(chromaCqt(y, { rate, tuning: 0 }), 'chromaCqt0') < 0.02);
  assert.ok(difference(chromaCqt(y, { rate }), 'chromaCqt') < 0.02);
});

test('one sample gives one frame, silence gives finite numbers', () => {
  const sounds = [tensor([0.5]), zeros([1]), zeros([2205])];
  for (const sound of sounds) {
    const frames = 1 + Math.floor(sound.numel / 512);
    for (const feature of [
      mfcc(sound, { rate }),
      chromaStft(sound, { rate }),
      chromaCqt(sound, { rate }),
      zeroCrossingRate(sound),
      rms(sound, { padMode: 'reflect' }),
    ]) {
      assert.equal(feature.shape[1], frames);
      assert.ok((feature.data() as Float32Array).every(Number.isFinite));
    }
  }
  assert.deepEqual(Array.from(chromaCqt(zeros([600]), { rate }).data() as Float32Array), new Array(24).fill(0));
});

test('a batch of sounds is the same as each alone', () => {
  const batch = stack([y, y.flip([0])], 0);
  for (const of of [
    (x: Tensor) => spectrogram(x, { power: 2 }),
    (x: Tensor) => melSpectrogram(x, { rate }),
    (x: Tensor) => zeroCrossingRate(x),
  ]) {
    assert.ok(
      of(batch)
        .select(0, 1)
        .allclose(of(y.flip([0])), 1e-4, 1e-5),
    );
  }
});

test('what cannot be is named', () => {
  assert.throws(() => stft(zeros([0])), /at least one sample, got \[0\]/);
  assert.throws(() => stft(zeros([10], { dtype: 'int64' })), /float32 or float64, got int64/);
  assert.throws(() => stft(zeros([10]), { center: false }), /at least one frame of 2048 samples, got 10/);
  assert.throws(() => stft(y, { hop: 0 }), /expected hop to be a whole number/);
  assert.throws(() => stft(y, { nFft: 256, winLength: 400 }), /no longer than nFft 256, got 400/);
  assert.throws(() => melFilters({ rate: 8000, fMax: 5000 }), /fMax <= 4000 Hz/);
  assert.throws(() => mfcc(y, { rate, nMfcc: 200 }), /nMfcc to be 1 to nMels \(128\), got 200/);
  assert.throws(() => chromaCqt(y, { rate: 8000 }), /needs a rate above 8288, got 8000/);
});
