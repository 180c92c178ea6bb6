/** Subtitles as utterances: SRT as players take it, WebVTT as its specification has it (https://www.w3.org/TR/webvtt1/). */
import { readTextFile } from '../io/read-text.js';
import { DataError } from '../torch/errors.js';
import { decodeEntities } from './entities.js';
import type { SpokenSpan } from './utterances.js';

/** A subtitle: its words are never null, and not empty. */
type Subtitle = SpokenSpan & { readonly text: string };

/** Told of what is passed over. */
type Note = (remark: string) => void;

const ignore: Note = () => {};

/**
 * Reads a file of SRT or WebVTT subtitles, in UTF-8, UTF-16 with its mark, or GBK. See {@link parseSubtitles}.
 * @throws DataError with the line that cannot be read
 */
export function readSubtitles(path: string, note: Note = ignore): SpokenSpan[] {
  const { text, encoding } = readTextFile(path);
  if (encoding === 'gb18030') note(`${path} is not UTF-8: read as GBK`);
  return parseSubtitles(text, path, note);
}

/**
 * Parses SRT or (where it begins with `WEBVTT`) WebVTT subtitles, in order of time. Tags are taken out, HTML's character references become
 * characters, the lines of a subtitle are joined; those without words or without length are left out. Any line ends serve, and a byte order
 * mark. A subtitle ends at an empty line or at the times of the next; a line of blanks is a line of it.
 * @param where - named in errors
 * @param note - told of lines that are no part of a subtitle, which WebVTT passes over
 * @throws DataError with the line that cannot be read
 */
export function parseSubtitles(text: string, where: string, note: Note = ignore): SpokenSpan[] {
  const lines = text
    .replace(/^\ufeff/, '')
    .replaceAll('\0', '\ufffd')
    .split(/\r\n|\r|\n/);
  const web = /^WEBVTT(?:[ \t]|$)/.test(lines[0] ?? '');
  const parts = web ? webParts(lines, where, note) : srtParts(lines, where);
  return parts
    .map((part) => toSubtitle(part, web, where))
    .filter((span) => span.text !== '' && span.end > span.start)
    .sort((a, b) => a.start - b.start);
}

/** The line of the times, from 1, and what stands below it. */
interface Part {
  readonly line: number;
  readonly times: string;
  readonly words: string[];
}

const ARROW = '-->';
const NUMBER = /^\s*\d+\s*$/;

/** SRT: a number, the times, the words. */
function srtParts(lines: readonly string[], where: string): Part[] {
  const parts: Part[] = [];
  let open: Part | null = null;
  let numbered = false;
  for (const [i, text] of lines.entries()) {
    if (text.includes(ARROW)) {
      // Without an empty line before it, the next one's number looks like the last words.
      if (open !== null && numbered && NUMBER.test(open.words.at(-1) ?? '')) open.words.pop();
      else if (open !== null) numbered = false;
      open = { line: i + 1, times: text, words: [] };
      parts.push(open);
    } else if (open !== null && text !== '') open.words.push(text);
    else if (open !== null) open = null;
    else if (text.trim() !== '') {
      numbered = NUMBER.test(text);
      const next = lines[i + 1] ?? '';
      if (next.includes(ARROW)) continue;
      const [line, got] = numbered && next.trim() !== '' ? [i + 2, next] : [i + 1, text];
      throw badTimes(where, line, got, false);
    }
  }
  return parts;
}

