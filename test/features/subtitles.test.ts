import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fitSubtitles, parseSubtitles, readSubtitles, speechFeatures } from 'headrace/features';
import { writeVideo, writeWav } from 'headrace/media';
import { readClip } from 'headrace/sentiment';

const folder = mkdtempSync(join(tmpdir(), 'headrace-subtitles-'));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

/** Start, end and words of each. */
const read = (text: string, where = 'x.srt') =>
  parseSubtitles(text, where).map(({ start, end, text: words }) => [start, end, words]);

// Right values by hand from the parsing rules of https://www.w3.org/TR/webvtt1/.

test('times end a subtitle, also where no empty line stands before them', () => {
  const vtt =
    'WEBVTT\n\n00:01.000 --> 00:02.000\none\n00:03.000 --> 00:04.000\ntwo\nthree\n\n00:05.000-->00:06.000\nfour\n';
  assert.deepEqual(read(vtt), [
    [1, 2, 'one'],
    [3, 4, 'two three'],
    [5, 6, 'four'],
  ]);
  const srt =
    '1\n00:00:01,000 --> 00:00:02,000\none\n2\n00:00:03,000 --> 00:00:04,000\n42\n3\n00:00:05,000 --> 00:00:06,000\nfour\n';
  assert.deepEqual(read(srt), [
    [1, 2, 'one'],
    [3, 4, '42'],
    [5, 6, 'four'],
  ]);
  // Without numbers a number is a word.
  assert.deepEqual(read('0:01,0 --> 0:02,0\nhe is\n42\n0:03,0 --> 0:04,0\nyes\n'), [
    [1, 2, 'he is 42'],
    [3, 4, 'yes'],
  ]);
});

test('a line of blanks is a line of a subtitle, not its end', () => {
  const rolling =
    'WEBVTT\nKind: captions\n\n00:00.900 --> 00:02.600 align:start\n \nbin<00:00:01.200><c> blue</c>\n\n00:02.600 --> 00:03.000\nbin blue\n \n\n';
  assert.deepEqual(read(rolling), [
    [0.9, 2.6, 'bin blue'],
    [2.6, 3, 'bin blue'],
  ]);
  assert.deepEqual(read('1\n00:00:01,000 --> 00:00:02,000\none\n \t\nmore\n \n2\n00:00:03,000 --> 00:00:04,000\ntwo'), [
    [1, 2, 'one more'],
    [3, 4, 'two'],
  ]);
});

test("characters by HTML's references and tags by their brackets", () => {
  const cue = (words: string, web = true) => {
    const [head, comma] = web ? ['WEBVTT\n\n', '.'] : ['', ','];
    return read(`${head}00:00:01${comma}000 --> 00:00:02${comma}000\n${words}\n`)[0]?.[2];
  };
  for (const web of [true, false]) {
    assert.equal(
      cue('Tom &amp; Jerry&nbsp;&#39;n&#x2019; &eacute;&unknown; &lt;i&gt;', web),
      "Tom & Jerry 'n’ é&unknown; <i>",
    );
    assert.equal(cue('&amp;lt; &#150; &#0; &#xD800; &#1114112;', web), '&lt; – \ufffd \ufffd \ufffd');
    assert.equal(
      cue('<v Ann B.>I <b>love</b> it</v> <c.loud.red>so</c> <00:01.500>much&lrm;', web),
      'I love it so much',
    );
    assert.equal(cue('AT&T &copy; &euro;', web), 'AT&T © €');
  }
  assert.equal(cue('a <3 b', false), 'a <3 b');
});

test('WebVTT: names, notes, styles and regions, and what stands in no subtitle is told', () => {
  const notes: string[] = [];
  const vtt =
    'WEBVTT\tfile\rX-TIMESTAMP-MAP=a\r\rSTYLE\r::cue{}\r\rREGION\rid:x\r\rNOTE two\rlines\r\r12\r01:00:00.000 --> 100:00:00.000 line:0 vertical:rl\rlong\r\rlost words\r\r00:01.000 --> 00:01.000\rno length\r';
  assert.deepEqual(
    parseSubtitles(vtt, 'a.vtt', (remark) => notes.push(remark)).map(({ start, end, text }) => [start, end, text]),
    [[3600, 360000, 'long']],
  );
  assert.deepEqual(notes, ['a.vtt, line 17: passed over, since it stands in no subtitle: "lost words"']);
  assert.deepEqual(read('WEBVTT\n00:01.000 --> 00:02.000\n'), []);
  assert.deepEqual(read('WEBVTT\n\nNOTE\nnothing\n'), []);
});

