#!/usr/bin/env node
// Writes src/torch/generated/operators.ts: the types of every aten operator, from the schemas of the libtorch that
// the addon was built against. `--check` compares instead of writing.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = new URL('..', import.meta.url);
export const target = fileURLToPath(new URL('src/torch/generated/operators.ts', root));

const SIMPLE = {
  Tensor: 'Tensor',
  Scalar: 'Scalar',
  int: 'Int',
  SymInt: 'Int',
  float: 'number',
  bool: 'boolean',
  str: 'string',
  Device: 'string',
  ScalarType: 'DType',
  Layout: 'string',
  MemoryFormat: 'MemoryFormat',
  Generator: 'Generator',
};

export function camelCase(snake) {
  const [, head, body] = /^(_*)(.*)$/.exec(snake);
  return head + body.replace(/_([^_])/g, (_, letter) => letter.toUpperCase());
}

// 'a, b(c, d), e' -> ['a', 'b(c, d)', 'e']
function splitTop(text) {
  const parts = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = text[i];
    if (c === '(' || c === '[') depth++;
    else if (c === ')' || c === ']') depth--;
    else if (i === text.length || (c === ',' && depth === 0)) {
      if (text.slice(start, i).trim()) parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return parts;
}

function parseType(text, asResult) {
  const match = /^([A-Za-z]+)(?:\([^)]*\))?(\?)?(\[(\d*)\])?(?:\([^)]*\))?(\?)?$/.exec(text.trim());
  if (!match) return null;
  const [, name, elementOptional, list, count, optional] = match;
  let type = SIMPLE[name];
  if (!type) return null;
  if (asResult && type === 'Int') type = 'number';
  if (asResult && type === 'Scalar') type = 'number | boolean';
  const isOptional = Boolean(optional || (!list && elementOptional));
  if (list) {
    const element = elementOptional ? `${type} | null` : type;
    const wrapped = element.includes(' ') ? `(${element})` : element;
    type = asResult ? `${wrapped}[]` : `readonly ${wrapped}[]`;
    if (!asResult && count) type = `${SIMPLE[name]} | ${type}`;
  }
  return { type: isOptional ? `${type} | null` : type, optional: isOptional };
}

function parseArguments(text) {
  const positional = [];
  const keywords = [];
  let into = positional;
  for (const part of splitTop(text)) {
    if (part === '*') {
      into = keywords;
      continue;
    }
    const match = /^(.*?) (\w+)(=.*)?$/s.exec(part);
    const parsed = match && parseType(match[1], false);
    if (!parsed) return null;
    into.push({ name: camelCase(match[2]), type: parsed.type, hasDefault: Boolean(match[3]) });
  }
  return { positional, keywords };
}

function parseReturns(text) {
  const inner = text.startsWith('(') ? splitTop(text.slice(1, -1)) : [text];
  const types = inner.map((part) => parseType(part.replace(/ \w+$/, ''), true)?.type);
  if (types.some((type) => !type)) return null;
  if (text === '()') return 'null';
  return types.length === 1 && !text.startsWith('(') ? types[0] : `[${types.join(', ')}]`;
}

/** One schema line, or null where it has no counterpart in TypeScript (named dimensions, `out=`, storages). */
export function parseSchema(line) {
  const match = /^aten::([\w]+)(?:\.(\w+))?\((.*)\) -> (.*)$/s.exec(line);
  if (!match) return null;
  const [, name, overload = '', args, result] = match;
  if (/dimname|names/i.test(overload) || /(^|_)out$/.test(overload)) return null;
  const parsed = parseArguments(args);
  const returns = parseReturns(result);
  if (!parsed || !returns || /\*,.*!\)/.test(args)) return null;
  return { name: camelCase(name), overload, ...parsed, returns };
}

const RESERVED = new Set([
  'function',
  'var',
  'default',
  'in',
  'with',
  'new',
  'delete',
  'return',
  'this',
  'class',
  'enum',
]);
const safe = (name) => (RESERVED.has(name) ? `${name}_` : name);
const parameter = (a) => `${safe(a.name)}: ${a.type}`;
const bag = (list) => `{ ${list.map((a) => `${a.name}?: ${a.type}`).join('; ')} }`;

// Required arguments by position; then the optional ones either all by name or by position as well.
function signatures(schema, asMethod) {
  const positional = asMethod ? schema.positional.slice(1) : schema.positional;
  const cut = positional.findIndex((a) => a.hasDefault);
  const required = cut < 0 ? positional : positional.slice(0, cut);
  const optional = cut < 0 ? [] : positional.slice(cut);
  const needed = schema.keywords.filter((a) => !a.hasDefault);
  const options = (list) => (list.length ? [`options${needed.length ? '' : '?'}: ${bag(list)}`] : []);
  const forms = [[...required.map(parameter), ...options([...optional, ...schema.keywords])]];
  if (optional.length) {
    const mark = (a) => (needed.length ? parameter(a) : `${safe(a.name)}?: ${a.type}`);
    forms.push([...required.map(parameter), ...optional.map(mark), ...options(schema.keywords)]);
  }
  return forms.map((form) => `(${form.join(', ')}): ${schema.returns}`);
}

// Members of Tensor that are written by hand, because theirs differ from the schema's.
const OWN_METHODS = new Set(
  'to index cpu float double long grad backward item data device requiresGrad isLeaf retainGrad setData numel shape'.split(
    ' ',
  ),
);

const isMethod = ({ positional: [first] }) => first?.name === 'self' && first.type === 'Tensor';

/** The whole file, from the addon's list of schemas. */
export function generate(schemas) {
  const byName = new Map();
  for (const line of [...schemas].sort()) {
    const schema = parseSchema(line);
    if (schema) byName.set(schema.name, [...(byName.get(schema.name) ?? []), schema]);
  }
  const names = [...byName.keys()].sort();
  const lines = (asMethod) =>
    names
      .filter((name) => !asMethod || !OWN_METHODS.has(name))
      .flatMap((name) => {
        const schemas = byName.get(name).filter((schema) => !asMethod || isMethod(schema));
        return [...new Set(schemas.flatMap((schema) => signatures(schema, asMethod)))].map(
          (text) => `  ${name}${text};`,
        );
      });
  return `// Generated by scripts/generate-operators.mjs from libtorch's schemas. Do not edit.
import type { DType, MemoryFormat } from '../dtype.js';
import type { Generator } from '../generator.js';
import type { Tensor } from '../tensor.js';

/** An integer argument. */
export type Int = number | bigint;
/** A number or boolean; integers stay integers, as in Python. */
export type Scalar = number | bigint | boolean;

/** Every aten operator as a function. */
export interface Operators {
${lines(false).join('\n')}
}

/** The aten operators whose first argument is a tensor \`self\`, as methods of it. */
export interface TensorMethods {
${lines(true).join('\n')}
}
`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const native = createRequire(import.meta.url)(fileURLToPath(new URL('build/native/headrace.node', root)));
  const text = generate(native.schemas());
  if (!process.argv.includes('--check')) writeFileSync(target, text);
  else if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write(`${target} is out of date: run node scripts/generate-operators.mjs\n`);
    process.exitCode = 1;
  }
}