/** WebVTT's blocks: those with times; notes, styles and regions are passed over. */
function webParts(lines: readonly string[], where: string, note: Note): Part[] {
  const parts: Part[] = [];
  let at = 1;
  while (at < lines.length && lines[at] !== '' && !lines[at]!.includes(ARROW)) at++; // the header's own lines
  while (at < lines.length) {
    if (lines[at] === '') {
      at++;
      continue;
    }
    const first = at;
    // The times are a block's first line, or its second, after a name.
    if (!lines[at]!.includes(ARROW)) at++;
    const times = lines[at] ?? '';
    if (times.includes(ARROW)) at++;
    const from = at;
    while (at < lines.length && lines[at] !== '' && !lines[at]!.includes(ARROW)) at++;
    if (times.includes(ARROW)) parts.push({ line: from, times, words: lines.slice(from, at) });
    else if (!/^(?:NOTE(?:[ \t]|$)|(?:STYLE|REGION)\s*$)/.test(lines[first]!) && lines[first]!.trim() !== '')
      note(`${where}, line ${first + 1}: passed over, since it stands in no subtitle: ${shown(lines[first]!)}`);
  }
  return parts;
}

const TIME = String.raw`(?:(\d+):)?([0-5]?\d):([0-5]?\d)(?:[.,](\d{1,3}))?`;
const TIMES = new RegExp(`^\\s*${TIME}\\s*-->\\s*${TIME}(?:\\s.*)?$`);
/** `<i>`, `</font>`, `<v Anna>`, `<c.loud>`, `<00:01.000>`, and `{\an8}` of other formats. In WebVTT all between `<` and `>`. */
const TAGS = /<\/?[a-z][^<>]*>|<[\d:.]+>|\{\\[^{}]*\}/gi;
const WEB_TAGS = /<[^>]*>|\{\\[^{}]*\}/g;
/** Marks of a text's direction, and other characters without width. */
const UNSEEN = /[\u200b-\u200f\u202a-\u202e\u2060\ufeff]/g;

function toSubtitle({ line, times, words }: Part, web: boolean, where: string): Subtitle {
  const found = TIMES.exec(times);
  if (found === null) throw badTimes(where, line, times, web);
  const [start, end] = [seconds(found.slice(1, 5)), seconds(found.slice(5, 9))];
  if (end < start) throw new DataError(`${where}, line ${line}: expected the end after the start, got ${times.trim()}`);
  const plain = decodeEntities(words.join('\n').replace(web ? WEB_TAGS : TAGS, ''));
  return { start, end, text: plain.replace(UNSEEN, '').replace(/\s+/g, ' ').trim() };
}

function badTimes(where: string, line: number, got: string, web: boolean): DataError {
  const example = web ? '00:01.000 --> 00:02.500' : '00:00:01,000 --> 00:00:02,500';
  return new DataError(`${where}, line ${line}: expected times as ${example}, got ${shown(got)}`);
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 80));

function seconds([hours = '0', minutes, rest, fraction = '0']: readonly (string | undefined)[]): number {
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(`${rest}.${fraction}`);
}

/**
 * Subtitles within a recording: what goes on past its end is cut there, what begins after it is left out, and both are told.
 * @param duration - of the recording, in seconds
 * @param where - the subtitles' file, named in the error
 * @throws DataError when there are some and none lies within
 */
export function fitSubtitles(
  spans: readonly SpokenSpan[],
  duration: number,
  where: string,
  note: Note = ignore,
): SpokenSpan[] {
  const time = ({ start, end }: SpokenSpan): string => `${start.toFixed(2)} to ${end.toFixed(2)} s`;
  const within = spans.filter((span, i) => {
    const late = span.start >= duration;
    if (late) note(`subtitle ${i + 1}, ${time(span)}, begins after the end, ${duration.toFixed(2)} s: left out`);
    return !late;
  });
  if (spans.length > 0 && within.length === 0) {
    throw new DataError(
      `${where}: none of its ${spans.length} subtitles lies within the recording, which ends after ${duration.toFixed(2)} s; ` +
        `the first is at ${time(spans[0]!)}: are these its subtitles?`,
    );
  }
  return within.map((span, i) => {
    if (span.end > duration + 0.01)
      note(`subtitle ${i + 1}, ${time(span)}, goes on past the end, ${duration.toFixed(2)} s: cut there`);
    return { ...span, end: Math.min(span.end, duration) };
  });
}
