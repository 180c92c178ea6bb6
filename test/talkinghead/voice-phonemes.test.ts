import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from 'headrace';
import { arkitIndex, FaceModel, type SpeechFrame, speechFromPhonemes, type TimedSound } from 'headrace/talkinghead';

const face = FaceModel.load();

/** cm between the lips at landmarks 62 and 66, over those of the face at rest. */
function lipGap(weights: Float32Array): number {
  const at = (vertices: Float32Array): number =>
    vertices[3 * face.landmarks[62]! + 1]! - vertices[3 * face.landmarks[66]! + 1]!;
  return at(face.shape({ weights })) - at(face.shape());
}

/** Sounds of a tenth of a second each. */
function tenths(sounds: string): TimedSound[] {
  return sounds.split(' ').map((sound, i) => ({ sound, start: i / 10, end: (i + 1) / 10 }));
}

const speak = (sounds: string, alphabet: 'arpabet' | 'ipa' = 'arpabet'): SpeechFrame[] =>
  speechFromPhonemes(tenths(sounds), { fps: 100, alphabet });

// The lists are the programs' own: flite -psdur and festival's radio and cmu sets, and what espeak-ng 1.51 tells in IPA, all its languages.
const cmu =
  'aa ae ah ao aw ax axr ay b ch d dh dx eh el em en er ey f g hh hv ih iy jh k l m n ng nx ow oy p pau r s sh t th uh uw v w y z zh h# brth';
const espeak =
  'a aa ai au aɨ aɪ aʊ aː aːɪ ã b c cʰ d dZ dʑ dʒ dʰ dʲ d̪ d̻͡z̪ e ea ei eɪ eʊ eː e̞ f h i ia iə iː j k kʰ kʲ k` l l- l̩ m m̩ n nɡ nʲ n̩ n^ o oɪ oʊ oː oːɹ p pʰ q r r̝̊ r̩ s sʲ s̺ t tS t[ ts tɕ tʃ tʃʰ t̻͡s̪ u uː v w x y yː z ä æ æːɪ ç ð ø øː ħ ŋ œ œ̃ ɐ ɐ̯ ɑ ɑ̃ ɒ ɔ ɔɪ ɔ̃ ɕ ɖ ə əl əɹ əʊ ɚ ɛ ɛ̃ ɜ ɜː ɟ ɡ ɡʲ ɣ ɨ ɪ ɫ ɬ ɭ ɯ ɯᵝ ɲ ɳ ɵ ɹ ɻ ɽ ɾ ʀ ʁ ʂ ʃ ʈ ʈʰ ʉ ʊ ʋ ʌ ʎ ʐ ʑ ʒ ʔ ʔe ʕ ʝ ʦ ʰ ː β ε θ χ A N S X (de) (pt-pt) ? ᵻ';

test('every sound of the synthesisers has a shape', () => {
  for (const sound of cmu.split(' ')) assert.doesNotThrow(() => speak(sound), sound);
  for (const sound of espeak.split(' ')) assert.doesNotThrow(() => speak(sound, 'ipa'), sound);
  assert.deepEqual(speak('AH1 b EY2')[15]!.mouth, speak('ah b ey')[15]!.mouth);
});

test('unknown sounds and times out of order are refused by name', () => {
  assert.throws(() => speak('xx'), { name: ConfigError.name, message: /CMU's alphabet.*'xx'/ });
  assert.throws(() => speak('a☺中', 'ipa'), /International Phonetic Alphabet.*'中' in 'a☺中'/);
  const sounds = [...tenths('aa b')].reverse();
  assert.throws(() => speechFromPhonemes(sounds, { fps: 25 }), /in their order.*'aa' from 0 to 0.1/);
  assert.throws(() => speechFromPhonemes([], { fps: 0 }), /fps above 0, got 0/);
});

test('lips meet in the middle of m, b and p whatever stands beside them, and are open within vowels', () => {
  for (const [alphabet, vowel] of [
    ['arpabet', 'aa'],
    ['ipa', 'ɑː'],
  ] as const) {
    for (const labial of ['m', 'b', 'p']) {
      const frames = speak(`${vowel} ${vowel} ${labial} ${vowel} ${vowel}`, alphabet);
      assert.equal(frames.length, 50);
      const within = frames.slice(20, 30);
      assert.ok(Math.min(...within.map(({ mouth }) => lipGap(mouth))) < 0.02, labial);
      assert.ok(Math.max(...within.map(({ closure }) => closure)) > 0.99);
      assert.ok(Math.abs(frames[10]!.mouth[arkitIndex('jawOpen')]! - 1.3 * 0.25) < 0.005);
      assert.ok(lipGap(frames[10]!.mouth) > 1);
      assert.ok(frames[5]!.closure < 0.01);
    }
  }
});

test('a mouth is at rest in silence and before sounds, and rounds for w', () => {
  const frames = speak('pau pau pau aa aa w w pau pau pau');
  for (const frame of [frames[5]!, frames[95]!]) {
    assert.ok(Math.max(...frame.mouth) < 0.01);
    assert.ok(frame.energy < 0.01);
  }
  assert.ok(frames[62]!.mouth[arkitIndex('mouthPucker')]! > 0.5);
  assert.ok(frames[40]!.mouth[arkitIndex('jawOpen')]! > 0.2);
  assert.ok(frames[40]!.energy > 0.95);
});

test('only weights of mouth and jaw are set, both sides alike, between 0 and 1', () => {
  for (const { mouth } of speak('f ao r w iy sh ae t em')) {
    mouth.forEach((weight, i) => {
      assert.ok(weight >= 0 && weight <= 1);
      if (weight !== 0) assert.ok(i >= arkitIndex('jawForward') && i <= arkitIndex('mouthUpperUpRight'));
    });
    assert.equal(mouth[arkitIndex('mouthSmileLeft')], mouth[arkitIndex('mouthSmileRight')]);
  }
});

test('stressed vowels carry a stress, at their middle', () => {
  const stress = speak('HH AH0 L AE1 pau').map((frame) => frame.stress);
  assert.equal(stress.indexOf(Math.max(...stress)), 35);
  assert.ok(stress[35]! > 0.99 && stress[5]! < 0.01);
  assert.ok(speak('HH AH0 L AE0 pau').every((frame) => frame.stress === 0));
});