test('subtitles may overlap, and have times without hours or fractions', () => {
  const srt = '2\n0:00:02 --> 0:00:05\nlater\n\n1\n00:01.5 --> 00:04,25\nfirst\n';
  assert.deepEqual(read(srt), [
    [1.5, 4.25, 'first'],
    [2, 5, 'later'],
  ]);
});

test('empty files have no subtitles; GBK and UTF-16 are read, and GBK is told', () => {
  for (const text of ['', '\ufeff', '\n\n \n', 'WEBVTT']) assert.deepEqual(read(text), []);
  const notes: string[] = [];
  const words = (bytes: Buffer) => {
    writeFileSync(at('a.srt'), bytes);
    return readSubtitles(at('a.srt'), (remark) => notes.push(remark)).map(({ text }) => text);
  };
  const times = Buffer.from('1\r\n00:00:01,000 --> 00:00:02,000\r\n');
  assert.deepEqual(words(Buffer.concat([times, Buffer.from([0xba, 0xc3, 0xb5, 0xc4])])), ['好的']);
  assert.match(notes[0]!, /a\.srt is not UTF-8: read as GBK/);
  assert.throws(() => words(Buffer.concat([times, Buffer.from('caf\xe9 \xfcber', 'latin1')])), {
    message: /a\.srt is not text in UTF-8 \(line 3\)/,
  });
});

test('what passes the end is cut, what begins after it is left out, both told; none within is refused', () => {
  const span = (start: number, end: number) => ({ start, end, text: 'a' });
  const notes: string[] = [];
  const fitted = fitSubtitles([span(0, 1), span(9, 11.5), span(10, 12)], 10, 'x.srt', (remark) => notes.push(remark));
  assert.deepEqual(fitted, [span(0, 1), span(9, 10)]);
  assert.deepEqual(notes, [
    'subtitle 3, 10.00 to 12.00 s, begins after the end, 10.00 s: left out',
    'subtitle 2, 9.00 to 11.50 s, goes on past the end, 10.00 s: cut there',
  ]);
  assert.deepEqual(fitSubtitles([], 10, 'x.srt'), []);
  assert.throws(() => fitSubtitles([span(20, 21)], 10, 'x.srt'), {
    name: 'DataError',
    message:
      /x\.srt: none of its 1 subtitles lies within the recording, which ends after 10\.00 s; the first is at 20\.00/,
  });
});

const tone = (seconds: number): Float32Array =>
  Float32Array.from({ length: 16000 * seconds }, (_, n) => 0.4 * Math.sin(0.05 * n) * Math.sin(0.0007 * n));

test('where the sound ends before the picture, audio is missing there and the rest is read', async () => {
  const grey = { width: 32, height: 32, data: new Uint8Array(32 * 32 * 3).fill(90) };
  const audio = { samples: tone(1), rate: 16000 };
  await writeVideo(at('short.mp4'), Array(30).fill(grey), { fps: 10, audio });
  writeFileSync(at('two.srt'), '0:00,2 --> 0:00,8\none\n\n0:02,0 --> 0:04,5\ntwo\n');
  const { utterances, features, notes } = await readClip(
    at('short.mp4'),
    { audio: speechFeatures.spec },
    { subtitles: at('two.srt') },
  );
  assert.deepEqual(
    utterances.map(({ start, end, text }) => [start, end, text]),
    [
      [0.2, 0.8, 'one'],
      [2, 3, 'two'],
    ],
  );
  assert.ok(features.audio!.lengths[0]! > 10);
  assert.equal(features.audio!.lengths[1], 0);
  assert.match(notes[0]!, /subtitle 2, 2\.00 to 4\.50 s, goes on past the end, 3\.00 s: cut there/);
  assert.match(notes[1]!, /no sound in utterance 2 \(the sound goes from 0\.00 to 1\.\d\d s\): audio is missing there/);
});

test('an empty file of subtitles is told, and the recording is read without words', async () => {
  writeWav(at('a.wav'), { channels: [tone(1)], rate: 16000 });
  writeFileSync(at('empty.srt'), '');
  const clip = await readClip(at('a.wav'), { audio: speechFeatures.spec }, { subtitles: at('empty.srt') });
  assert.deepEqual(
    clip.utterances.map(({ text }) => text),
    [null],
  );
  assert.match(clip.notes[0]!, /empty\.srt holds no subtitles: the words are not read/);
});
