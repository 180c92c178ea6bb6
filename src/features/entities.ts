/** HTML's character references in subtitles: `&amp;`, `&nbsp;`, `&eacute;`, `&#39;`, `&#x2019;`. */

/** Characters 160 to 255, in their order. */
const latin =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot ' +
  'cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml ' +
  'Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig ' +
  'agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ' +
  'ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml';

const named: ReadonlyMap<string, string> = new Map([
  ...latin.split(' ').map((name, i): [string, string] => [name, String.fromCharCode(160 + i)]),
  ...Object.entries({
    amp: '&',
    AMP: '&',
    lt: '<',
    LT: '<',
    gt: '>',
    GT: '>',
    quot: '"',
    QUOT: '"',
    apos: "'",
    lrm: '\u200e',
    rlm: '\u200f',
    zwnj: '\u200c',
    zwj: '\u200d',
    ensp: '\u2002',
    emsp: '\u2003',
    thinsp: '\u2009',
    ndash: '\u2013',
    mdash: '\u2014',
    lsquo: '\u2018',
    rsquo: '\u2019',
    sbquo: '\u201a',
    ldquo: '\u201c',
    rdquo: '\u201d',
    bdquo: '\u201e',
    bull: '\u2022',
    hellip: '\u2026',
    prime: '\u2032',
    lsaquo: '\u2039',
    rsaquo: '\u203a',
    euro: '\u20ac',
    trade: '\u2122',
    OElig: '\u0152',
    oelig: '\u0153',
    Scaron: '\u0160',
    scaron: '\u0161',
    Yuml: '\u0178',
    hearts: '\u2665',
    sung: '\u266a',
    larr: '\u2190',
    rarr: '\u2192',
    minus: '\u2212',
    num: '#',
    excl: '!',
    quest: '?',
    percnt: '%',
    comma: ',',
    period: '.',
    colon: ':',
    semi: ';',
    lpar: '(',
    rpar: ')',
    lbrack: '[',
    lsqb: '[',
    rbrack: ']',
    rsqb: ']',
    ast: '*',
    plus: '+',
    equals: '=',
    sol: '/',
    bsol: '\\',
    commat: '@',
    dollar: '$',
    lowbar: '_',
    Tab: '\t',
    NewLine: '\n',
  }),
]);

/** What numbers 128 to 159 mean in HTML: the characters of Windows at these places. */
const windows =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

/** Puts characters for their references; a name that is not known stays as it is. */
export function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d+);?|#[xX]([\da-fA-F]+);?|([A-Za-z]\w*);)/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return named.get(name as string) ?? whole;
    return characterOf(decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal));
  });
}

function characterOf(code: number): string {
  if (code >= 128 && code < 160) return windows[code - 128] as string;
  const none = code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
  return none ? '\ufffd' : String.fromCodePoint(code);
}
