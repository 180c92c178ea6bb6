/** The end of reading: stand-ins give way to values, and what is handed out is a finite tree that any program can walk. */
import { ObjectArray } from './lazy-array.js';
import { decodeUtf8, longText } from './pickle-opcodes.js';
import {
  ArrayDraft,
  LongText,
  PickleGlobal,
  type PickleHost,
  type PickleValue,
  Python2String,
  TypeDraft,
} from './pickle-values.js';

/** How the `str` of Python 2 is read. */
export type Python2Encoding = 'ascii' | 'latin1' | 'utf8';

/** Nesting that is read. Python cannot write more than its recursion limit of 1,000. */
const maxDepth = 1000;
/** Small pickles may refer to one value many times; the tree that a reader walks is bounded by this and the file's size. */
const baseTreeSize = 1_000_000;

/** A container: a list, a tuple, the values of a dict or of an object array. Members of sets are never containers. */
type Container = unknown[] | Map<unknown, unknown> | ObjectArray;

interface Measure {
  /** Levels below and including this one. */
  depth: number;
  /** Values below it, each counted as often as it is reached. */
  size: number;
}

interface Frame extends Measure {
  readonly node: Container;
  readonly keys: Iterator<unknown>;
}

/**
 * Replaces stand-ins throughout and checks the whole: no cycles, bounded depth, bounded size when walked as a tree.
 * @throws DataError, through the host
 */
export function settle(root: unknown, host: PickleHost, fileSize: number, encoding: Python2Encoding): PickleValue {
  const result = finish(root, host, encoding);
  if (!isContainer(result)) return result as PickleValue;
  const largest = baseTreeSize + 16 * fileSize;
  const done = new Map<Container, Measure>();
  const open = new Set<Container>([result]);
  const path: Frame[] = [frame(result)];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const child = nextContainer(top, host, encoding);
    if (child === null) {
      path.pop();
      open.delete(top.node);
      done.set(top.node, { depth: top.depth, size: top.size });
      const parent = path.at(-1);
      if (parent !== undefined) add(parent, top);
    } else {
      const known = done.get(child);
      if (known !== undefined) add(top, known);
      else if (open.has(child)) host.fail('a value contains itself; only trees are read');
      else {
        open.add(child);
        path.push(frame(child));
      }
    }
    if (top.depth > maxDepth || path.length > maxDepth) host.fail(`values are nested deeper than ${maxDepth} levels`);
    if (top.size > largest) host.fail(`values refer to each other so often that they unfold to more than ${largest}`);
  }
  return result as PickleValue;
}

function frame(node: Container): Frame {
  const elements = Array.isArray(node) ? node : node instanceof Map ? node : (node.values as unknown[]);
  return { node, keys: elements.keys(), depth: 1, size: 1 };
}

function add(parent: Measure, child: Measure): void {
  parent.depth = Math.max(parent.depth, child.depth + 1);
  parent.size += child.size - 1; // itself was counted when it was found
}

/** Goes on through the frame's elements, replacing stand-ins, up to the next container. */
function nextContainer(at: Frame, host: PickleHost, encoding: Python2Encoding): Container | null {
  const { node, keys } = at;
  const elements = node instanceof ObjectArray ? (node.values as unknown[]) : node;
  for (let next = keys.next(); next.done !== true; next = keys.next()) {
    const key = next.value;
    const value = elements instanceof Map ? elements.get(key) : elements[key as number];
    const settled = finish(value, host, encoding);
    if (settled !== value) {
      if (elements instanceof Map) elements.set(key, settled);
      else elements[key as number] = settled;
    }
    at.size++;
    if (!isContainer(settled)) continue;
    if (!isEmpty(settled)) return settled;
    at.depth = Math.max(at.depth, 2);
  }
  return null;
}

function isContainer(value: unknown): value is Container {
  return Array.isArray(value) || value instanceof Map || value instanceof ObjectArray;
}

function isEmpty(container: Container): boolean {
  if (Array.isArray(container)) return container.length === 0;
  return container instanceof Map ? container.size === 0 : container.values.length === 0;
}

function finish(value: unknown, host: PickleHost, encoding: Python2Encoding): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof ArrayDraft) return value.value ?? host.fail('an array was begun and never filled');
  if (value instanceof TypeDraft) return value.value;
  if (value instanceof PickleGlobal) return value.value ?? host.fail(`expected a value, got ${value.name} itself`);
  if (value instanceof LongText) return longText(host, value);
  return value instanceof Python2String ? python2Text(host, value, encoding) : value;
}

function python2Text(host: PickleHost, old: Python2String, encoding: Python2Encoding): string {
  if (old.text === null) {
    host.charge(2 * old.range.length);
    old.text = decodePython2(host, old.range.read(), encoding);
  }
  return old.text;
}

function decodePython2(host: PickleHost, bytes: Uint8Array, encoding: Python2Encoding): string {
  if (encoding === 'utf8') return decodeUtf8(host, bytes);
  if (encoding === 'ascii' && bytes.some((byte) => byte >= 0x80)) {
    return host.fail("a string of Python 2 is not ASCII: say what it is with { python2Strings: 'utf8' } or 'latin1'");
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
