/** Texts as people type them in haste: letters swapped, left out and doubled, no apostrophes, capitals. */

/** @param draw - a whole number below a limit */
export function careless(text: string, draw: (below: number) => number): string {
  const words = text.split(' ');
  const mistakes = 1 + draw(Math.max(1, Math.ceil(words.length / 6)));
  for (let i = 0; i < mistakes; i++) {
    const at = draw(words.length);
    words[at] = mistyped(words[at]!, draw);
  }
  const typed = words.join(' ');
  const habit = draw(6);
  if (habit === 0) return typed.replace(/['’]/g, '');
  if (habit === 1) return `${typed.toUpperCase().replace(/[.!]$/, '')}!!!`;
  if (habit === 2) return typed.replace(/[.,]/g, '');
  return typed;
}

/** A word of at least 4 letters with one letter wrong. */
function mistyped(word: string, draw: (below: number) => number): string {
  if (!/^\p{L}{4,}/u.test(word)) return word;
  const at = 1 + draw(word.length - 2);
  const [before, one, other, after] = [word.slice(0, at), word[at]!, word[at + 1]!, word.slice(at + 2)];
  switch (draw(4)) {
    case 0:
      return before + other + one + after;
    case 1:
      return before + other + after;
    case 2:
      return before + one + one + other + after;
    default:
      return before + (sounds[one] ?? one) + other + after;
  }
}

/** What letters are taken for. */
const sounds: Readonly<Record<string, string>> = {
  a: 'e',
  e: 'a',
  i: 'e',
  o: 'u',
  u: 'o',
  y: 'i',
  c: 'k',
  s: 'z',
  z: 's',
};
