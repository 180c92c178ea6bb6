import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkSpans, cutAtPauses, parseSubtitles, readSubtitles } from 'headrace/features';
import { Generator, randn } from 'headrace/torch';

const folder = mkdtempSync(join(tmpdir(), 'headrace-utterances-'));
after(() => rmSync(folder, { recursive: true }));

test('SRT: numbers, marks, tags, every kind of line end', () => {
  const srt = [
    '\ufeff1',
    '00:00:01,000 --> 00:00:02,500',
    '<i>Hello,</i> {\\an8}<font color="#ff0000">world</font>',
    'on two lines',
    '',
    '',
    '00:01:00.5 --> 01:00:00,25  X1:40 X2:600',
    '3 < 4 & 5 > 4',
    '',
    '3',
    '00:00:04,000 --> 00:00:05,000',
    '<b></b>',
    '',
    '7',
    '00:00:03,000 --> 00:00:03,900',
    '- first',
  ];
  const expected = [
    { start: 1, end: 2.5, text: 'Hello, world on two lines' },
    { start: 3, end: 3.9, text: '- first' },
    { start: 60.5, end: 3600.25, text: '3 < 4 & 5 > 4' },
  ];
  for (const end of ['\n', '\r\n', '\r']) assert.deepEqual(parseSubtitles(srt.join(end), 'a.srt'), expected);
});

test('WebVTT: header, notes, styles, names, settings, voices, entities', () => {
  const vtt = `WEBVTT - a title
Kind: captions

STYLE
::cue { color: lime }

NOTE
not said --

intro
00:01.000 --> 00:02.500 align:start position:0%
<v Anna>Tom &amp; Jerry&nbsp;&lt;3 &unknown;</v>

01:00:00.000 --> 01:00:01.000
<c.loud>now <01:00:00.500>then</c>
`;
  assert.deepEqual(parseSubtitles(vtt, 'a.vtt'), [
    { start: 1, end: 2.5, text: 'Tom & Jerry <3 &unknown;' },
    { start: 3600, end: 3601, text: 'now then' },
  ]);
  assert.deepEqual(parseSubtitles('WEBVTT\n00:01.000 --> 00:02.000\nat once\n', 'a.vtt'), [
    { start: 1, end: 2, text: 'at once' },
  ]);
  assert.deepEqual(parseSubtitles('WEBVTT', 'a.vtt'), []);
});

test('a bad line is named with its number', () => {
  const good = '1\n00:00:01,000 --> 00:00:02,000\nfine\n\n';
  const fails = (rest: string, message: RegExp) =>
    assert.throws(
      () => parseSubtitles(good + rest, 'x.srt'),
      (error: Error) => error.name === 'DataError' && message.test(error.message),
    );
  fails(
    '2\n00:00:03 -> 00:00:04\nwhat\n',
    /^x\.srt, line 6: expected times as 00:00:01,000 --> 00:00:02,500, got "00:00:03 -> 00:00:04"/,
  );
  fails('2\n00:00:03,000 --> soon\nwhat\n', /line 6: expected times/);
  fails('stray words\nand more\n', /line 5: expected times .* got "stray words"/);
  fails('2\n00:00:04,000 --> 00:00:03,000\nbackwards\n', /line 6: expected the end after the start/);
  fails('2\n00:75:04,000 --> 00:76:03,000\nminutes\n', /line 6: expected times/);
  assert.throws(
    () => parseSubtitles('WEBVTT\n\nname\n1 --> 2\nx', 'x.vtt'),
    /x\.vtt, line 4: expected times as 00:01\.000/,
  );
  assert.throws(() => parseSubtitles('just a text', 'x.txt'), /x\.txt, line 1: expected times/);
});

test('files in UTF-8 and UTF-16; what is neither is named', () => {
  const text = '1\n00:00:01,000 --> 00:00:02,000\nGrüße\n';
  const path = join(folder, 'a.srt');
  const words = (bytes: Buffer) => {
    writeFileSync(path, bytes);
    return readSubtitles(path).map((span) => span.text);
  };
  assert.deepEqual(words(Buffer.from(text)), ['Grüße']);
  assert.deepEqual(words(Buffer.from(`\ufeff${text}`, 'utf16le')), ['Grüße']);
  assert.throws(() => words(Buffer.from(text, 'latin1')), /is not text in UTF-8/);
  assert.throws(() => readSubtitles(join(folder, 'none.srt')), /Cannot read .*none\.srt/);
});

