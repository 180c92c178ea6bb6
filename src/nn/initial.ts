/**
 * Which tensors of a module still hold what their maker gave them, and which somebody has written since.
 * libtorch counts the writes to a tensor and to all views of it: a count that has not moved tells that nobody wrote.
 */
import { expectFunction, misfit } from '../torch/expect.js';
import { defaultGenerator, deriveSeed, Generator, noGrad, ops, scope, Tensor } from '../torch/index.js';
import type { Module } from './module.js';

/** How often a tensor had been written when it was made or drawn, and the module that draws it, where that is known. */
interface Made {
  readonly version: number;
  readonly owner: Module | null;
}

const made = new WeakMap<Tensor, Made>();
/** Modules that have drawn themselves, or were told not to, and the names of the tensors that they had then. */
const drawn = new WeakMap<Module, ReadonlySet<string>>();
let skipping = false;
/** What constructors draw their layers' initial values from; null for the default generator. */
let source: Generator | null = null;

/** Builds modules without drawing their initial values (memory is allocated, its content arbitrary): for weights that are loaded next. */
export function skipInit<T>(build: () => T): T {
  expectFunction('skipInit', build, 'a function that builds a module');
  const before = skipping;
  skipping = true;
  try {
    return build();
  } finally {
    skipping = before;
  }
}

export function initSkipped(): boolean {
  return skipping;
}

/** The generator that a layer under construction draws its initial values from. */
export function initialSource(): Generator {
  return source ?? defaultGenerator;
}

/** Counts a tensor as not written from now on, and `owner` as the module that draws it. */
export function markMade(tensor: Tensor, owner: Module | null = null): void {
  made.set(tensor, { version: ops._version(tensor), owner });
}

/** Counts a tensor as written. */
export function markWritten(tensor: Tensor): void {
  made.delete(tensor);
}

/** Counts all tensors of a module as its own to draw: for the end of its constructor. */
export function markDrawn(module: Module): void {
  const own = tensorsOf(module);
  for (const [, tensor] of own) markMade(tensor, module);
  drawn.set(module, new Set(own.map(([name]) => name)));
}

/** Does `change`, which gives `after` the values of `before`; what was not written is not written then either. */
export function carryingMade(before: Tensor, change: () => Tensor): void {
  const mark = isUntouched(before) ? made.get(before) : undefined;
  const after = change();
  if (mark) markMade(after, mark.owner);
}

/** Has a module's copy draw what the module would still draw. @param copies - module to copy, of all that were copied */
export function carryMarks(from: Module, to: Module, copies: ReadonlyMap<object, unknown>): void {
  const names = drawn.get(from);
  if (names) drawn.set(to, names);
  const copied = new Map(tensorsOf(to));
  for (const [name, tensor] of tensorsOf(from)) {
    const like = copied.get(name);
    const owner = made.get(tensor)?.owner ?? null;
    if (!like) continue;
    if (!isUntouched(tensor)) markWritten(like);
    else markMade(like, owner && ((copies.get(owner) as Module | undefined) ?? owner));
  }
}

/** Whether nobody has written to a tensor since it was made or drawn. */
export function isUntouched(tensor: Tensor): boolean {
  return made.get(tensor)?.version === ops._version(tensor);
}

/** Whether a tensor under a name of a module is the module's to draw: not written, not put there by others, not tied. */
function isOwnBlank(module: Module, name: string, tensor: Tensor): boolean {
  if (!isUntouched(tensor)) return false;
  const { owner } = made.get(tensor) as Made;
  return owner === module || (owner === null && !drawn.get(module)?.has(name));
}

function tensorsOf(module: Module): [name: string, tensor: Tensor][] {
  return Object.entries(module).filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
}

/**
 * Draws all initial values from `g` in the order of `module.initialise(g)`, but puts back what has been written since the
 * modules were made: by a constructor, `apply`, `loadStateDict`, or by putting another parameter in a layer's place. What
 * is written does not change what the other layers draw. A tied weight is drawn by the layer that made it.
 */
export function initialiseUnwritten(module: Module, g: Generator): void {
  if (typeof module?.modules !== 'function') throw misfit('initialiseUnwritten', 'a module', module);
  const written = new Map<Module, Tensor[]>();
  for (const each of module.modules()) {
    const kept = tensorsOf(each).filter(([name, tensor]) => !isOwnBlank(each, name, tensor));
    written.set(
      each,
      kept.map(([, tensor]) => tensor),
    );
  }
  const draw = (each: Module): void => {
    noGrad(() =>
      scope(() => {
        if (!each.resetParameters) return;
        const before = (written.get(each) ?? []).map((tensor) => [tensor, tensor.clone()] as const);
        each.resetParameters(g);
        for (const [tensor, values] of before) tensor.copy_(values);
      }),
    );
    for (const child of each.children()) draw(child);
  };
  draw(module);
}

/**
 * Builds modules while the default generator is seeded: what constructors draw from it follows from the seed. It continues
 * afterwards as if nothing had been drawn. Layers draw their own initial values from another generator, so that what a
 * constructor scales, or writes a part of, is drawn, too.
 */
export function constructSeeded<T>(build: () => T, seed: number): T {
  expectFunction('constructSeeded', build, 'a function that builds a module');
  const [initial, state] = [defaultGenerator.initialSeed, defaultGenerator.getState().keep()];
  const before = source;
  defaultGenerator.manualSeed(seed);
  source = new Generator(deriveSeed(seed, 'layers'));
  try {
    return build();
  } finally {
    source = before;
    defaultGenerator.manualSeed(initial).setState(state);
    state.dispose();
  }
}

/**
 * Builds a module whose initial values follow from a seed alone: those that its constructors write or draw themselves,
 * and for all other parameters each layer's own distribution.
 */
export function buildSeeded<M extends Module>(build: () => M, seed: number): M {
  const module = constructSeeded(build, deriveSeed(seed, 'construct'));
  initialiseUnwritten(module, new Generator(seed));
  return module;
}
