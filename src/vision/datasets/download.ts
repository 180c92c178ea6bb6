/** Fetches a file over HTTP: resumes what was begun, checks what came, and shows progress. */
import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  renameSync,
  rmSync,
  statSync,
  type WriteStream,
} from 'node:fs';
import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import { basename } from 'node:path';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataError } from '../../torch/errors.js';

export interface DownloadProgress {
  readonly phase: 'download' | 'unpack';
  readonly file: string;
  /** Bytes at hand, those of an earlier attempt included. */
  readonly received: number;
  /** Bytes of the whole file; null where the server does not say. */
  readonly total: number | null;
  /** Of this run. */
  readonly bytesPerSecond: number;
  readonly secondsLeft: number | null;
}

export interface DownloadOptions {
  readonly url: string;
  /** Where the file goes. Until it is whole and checked it is `path.part`. */
  readonly path: string;
  /** Expected MD5, hexadecimal, as the source publishes it. */
  readonly md5?: string | undefined;
  /** Looks at what came under the name given, and throws a DataError where it is not what was meant. */
  readonly check?: ((path: string) => void) | undefined;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Stops the download and leaves the part for the next attempt. */
  readonly signal?: AbortSignal;
  /** Attempts in a row that bring nothing before it gives up; 3 by default. */
  readonly attempts?: number;
  /** Between attempts; 1000 ms by default. */
  readonly retryDelayMs?: number;
  /** Silence after which a connection counts as cut; 60,000 ms by default. */
  readonly stallMs?: number;
}

/** A failure that another attempt may mend. */
class Interrupted extends Error {}

/**
 * Downloads one file. A connection that breaks is taken up again where it broke; so is a run that was stopped, by the next call.
 * @throws DataError when the server refuses, the connection fails again and again (the part stays), or the checksum is wrong (the part
 * is deleted)
 */
export async function downloadFile(options: DownloadOptions): Promise<void> {
  const { url, path, md5, check, attempts = 3, retryDelayMs = 1000 } = options;
  const part = `${path}.part`;
  let failures = 0;
  for (;;) {
    const before = sizeOf(part);
    try {
      const sum = await attempt(options, part);
      const wrong = md5 !== undefined && sum !== md5 ? `expected MD5 ${md5}, got ${sum}` : refusal(check, part);
      if (wrong !== null) {
        rmSync(part, { force: true });
        throw new DataError(`${url}: ${wrong}. The file was deleted: try again, or check the address`);
      }
      renameSync(part, path);
      return;
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      failures = sizeOf(part) > before ? 1 : failures + 1;
      if (failures >= attempts) {
        const kept = existsSync(part)
          ? ` ${sizeOf(part)} bytes are kept in ${part}; the same command continues from there`
          : '';
        throw new DataError(`Cannot download ${url}: ${error.message}.${kept}`, { cause: error });
      }
      await sleep(retryDelayMs, undefined, { signal: options.signal });
    }
  }
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

/** One connection: appends to the part; the MD5 of the whole when it ended in good order. */
async function attempt(options: DownloadOptions, part: string): Promise<string> {
  const have = sizeOf(part);
  const response = await request(options, options.url, have, 5);
  const { statusCode = 0, headers } = response;
  if (statusCode === 416) {
    response.destroy();
    return onlyHash(part); // nothing is left to fetch: the part is whole, or its checksum tells
  }
  if (statusCode !== 200 && statusCode !== 206) {
    response.destroy();
    const message = `the server answered ${statusCode} ${response.statusMessage}`;
    if (statusCode >= 500 || statusCode === 429) throw new Interrupted(message);
    throw new DataError(`Cannot download ${options.url}: ${message}. Check the address`);
  }
  const resumed = statusCode === 206;
  if (resumed && !headers['content-range']?.startsWith(`bytes ${have}-`)) {
    response.destroy();
    throw new DataError(
      `Cannot resume ${options.url}: asked for bytes from ${have}, got ${headers['content-range']}. Delete ${part}`,
    );
  }
  const hash = createHash('md5');
  if (resumed) await hashFile(part, hash);
  const length = headers['content-length'] === undefined ? null : Number(headers['content-length']);
  await receive(
    response,
    createWriteStream(part, { flags: resumed ? 'a' : 'w' }),
    hash,
    meter(options, resumed ? have : 0, length),
  );
  return hash.digest('hex');
}

async function receive(
  response: IncomingMessage,
  file: WriteStream,
  hash: Hash,
  count: (bytes: number) => void,
): Promise<void> {
  let writeError: Error | null = null;
  file.on('error', (error) => (writeError ??= error));
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (writeError !== null) break;
      hash.update(chunk);
      count(chunk.length);
      if (!file.write(chunk)) await once(file, 'drain');
    }
  } catch (error) {
    if (writeError === null) throw interruption(error);
  } finally {
    file.end();
    await finished(file).catch(() => {}); // reported below
  }
  if (writeError !== null)
    throw new DataError(`Cannot write ${file.path}: ${(writeError as Error).message}`, { cause: writeError });
}

