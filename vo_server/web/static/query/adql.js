// Which words, strings and signs does a query consist of? Never fails: what is no token is "other".

const TOKEN = /(?<space>\s+)|(?<comment>--[^\n]*)|(?<string>'(?:[^']|'')*'?)|(?<delimited>"(?:[^"]|"")*"?)|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<sign>\|\||<>|!=|<=|>=|[-+*/=<>(),.;])|(?<other>[^])/gu;

/** The tokens of a text: kind, text, and the offset of its first character. */
export function tokens(text) {
  const found = [];
  for (const match of text.matchAll(TOKEN)) {
    const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
    found.push({ kind, text: match[0], start: match.index });
  }
  return found;
}

/** The name that a token stands for: a delimited one without its quotes, others in small letters. */
export function plain(token) {
  if (token.kind !== "delimited") return token.text.toLowerCase();
  return token.text.replace(/^"|"$/g, "").replaceAll('""', '"').toLowerCase();
}

/** The place that a message of the server names, as an offset into the text; null where it names none. */
export function placeOf(message, text) {
  const named = /^line (\d+), column (\d+):/.exec(message);
  if (!named) return null;
  const [line, column] = [Number(named[1]), Number(named[2])];
  const lines = text.split("\n").slice(0, line - 1);
  const before = lines.reduce((sum, each) => sum + each.length + 1, 0);
  const own = (text.slice(before).split("\n", 1)[0] ?? "").length;
  // The server counts characters, a script counts units of UTF-16.
  const characters = [...text.slice(before, before + own)].slice(0, column - 1).join("").length;
  return Math.min(text.length, before + characters);
}

/** The stretch of text that is marked for an offset: the token there, or the character before the end. */
export function stretchAt(text, offset) {
  const token = tokens(text).find((each) => each.start <= offset && offset < each.start + each.text.length);
  if (token && token.kind !== "space") return [token.start, token.start + token.text.length];
  return [Math.max(0, Math.min(offset, text.length - 1)), Math.min(text.length, offset + 1)];
}
