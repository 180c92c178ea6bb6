// How the arguments of a class or function here differ from PyTorch's: names, defaults and places, for FEATURES.md.

/** `T_max` is tMax, as `weight_decay` is weightDecay. */
const camel = (name) =>
  name
    .replace(/^[A-Z](?=_)/, (letter) => letter.toLowerCase())
    .replace(/(?<=[a-z0-9A-Z])_+([a-z0-9])/g, (_, letter) => letter.toUpperCase());

/** PyTorch's arguments that it has deprecated, or that only print. */
const PASSED_OVER = new Set(['sizeAverage', 'reduce', 'verbose', 'device', 'dtype', 'minValue', 'maxValue']);
/** What the last argument is called that holds options. */
const OPTIONS = new Set(['o', 'options']);

/** The names of a function's parameters, from its text. */
function namesIn(text) {
  let depth = 0;
  const parts = [''];
  for (const letter of text) {
    if ('([{'.includes(letter)) depth += 1;
    if (')]}'.includes(letter)) depth -= 1;
    if (letter === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return parts.map((part) => part.trim().split(/[\s=]/)[0]).filter((name) => name !== '' && !name.startsWith('{'));
}

/** The text between the parentheses that open at `from`. */
function insideParentheses(text, from) {
  let depth = 0;
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === '(') depth += 1;
    if (text[i] === ')' && --depth === 0) return text.slice(from + 1, i);
  }
  return '';
}

/** What a class or function takes in order; of a class without a constructor what its parent takes. */
function positional(value) {
  for (
    let each = value;
    typeof each === 'function' && each !== Function.prototype;
    each = Object.getPrototypeOf(each)
  ) {
    const text = String(each);
    const isClass = text.startsWith('class');
    const at = isClass ? text.search(/\bconstructor\(/) : 0;
    if (at >= 0) return namesIn(insideParentheses(text, text.indexOf('(', at))).filter((name) => !OPTIONS.has(name));
  }
  return [];
}

const spelled = (value) => (typeof value === 'string' ? camel(value) : value);
const same = (theirs, own) => JSON.stringify(spelled(theirs)) === JSON.stringify(own);

/**
 * The differences in words, each a phrase such as "no `max_norm`"; none where all of PyTorch's arguments are here.
 * @param theirs - [name, default] or [name] of each of PyTorch's arguments
 * @param declared - the signature of the package, where it has one for the name
 */
export function differencesOf(theirs, value, declared) {
  const places = positional(value);
  const rules = { ...(declared?.args ?? {}), ...(declared?.options ?? {}) };
  // Tensors and modules come first and go by their places alone, whatever they are called.
  const bare = places.filter((name) => rules[name] === undefined).length;
  const missing = [];
  const others = [];
  theirs.forEach(([name, ...fallback], i) => {
    const own = camel(name);
    const rule = rules[own];
    if (PASSED_OVER.has(own) || (rule === undefined && (places.includes(own) || i < bare))) return;
    if (rule === undefined) missing.push(`\`${name}\``);
    else if (fallback.length > 0 && fallback[0]?.python === undefined) {
      // A default that is an object of Python's, such as a function, says nothing here.
      if (rule.fallback === undefined) others.push(`\`${own}\` must be given`);
      else if (!same(fallback[0], rule.fallback)) {
        others.push(`\`${own}\` is ${JSON.stringify(rule.fallback)} by default`);
      }
    }
  });
  return [...(missing.length > 0 ? [`no ${missing.join(', ')}`] : []), ...others];
}
