import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DataError } from 'headrace';
import { type DatasetSource, type DownloadProgress, formatProgress, getDataset, loadCifar10 } from 'headrace/vision';
import { create } from 'tar';
import { temporaryFolder } from '../io/helpers.js';

const folder = temporaryFolder();

interface Site {
  readonly url: string;
  /** Every request: its path and Range header. */
  readonly requests: string[];
}

/** A server on loopback; `answer` sees how many requests came before. */
async function site(
  answer: (response: ServerResponse, range: number, count: number, path: string) => void,
): Promise<Site> {
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    const range = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    requests.push(`${request.url} ${range}`);
    answer(response, range, requests.length - 1, request.url ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/files`, requests };
}

function serve(response: ServerResponse, bytes: Buffer, range: number): void {
  if (range >= bytes.length) {
    response.writeHead(416).end();
    return;
  }
  const headers = {
    'content-length': bytes.length - range,
    'content-range': `bytes ${range}-${bytes.length - 1}/${bytes.length}`,
  };
  response.writeHead(range > 0 ? 206 : 200, headers).end(bytes.subarray(range));
}

/** CIFAR-10's layout with two images a file. */
async function archive(
  name: string,
  members = [
    'data_batch_1.bin',
    'data_batch_2.bin',
    'data_batch_3.bin',
    'data_batch_4.bin',
    'data_batch_5.bin',
    'test_batch.bin',
  ],
): Promise<Buffer> {
  const root = join(folder, name);
  mkdirSync(join(root, 'cifar-10-batches-bin'), { recursive: true });
  for (const [i, member] of members.entries()) {
    const bytes = Buffer.alloc(2 * 3073);
    for (let at = 1; at < 3073; at++) bytes[at] = (at * 31 + i * 7 + (at >> 5)) % 251;
    writeFileSync(join(root, 'cifar-10-batches-bin', member), bytes);
  }
  await create({ gzip: true, file: join(root, 'a.tar.gz'), cwd: root, portable: true }, ['cifar-10-batches-bin']);
  return readFileSync(join(root, 'a.tar.gz'));
}

function source(bytes: Buffer, md5 = createHash('md5').update(bytes).digest('hex')): DatasetSource {
  const members = ['data_batch_1.bin', 'test_batch.bin'];
  const files = [{ file: 'cifar-10-binary.tar.gz', md5 }];
  return {
    baseUrl: 'http://unused.invalid/',
    files,
    archive: { folder: 'cifar-10-batches-bin', members },
    terms: 'made by a test',
  };
}

const bytes = await archive('good');

test('a set is fetched, checked, unpacked and loads; a second call fetches nothing', async () => {
  const { url, requests } = await site((response, range) => serve(response, bytes, range));
  const dir = join(folder, 'fetched');
  const progress: DownloadProgress[] = [];
  const options = { dir, baseUrl: url, source: source(bytes), onProgress: (p: DownloadProgress) => progress.push(p) };
  assert.deepEqual(await getDataset('cifar10', options), {
    spec: `cifar10:${dir}`,
    fetched: ['cifar-10-binary.tar.gz'],
  });
  assert.deepEqual(requests, ['/files/cifar-10-binary.tar.gz 0']);
  assert.deepEqual(readdirSync(dir), ['cifar-10-batches-bin']);
  assert.equal(loadCifar10(dir, 2).train.length, 10);
  const last = progress.filter(({ phase }) => phase === 'download').at(-1);
  assert.deepEqual([last?.received, last?.total, progress.at(-1)?.phase], [bytes.length, bytes.length, 'unpack']);
  assert.deepEqual((await getDataset('cifar10', options)).fetched, []);
  assert.equal(requests.length, 1);
});

test('files without published sums are looked at, in folders of their own; what is not meant is deleted', async () => {
  const { url, requests } = await site((response, range) => serve(response, Buffer.from('a mesh'), range));
  const dir = join(folder, 'looked-at');
  const check = (path: string): void => {
    if (readFileSync(path, 'utf8') !== 'a mesh') throw new DataError('expected a mesh');
  };
  const refuse = (): void => {
    throw new DataError('expected a licence');
  };
  const files = [
    { file: 'meshes/a.obj', check },
    { file: 'LICENSE', check: refuse },
  ];
  const shown: string[] = [];
  const onProgress = ({ file }: DownloadProgress): void => void shown.push(file);
  const of = { dir, baseUrl: url, onProgress, source: { baseUrl: url, files, terms: 'made by a test' } };
  await assert.rejects(getDataset('faces', of), /LICENSE: expected a licence\. The file was deleted/);
  assert.deepEqual(readdirSync(dir), ['meshes']);
  assert.deepEqual(requests, ['/files/meshes/a.obj 0', '/files/LICENSE 0']);
  assert.deepEqual(shown, ['1/2 a.obj', '2/2 LICENSE']);
});

test('a connection cut half-way is taken up where it broke', async () => {
  const half = bytes.length >> 1;
  const { url, requests } = await site((response, range, count) => {
    if (count > 0) return serve(response, bytes, range);
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, half), () => response.destroy());
  });
  const dir = join(folder, 'cut');
  await getDataset('cifar10', { dir, baseUrl: url, source: source(bytes), retryDelayMs: 1 });
  assert.deepEqual(requests, ['/files/cifar-10-binary.tar.gz 0', `/files/cifar-10-binary.tar.gz ${half}`]);
  assert.equal(loadCifar10(dir, 2).test.length, 2);
});

test('a connection that fails for good leaves a part, which the next call continues', async () => {
  const half = bytes.length >> 1;
  let healthy = false;
  const { url, requests } = await site((response, range) => {
    if (healthy) return serve(response, bytes, range);
    if (range > 0) return response.destroy();
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, half), () => response.destroy());
  });
  const dir = join(folder, 'kept');
  const options = { dir, baseUrl: url, source: source(bytes), retryDelayMs: 1 };
  await assert.rejects(getDataset('cifar10', options), {
    name: 'DataError',
    message: new RegExp(
      `the connection broke.*${half} bytes are kept in .*\\.part; the same command continues from there`,
    ),
  });
  assert.deepEqual(readdirSync(dir), ['cifar-10-binary.tar.gz.part']);
  healthy = true;
  await getDataset('cifar10', options);
  assert.equal(requests.at(-1), `/files/cifar-10-binary.tar.gz ${half}`);
});

test('stopping a download leaves the part; a part that is already whole is only checked', async () => {
  const { url, requests } = await site((response, range, count) => {
    if (count > 0) return serve(response, bytes, range);
    response.writeHead(200, { 'content-length': bytes.length + 1 });
    response.write(bytes); // and never ends
  });
  const dir = join(folder, 'stopped');
  const stop = new AbortController();
  const running = getDataset('cifar10', {
    dir,
    baseUrl: url,
    source: source(bytes),
    signal: stop.signal,
    onProgress: ({ received }) => {
      if (received === bytes.length) stop.abort();
    },
  });
  await assert.rejects(running, { name: 'AbortError' });
  assert.equal(readFileSync(join(dir, 'cifar-10-binary.tar.gz.part')).length, bytes.length);
  await getDataset('cifar10', { dir, baseUrl: url, source: source(bytes) });
  assert.equal(requests.at(-1), `/files/cifar-10-binary.tar.gz ${bytes.length}`);
});

test('a server that does not resume sends the whole file again', async () => {
  const { url } = await site((response) => serve(response, bytes, 0));
  const dir = join(folder, 'restarted');
  mkdirSync(dir);
  writeFileSync(join(dir, 'cifar-10-binary.tar.gz.part'), 'something else');
  await getDataset('cifar10', { dir, baseUrl: url, source: source(bytes) });
  assert.equal(loadCifar10(dir, 2).train.length, 10);
});

test('a wrong checksum deletes what came and names both sums', async () => {
  const { url } = await site((response, range) => serve(response, bytes, range));
  const dir = join(folder, 'checksum');
  const wrong = source(bytes, '0'.repeat(32));
  await assert.rejects(getDataset('cifar10', { dir, baseUrl: url, source: wrong }), {
    name: 'DataError',
    message: /expected MD5 0{32}, got [0-9a-f]{32}\. The file was deleted/,
  });
  assert.deepEqual(readdirSync(dir), []);
});

test('404 is not tried again; 503 and redirections are', async () => {
  const absent = await site((response) => response.writeHead(404).end());
  const dir = join(folder, 'absent');
  await assert.rejects(
    getDataset('cifar10', { dir, baseUrl: absent.url, source: source(bytes) }),
    /answered 404 Not Found\. Check the address/,
  );
  assert.equal(absent.requests.length, 1);
  assert.deepEqual(readdirSync(dir), []);
  const busy = await site((response, range, count, path) => {
    if (count === 0) response.writeHead(503).end();
    else if (!path.startsWith('/moved')) response.writeHead(302, { location: '/moved/here' }).end();
    else serve(response, bytes, range);
  });
  await getDataset('cifar10', { dir, baseUrl: busy.url, source: source(bytes), retryDelayMs: 1 });
  assert.ok(existsSync(join(dir, 'cifar-10-batches-bin', 'test_batch.bin')));
});

test('an archive with names that leave the folder, links, or without its files is refused', async () => {
  const hostile = join(folder, 'hostile');
  mkdirSync(hostile);
  const cases: [string, string, RegExp][] = [
    ['../escaped', '0', /names or links that it should not: \.\.\/escaped/],
    ['/tmp/headrace-escaped', '0', /names or links that it should not: \/tmp\/headrace-escaped/],
    ['cifar-10-batches-bin/link', '2', /names or links that it should not: cifar-10-batches-bin\/link/],
    ['cifar-10-batches-bin/other', '0', /lacks data_batch_1\.bin, test_batch\.bin/],
  ];
  for (const [i, [name, type, message]] of cases.entries()) {
    const evil = tarball(name, type);
    const { url } = await site((response, range) => serve(response, evil, range));
    const dir = join(hostile, `${i}`);
    await assert.rejects(getDataset('cifar10', { dir, baseUrl: url, source: source(evil) }), {
      name: 'DataError',
      message,
    });
    assert.deepEqual(readdirSync(dir), ['cifar-10-binary.tar.gz']);
  }
  assert.deepEqual(readdirSync(hostile).sort(), ['0', '1', '2', '3']);
  assert.ok(!existsSync('/tmp/headrace-escaped'));
});

/** A tar file of one empty member (type 0: file, 2: symbolic link to /etc), from the format's description. */
function tarball(name: string, type: string): Buffer {
  const head = Buffer.alloc(512);
  head.write(name);
  head.write('0000644\0', 100);
  head.write('0000000\0', 108);
  head.write('0000000\0', 116);
  head.write('00000000000\0', 124);
  head.write('00000000000\0', 136);
  head.fill(' ', 148, 156);
  head.write(type, 156);
  if (type === '2') head.write('/etc', 157);
  head.write('ustar\x0000', 257, 'latin1');
  head.write(
    `${head
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return Buffer.concat([head, Buffer.alloc(1024)]);
}

test('names and folders that cannot be used say so', async () => {
  await assert.rejects(
    getDataset('imagenet', { dir: folder }),
    /unknown data set 'imagenet': expected cifar10, svhn, stl10/,
  );
  writeFileSync(join(folder, 'a-file'), '');
  await assert.rejects(getDataset('svhn', { dir: join(folder, 'a-file', 'x') }), /Cannot make the folder/);
});

test('a progress line shows share, speed and time left', () => {
  const progress = { phase: 'download' as const, file: 'x.tar.gz', bytesPerSecond: 5.1e6 };
  assert.equal(
    formatProgress({ ...progress, received: 45.2e6, total: 162.2e6, secondsLeft: 22.9 }),
    'x.tar.gz  45.2 of 162.2 MB  27 %  5.1 MB/s  0:23 left',
  );
  assert.equal(
    formatProgress({ ...progress, received: 1e6, total: null, secondsLeft: null }),
    'x.tar.gz  1.0 MB  5.1 MB/s',
  );
});