test('given times are checked against the recording', () => {
  const span = (start: number, end: number) => ({ start, end, text: null });
  assert.deepEqual(checkSpans([span(0, 1), span(0.5, 10.2)], 10), [span(0, 1), span(0.5, 10)]);
  for (const wrong of [span(-1, 1), span(2, 2), span(3, Number.NaN), span(5, 11), span(10.1, 10.2)]) {
    assert.throws(() => checkSpans([span(0, 1), wrong], 10), /utterance 2: expected 0 <= start < end <= 10\.00/);
  }
});

const rate = 16000;

/** Noise at `floor` dB with a tone at -15 dB, swelling like syllables, from each start to its end. */
function recording(seconds: number, spoken: readonly (readonly [number, number])[], floor: number): Float32Array {
  const noise = randn([seconds * rate], { generator: new Generator(1) }).data() as Float32Array;
  return noise.map((value, i) => {
    const t = i / rate;
    const on = spoken.some(([from, to]) => t >= from && t < to);
    const swell = 0.6 + 0.4 * Math.cos(2 * Math.PI * 4 * t);
    return (
      value * 10 ** (floor / 20) + (on ? 10 ** (-15 / 20) * Math.SQRT2 * swell * Math.sin(2 * Math.PI * 200 * t) : 0)
    );
  });
}

function near(samples: Float32Array, expected: readonly (readonly [number, number])[], options = {}): void {
  const spans = cutAtPauses({ samples, rate }, options);
  assert.equal(spans.length, expected.length, JSON.stringify(spans));
  spans.forEach(({ start, end, text }, i) => {
    assert.equal(text, null);
    const [from, to] = expected[i]!;
    assert.ok(Math.abs(start - from) < 0.04 && Math.abs(end - to) < 0.04, JSON.stringify(spans));
  });
}

test('a recording is cut at its pauses, in silence and in noise', () => {
  const spoken = [
    [0.5, 2],
    [2.15, 3], // a gap too short for a pause
    [4, 6],
    [6.4, 6.45], // a click
    [8, 8.25], // a yes
  ] as const;
  const expected = [
    [0.4, 3.1],
    [3.9, 6.1],
    [7.9, 8.35],
  ] as const;
  for (const floor of [-200, -70, -40, -30]) near(recording(10, spoken, floor), expected);
  near(recording(10, spoken, -60), [...expected.slice(0, 2), [6.3, 6.55], expected[2]!], { minLength: 0.2 });
  near(recording(10, spoken, -60), [[0.4, 6.55], expected[2]!], { minPause: 1.2, minLength: 0.3 });
});

test('a few words in a long silence are found', () => {
  near(recording(60, [[40, 41]], -65), [[39.9, 41.1]]);
});

test('silence has no utterances, and what never pauses is one', () => {
  assert.deepEqual(cutAtPauses({ samples: new Float32Array(rate), rate }), []);
  assert.deepEqual(cutAtPauses({ samples: new Float32Array(0), rate }), []);
  near(recording(5, [[0, 5]], -60), [[0, 5]]);
});

test('what is too long is cut where it is most quiet', () => {
  const samples = recording(40, [[0, 40]], -60);
  for (const quiet of [11, 21.5, 35]) samples.fill(0, (quiet - 0.1) * rate, (quiet + 0.1) * rate);
  const expected = [
    [0, 11],
    [11, 21.5],
    [21.5, 35],
    [35, 40],
  ] as const;
  near(samples, expected, { minPause: 1 });
  const spans = cutAtPauses({ samples, rate }, { maxLength: 4, minPause: 1 });
  assert.equal(spans[0]!.start, 0);
  assert.equal(spans.at(-1)!.end, 40);
  spans.forEach(({ start, end }, i) => {
    assert.ok(end - start <= 4 && end - start >= 0.3);
    if (i > 0) assert.equal(start, spans[i - 1]!.end);
  });
});

test('options that cannot be are named', () => {
  const audio = { samples: new Float32Array(10), rate };
  assert.throws(() => cutAtPauses(audio, { minPause: -1 }), /expected minPause >= 0/);
  assert.throws(() => cutAtPauses(audio, { maxLength: 0.5 }), /expected maxLength of at least 1 s/);
});
