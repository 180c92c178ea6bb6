// The code blocks of documents as programs: taken out, compiled as strictly as a user would, and run.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { filesBelow, read, root } from './repository.js';

/** A block of a document, and where it stands. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** Of its first line of code, from 1. */
  readonly line: number;
}

/** Every fenced block of a document, in order. */
export function blocksOf(document: string): Block[] {
  const text = read(document);
  return [...text.matchAll(/^```(\w*)[^\n]*\n(.*?)^```/gms)].map((match) => ({
    language: match[1]!,
    text: match[2]!,
    line: text.slice(0, match.index).split('\n').length + 1,
  }));
}

/** Whether a block shows a part of an example's file, letter by letter. */
export function isExcerpt({ text }: Block): boolean {
  return filesBelow('examples', ['.ts']).some((file) => read(file).includes(text));
}

const IMPORT = /^import [^;]*;\n/gm;

/** A module, as one or more blocks of a document make it. */
export interface Program {
  /** `docs/memory.md:11`. */
  readonly where: string;
  readonly text: string;
  /** Values and errors that its comments promise. */
  readonly promises: number;
}

/**
 * The programs of a document: a block that imports something begins one, others go on in it, each in a scope of its own.
 * `expression; // => text` is checked against what the console would print, `expression; // throws text` against the error.
 */
export function programsOf(document: string): Program[] {
  const programs: Block[][] = [];
  for (const block of blocksOf(document).filter(({ language }) => language === 'ts')) {
    if (block.text.match(IMPORT)) programs.push([block]);
    else if (!isExcerpt(block)) {
      if (programs.length === 0) throw new Error(`${document}:${block.line}: the first block imports nothing`);
      programs.at(-1)!.push(block);
    }
  }
  return programs.map((blocks) => {
    const imports = blocks.flatMap(({ text }) => text.match(IMPORT) ?? []).join('');
    const bodies = blocks.map(({ text }) => withChecks(text.replace(IMPORT, '')));
    const promises = bodies.join('').match(/^\s*(await )?__check/gm)?.length ?? 0;
    const [first, ...rest] = bodies;
    const text = `${imports}${CHECKS}${first}\n${rest.map((body) => `{\n${body}}\n`).join('')}`;
    return { where: `${document}:${blocks[0]!.line}`, text, promises };
  });
}

const CHECKS = `import { inspect as __inspect } from 'node:util';
function __check(code: string, value: unknown, text: string): void {
  const shown = typeof value === 'string' ? value : __inspect(value);
  if (shown !== text) throw new Error(\`\${code}: the document says \${text}, and it is \${shown}\`);
}
async function __checkThrows(code: string, body: () => unknown, text: string): Promise<void> {
  try {
    await body();
  } catch (error) {
    if ((error as Error).message.startsWith(text)) return;
    throw new Error(\`\${code}: the document says "\${text}", and the error is "\${(error as Error).message}"\`);
  }
  throw new Error(\`\${code}: the document says that it throws\`);
}
`;

function withChecks(block: string): string {
  const quoted = (text: string) => JSON.stringify(text);
  return block
    .replace(/^(.*?);\s*\/\/ => (.*)$/gm, (_, code, text) => `__check(${quoted(code)}, ${code}, ${quoted(text)});`)
    .replace(
      /^(.*?);\s*\/\/ throws (.*)$/gm,
      (_, code, text) => `await __checkThrows(${quoted(code)}, () => ${code}, ${quoted(text)});`,
    );
}

const started = promisify(execFile);

/**
 * A folder in which the package is found by its name, with `files` as TypeScript compiled under `strict`.
 * @returns where the JavaScript lies
 */
export async function compilePrograms(folder: string, files: Readonly<Record<string, string>>): Promise<string> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.join(folder, 'node_modules'), { recursive: true });
  symlinkSync(root, path.join(folder, 'node_modules', 'headrace'), 'dir');
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  const compilerOptions = {
    strict: true,
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    typeRoots: [path.join(root, 'node_modules', '@types')],
    skipLibCheck: true,
    rootDir: '.',
    outDir: 'out',
  };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  await run(folder, path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', folder);
  return path.join(folder, 'out');
}

/** Runs a script with this Node in `folder`; its standard output. @throws Error with all that it printed */
export async function run(folder: string, ...args: string[]): Promise<string> {
  try {
    return (await started(process.execPath, args, { cwd: folder, timeout: 600_000, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${args.join(' ')}\n${stdout}\n${stderr}`);
  }
}

/** Runs a program that was compiled as a thread of this process, which spares loading libtorch once more. @throws what it throws */
export async function runAsThread(file: string): Promise<void> {
  const thread = new Worker(file, { stdout: true, stderr: true, execArgv: [] });
  for (const output of [thread.stdout, thread.stderr]) output.resume();
  const [code] = (await once(thread, 'exit')) as [number];
  if (code !== 0) throw new Error(`${file} ended with code ${code}`);
}

/** The command lines of a document that call `headrace`, as words; what stands behind three spaces tells, and is left out. */
export function commandsOf(document: string): { readonly where: string; readonly words: string[] }[] {
  return blocksOf(document)
    .filter(({ language }) => language === '' || language === 'sh')
    .flatMap(({ text, line }) =>
      joined(text).flatMap(({ text: command, offset }) => {
        const found = /^(?:npx )?headrace (.+)$/.exec(command);
        if (!found) return [];
        return [{ where: `${document}:${line + offset}`, words: wordsOf(found[1]!.split(/ {3,}/)[0]!) }];
      }),
    );
}

/** Lines, those that end in a backslash joined with the next. */
function joined(text: string): { text: string; offset: number }[] {
  const lines: { text: string; offset: number }[] = [];
  let open: { text: string; offset: number } | null = null;
  for (const [offset, line] of text.split('\n').entries()) {
    const whole: { text: string; offset: number } =
      open === null ? { text: line, offset } : { text: `${open.text} ${line.trim()}`, offset: open.offset };
    open = null;
    if (whole.text.endsWith('\\')) open = { text: whole.text.slice(0, -1).trimEnd(), offset: whole.offset };
    else lines.push(whole);
  }
  return lines;
}

const wordsOf = (command: string): string[] =>
  [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3]!);