/** What is wrong with a file that came, or null. */
function refusal(check: DownloadOptions['check'], part: string): string | null {
  try {
    check?.(part);
    return null;
  } catch (error) {
    if (error instanceof DataError) return error.message;
    throw error;
  }
}

/** A stop that the caller asked for passes as it is; anything else of the network may be tried again. */
function interruption(error: unknown): Error {
  if (error instanceof Error && error.name === 'AbortError') return error;
  return new Interrupted(`the connection broke (${error instanceof Error ? error.message : error})`);
}

/** Headers of the answer, redirections followed. Bytes come as they are: nothing is decompressed on the way. */
function request(options: DownloadOptions, url: string, from: number, redirects: number): Promise<IncomingMessage> {
  const { protocol } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new DataError(`Expected an http or https address, got ${url}`);
  const headers: Record<string, string> = { 'user-agent': 'headrace', 'accept-encoding': 'identity' };
  if (from > 0) headers.range = `bytes=${from}-`;
  return new Promise((resolve, reject) => {
    const get = protocol === 'https:' ? getHttps : getHttp;
    const sent = get(url, { headers, signal: options.signal, timeout: options.stallMs ?? 60_000 }, (response) => {
      const { statusCode = 0, headers } = response;
      if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) return resolve(response);
      response.destroy();
      if (redirects === 0) return reject(new DataError(`Cannot download ${options.url}: too many redirections`));
      resolve(request(options, new URL(headers.location, url).href, from, redirects - 1));
    });
    sent.on('timeout', () => sent.destroy(new Error('the server fell silent')));
    sent.on('error', (error) => reject(interruption(error)));
  });
}

async function hashFile(path: string, hash: Hash): Promise<void> {
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
}

async function onlyHash(path: string): Promise<string> {
  const hash = createHash('md5');
  await hashFile(path, hash);
  return hash.digest('hex');
}

/** Counts bytes and reports at most ten times a second, and at the end. */
function meter({ path, onProgress }: DownloadOptions, start: number, length: number | null): (bytes: number) => void {
  const total = length === null ? null : start + length;
  const began = performance.now();
  let received = start;
  let last = 0;
  return (bytes) => {
    received += bytes;
    const now = performance.now();
    if (onProgress === undefined || (now - last < 100 && received !== total)) return;
    last = now;
    const bytesPerSecond = (received - start) / Math.max(1e-3, (now - began) / 1000);
    const secondsLeft = total === null ? null : (total - received) / Math.max(1, bytesPerSecond);
    onProgress({ phase: 'download', file: basename(path), received, total, bytesPerSecond, secondsLeft });
  };
}

/** One line for a terminal: `name  45.2 of 162.2 MB  28 %  5.1 MB/s  0:23 left`. */
export function formatProgress({
  phase,
  file,
  received,
  total,
  bytesPerSecond,
  secondsLeft,
}: DownloadProgress): string {
  if (phase === 'unpack') return `${file}  unpacking`;
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
  const parts = [
    file,
    total === null ? `${megabytes(received)} MB` : `${megabytes(received)} of ${megabytes(total)} MB`,
  ];
  if (total !== null && total > 0) parts.push(`${Math.floor((100 * received) / total)} %`);
  parts.push(`${megabytes(bytesPerSecond)} MB/s`);
  if (secondsLeft !== null) {
    const seconds = Math.ceil(secondsLeft);
    parts.push(`${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left`);
  }
  return parts.join('  ');
}
