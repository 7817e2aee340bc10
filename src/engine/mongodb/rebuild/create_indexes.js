// Creates the indexes that are listed at the beginning of a mongodump archive, as the owner of the database. Older
// servers accepted options and keys that current ones refuse. What no longer has a meaning is left out, and each case
// is reported.
const env = process.env;
// Owners choose the names of databases. The shell's own look-up takes "constructor" for a JavaScript function, so a
// database with such a name is opened through its class.
const open = (name) => (name in {} ? new db.constructor(db.getMongo(), name) : db.getSiblingDB(name));
open(env.DB4SCI_DATABASE).auth(env.DB4SCI_USER, env.DB4SCI_USER_PASSWORD);
const one = open(env.DB4SCI_DATABASE);
const plain = (text) => String(text).replace(/\s+/g, " ");
const failed = (text) => print(`db4sci\tcontinuing through error: ${plain(text)}`);
const told = (text) => print(`db4sci\ttold: ${plain(text)}`);

// Documents up to the first terminator. Reports a failure if the bytes end before it.
const heads = (bytes) => {
  const found = [];
  for (let at = 4; at + 4 <= bytes.length;) {
    const length = bytes.readInt32LE(at);
    if (length === -1) return found;
    if (length < 5 || at + length > bytes.length) break;
    found.push(bytes.subarray(at, at + length));
    at += length;
  }
  failed("The archive describes too many collections: the indexes of the last ones were not created.");
  return found;
};
// The string fields of a document; nothing else is needed.
const texts = (bytes) => {
  const found = new Map();
  const sizes = { 0x01: 8, 0x08: 1, 0x09: 8, 0x0a: 0, 0x10: 4, 0x11: 8, 0x12: 8 };
  for (let at = 4; bytes[at] !== 0 && at < bytes.length;) {
    const type = bytes[at];
    const end = bytes.indexOf(0, at + 1);
    const name = bytes.toString("utf8", at + 1, end);
    at = end + 1;
    if (type === 0x02) {
      const length = bytes.readInt32LE(at);
      found.set(name, bytes.toString("utf8", at + 4, at + 3 + length));
      at += 4 + length;
    } else if (type === 0x03 || type === 0x04) {
      at += bytes.readInt32LE(at);
    } else if (type in sizes) {
      at += sizes[type];
    } else {
      break;
    }
  }
  return found;
};

const FLAGS = ["unique", "sparse", "hidden", "prepareUnique"];
const NUMBERS = ["expireAfterSeconds", "textIndexVersion", "2dsphereIndexVersion", "bits", "min", "max"];
const OTHERS = ["key", "name", "partialFilterExpression", "collation", "weights", "default_language", "language_override",
  "wildcardProjection", "storageEngine"];
const numeric = (value) => (value !== null && typeof value !== "boolean" && value !== "" ? Number(value) : NaN);
// JavaScript lists fields whose names are whole numbers first, but the order of an index's key matters. With a mark before
// each name, the fields keep the order they have in the text.
const marked = (text) => JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"(\s*:)?/g, (part, colon) => (colon ? `"~${part.slice(1)}` : part)));
const fields = (key) => Object.keys(key ?? {}).map((field) => field.slice(1));
const key = (of, raw, order) => new Map(order.map((field) => {
  const value = raw[field];
  const number = numeric(value);
  if (Number.isFinite(number) && number !== 0) {
    if (typeof value === "string") told(`${of}: the key ${field} had the text "${value}" instead of a number; the number was used.`);
    return [field, number];
  }
  if (typeof value === "string" && value !== "") return [field, value];
  told(`${of}: the key ${field} had the invalid order ${EJSON.stringify(value)} and is now ascending.`);
  return [field, 1];
}));
const flag = (value) => (typeof value === "string" ? !["", "0", "false", "no"].includes(value.toLowerCase()) :
  value !== null && value !== false && Number(value) !== 0);
const spec = (of, raw, order) => {
  const made = {};
  for (const [option, value] of Object.entries(raw)) {
    if (option === "v" || option === "ns") continue;
    const shown = `${option}: ${EJSON.stringify(value)}`;
    const right = typeof value === "boolean" || Number.isFinite(numeric(value));
    if (option === "background") {
      // This option has had no effect for a long time.
      if (!right) told(`${of}: the option ${shown} was left out.`);
    } else if (option === "key") {
      made.key = key(of, value, order);
    } else if (FLAGS.includes(option)) {
      made[option] = flag(value);
      if (!right) told(`${of}: the option ${shown} was set to ${made[option]}.`);
    } else if (NUMBERS.includes(option) && Number.isFinite(numeric(value))) {
      made[option] = numeric(value);
    } else if (OTHERS.includes(option)) {
      made[option] = value;
    } else {
      told(`${of}: the option ${shown} is not known to this server and was left out.`);
    }
  }
  return made;
};
const make = (collection, of, index) => {
  try {
    one.runCommand({ createIndexes: collection, indexes: [index] });
  } catch (error) {
    if (index.expireAfterSeconds === undefined) return failed(`${of} was not made: ${error.message}`);
    const { expireAfterSeconds, ...rest } = index;
    told(`${of}: the option expireAfterSeconds: ${expireAfterSeconds} was left out: ${error.message}`);
    make(collection, of, rest);
  }
};
for (const head of heads(require("fs").readFileSync(env.DB4SCI_HEAD)).slice(1)) {
  const said = texts(head);
  const collection = said.get("collection");
  if (said.get("db") !== env.DB4SCI_SOURCE || collection.startsWith("system.buckets.") || !said.get("metadata")) continue;
  try {
    const { indexes, options } = EJSON.parse(said.get("metadata"), { relaxed: false });
    const inOrder = marked(said.get("metadata"))["~indexes"];
    for (const [n, raw] of (indexes ?? []).entries()) {
      if (raw.name === "_id_" || raw.clustered !== undefined) continue;
      const of = `The index ${raw.name} of ${collection}`;
      const index = spec(of, raw, fields(inOrder[n]["~key"]));
      // The tool's rule: an index without its own collation gets the simple one, whatever its collection has.
      if (options?.collation !== undefined && index.collation === undefined) index.collation = { locale: "simple" };
      make(collection, of, index);
    }
  } catch (error) {
    failed(`The indexes of ${collection} were not made: ${error.message}`);
  }
}
