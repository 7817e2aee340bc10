// mongodump and mongorestore, for archives only: stand-ins for MongoDB's database tools, which are not available here.
// They follow the documented options, messages and exit codes, and the published description of the archive:
//   magic number, header, a document for each collection, terminator;
//   then pieces of collections: a header, documents, terminator; and one header with EOF and a CRC at each one's end.
// Only the options in OPTIONS are supported; all others are refused.
'use strict';
// The driver needs this global name, which Node.js provides from version 20 on.
globalThis.crypto ??= require('crypto').webcrypto;
const fs = require('fs');
const path = require('path');
const zlib = require('zlib');
const yaml = require('js-yaml');
const { BSON, MongoClient } = require('mongodb');
const { EJSON } = BSON;

const OPTIONS = {
  mongodump: ['uri', 'config', 'archive', 'gzip', 'db', 'collection'],
  mongorestore: ['uri', 'config', 'archive', 'gzip', 'nsInclude', 'nsExclude', 'nsFrom', 'nsTo', 'stopOnError', 'noIndexRestore'],
};
const FLAGS = ['archive', 'gzip', 'stopOnError', 'noIndexRestore'];
const BUCKETS = 'system.buckets.';
const MAGIC = Buffer.from([0x6d, 0xe2, 0x99, 0x81]);
const TERMINATOR = Buffer.from([0xff, 0xff, 0xff, 0xff]);
const RAW = { raw: true, promoteValues: false };

const say = (text) => process.stderr.write(`${new Date().toISOString().replace('Z', '+0000')}\t${text}\n`);

function options(tool, args) {
  const read = {};
  for (let i = 0; i < args.length; i++) {
    const [, name, value] = /^--([A-Za-z]+)(?:=(.*))?$/s.exec(args[i]) ?? [];
    if (!OPTIONS[tool].includes(name)) throw new Error(`error parsing command line options: unknown option ${args[i]}`);
    read[name] = value ?? (FLAGS.includes(name) ? true : args[++i]);
  }
  // The file is for what must not appear in a process list.
  if (read.config) Object.assign(read, yaml.load(fs.readFileSync(read.config, 'utf8')));
  if (!read.archive) throw new Error('only archives are known here: --archive');
  return read;
}

// CRC-64 of ECMA-182, with reflected bits, in two halves.
const TABLE = Array.from({ length: 256 }, (_, n) => {
  let c = BigInt(n);
  for (let k = 0; k < 8; k++) c = c & 1n ? (c >> 1n) ^ 0xc96c5795d7870f42n : c >> 1n;
  return [Number(c >> 32n), Number(c & 0xffffffffn)];
});
class Crc {
  high = 0xffffffff;
  low = 0xffffffff;
  add(bytes) {
    let { high, low } = this;
    for (const byte of bytes) {
      const [h, l] = TABLE[(low ^ byte) & 0xff];
      low = ((low >>> 8) | (high << 24)) ^ l;
      high = (high >>> 8) ^ h;
    }
    Object.assign(this, { high: high >>> 0, low: low >>> 0 });
  }
  get value() {
    return BigInt.asIntN(64, ((BigInt(this.high) << 32n) | BigInt(this.low)) ^ 0xffffffffffffffffn);
  }
}

// ---- mongodump

async function dump(client, read) {
  const target = read.archive === true ? process.stdout : fs.createWriteStream(read.archive);
  const out = read.gzip ? zlib.createGzip() : target;
  if (read.gzip) out.pipe(target);
  const write = (bytes) => new Promise((done, failed) => out.write(bytes, (e) => (e ? failed(e) : done())));
  const { version } = await client.db('admin').command({ buildInfo: 1 });
  const names = read.db ? [read.db] : (await client.db('admin').admin().listDatabases()).databases.map((d) => d.name);
  const found = [];
  for (const name of names.filter((n) => n !== 'local' && n !== 'config')) {
    for (const info of await client.db(name).listCollections().toArray()) {
      const own = info.name.startsWith('system.') && !info.name.startsWith('system.buckets.') && info.name !== 'system.js';
      if (!own && (!read.collection || info.name === read.collection)) found.push([name, info]);
    }
  }
  await write(MAGIC);
  await write(BSON.serialize({ concurrent_collections: 1, version: '0.1', server_version: version, tool_version: 'stand-in' }));
  // A time series is listed under its own name; its documents are those of its buckets.
  for (const [db, info] of found.filter(([, { name }]) => !name.startsWith(BUCKETS))) {
    const indexes = info.type === 'view' ? [] : await client.db(db).collection(info.name).indexes();
    const metadata = { indexes, uuid: info.info.uuid?.toString('hex') ?? '', collectionName: info.name, type: info.type, options: info.options };
    await write(BSON.serialize({ db, collection: info.name, metadata: EJSON.stringify(metadata, { relaxed: false }), size: 0, type: info.type }));
  }
  await write(TERMINATOR);
  for (const [db, { name: collection }] of found.filter(([, info]) => info.type === 'collection')) {
    say(`writing ${db}.${collection} to archive on stdout`);
    const crc = new Crc();
    let count = 0;
    for await (const document of client.db(db).collection(collection).find({}, RAW)) {
      if (count++ === 0) await write(BSON.serialize({ db, collection, EOF: false, CRC: 0n }));
      crc.add(document);
      await write(document);
    }
    if (count) await write(TERMINATOR);
    await write(BSON.serialize({ db, collection, EOF: true, CRC: crc.value }));
    await write(TERMINATOR);
    say(`done dumping ${db}.${collection} (${count} documents)`);
  }
  await new Promise((done) => (out === process.stdout ? done() : out.end(done)));
}

// ---- mongorestore

// Cuts a stream into documents and terminators (null).
async function* pieces(stream) {
  let rest = Buffer.alloc(0);
  let begun = false;
  for await (const chunk of stream) {
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    if (!begun) {
      if (rest.length < 4) continue;
      if (!rest.subarray(0, 4).equals(MAGIC)) throw new Error('stream or file does not appear to be a mongodump archive');
      rest = rest.subarray(4);
      begun = true;
    }
    while (rest.length >= 4) {
      const length = rest.readInt32LE(0);
      if (length === -1) { yield null; rest = rest.subarray(4); continue; }
      if (length < 5 || length > 17 << 20) throw new Error(`corruption found in archive; ${length} is no length of a document`);
      if (rest.length < length) break;
      yield rest.subarray(0, length);
      rest = rest.subarray(length);
    }
  }
  if (!begun || rest.length) throw new Error('corruption found in archive; unexpected EOF');
}

// "a.*" as a regular expression; a star matches anything, and a backslash escapes it.
const pattern = (text) =>
  new RegExp(`^${text.replace(/\\(.)|\*|[^\\*]+/gs, (whole, escaped) => (whole === '*' ? '.*' : (escaped ?? whole).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))}$`, 's');

function renamed(read) {
  if (!read.nsFrom) return (name) => name;
  const stars = (text) => text.split(/(?<!\\)\*/).map((part) => part.replace(/\\(.)/g, '$1'));
  const [before, after] = stars(read.nsFrom);
  const [newBefore, newAfter] = stars(read.nsTo);
  return (name) =>
    name.startsWith(before) && name.endsWith(after) ? newBefore + name.slice(before.length, name.length - after.length) + newAfter : name;
}

async function restore(client, read, counts) {
  let input = read.archive === true ? process.stdin : fs.createReadStream(read.archive);
  if (read.gzip) input = input.pipe(zlib.createGunzip());
  const include = read.nsInclude ? pattern(read.nsInclude) : /^/;
  const exclude = read.nsExclude ? pattern(read.nsExclude) : /(?!)/;
  const to = renamed(read);
  const collections = new Map();
  const views = [];
  const source = pieces(input);
  const next = async () => {
    const { value, done } = await source.next();
    if (done) throw new Error('corruption found in archive; unexpected EOF');
    return value;
  };
  say('preparing collections to restore from');
  BSON.deserialize(await next());
  for (let piece = await next(); piece !== null; piece = await next()) {
    const { db, collection, metadata } = BSON.deserialize(piece);
    const name = `${db}.${collection}`;
    if (!include.test(name) || exclude.test(name) || db === 'admin') continue;
    const target = to(name);
    const at = target.indexOf('.');
    const { indexes, options: made, type } = EJSON.parse(metadata, { relaxed: false });
    const one = { db: client.db(target.slice(0, at)), name: target.slice(at + 1), indexes, count: 0, failed: 0, crc: new Crc() };
    if (type === 'view') { views.push([one, made]); continue; }
    // An archive may also list the buckets of a time series; they are created with it.
    if (collection.startsWith(BUCKETS)) continue;
    say(`reading metadata for ${target} from archive on stdin`);
    await one.db.createCollection(one.name, made).catch((e) => {
      if (e.code !== 48) throw new Error(`${target}: error creating collection ${target}: error running create command: ${e.message}`);
    });
    if (type === 'timeseries') {
      // Its documents have the name of its buckets; `asked` is the name of the collection for requests.
      collections.set(`${db}.${BUCKETS}${collection}`, { ...one, name: `${BUCKETS}${one.name}`, asked: one.name });
    } else {
      collections.set(name, one);
    }
  }
  const insert = async (one, batch) => {
    if (!batch.length) return;
    try {
      await one.db.collection(one.name).insertMany(batch, { ordered: false, bypassDocumentValidation: false });
      one.count += batch.length;
    } catch (e) {
      const errors = e.writeErrors === undefined ? [] : [e.writeErrors].flat();
      // Only errors of single documents are skipped.
      if (!errors.length || errors.some(({ code }) => code !== 11000 && code !== 121) || read.stopOnError) throw e;
      for (const error of errors) say(`continuing through error: ${error.errmsg}`);
      one.failed += errors.length;
      one.count += batch.length - errors.length;
    }
  };
  const ended = new Set();
  for (let result = await source.next(); !result.done; result = await source.next()) {
    const { db, collection, EOF, CRC } = BSON.deserialize(result.value, { useBigInt64: true });
    const one = collections.get(`${db}.${collection}`);
    let [batch, bytes] = [[], 0];
    for (let piece = await next(); piece !== null; piece = await next()) {
      if (!one) continue;
      one.crc.add(piece);
      batch.push(BSON.deserialize(piece, { promoteValues: false, promoteBuffers: false, bsonRegExp: true }));
      bytes += piece.length;
      if (batch.length >= 1000 || bytes > 8 << 20) { await insert(one, batch); [batch, bytes] = [[], 0]; }
    }
    if (!one) continue;
    await insert(one, batch);
    if (!EOF) continue;
    if (BigInt(CRC) !== one.crc.value) throw new Error(`corruption found in archive; CRC of ${db}.${collection} does not match`);
    ended.add(one);
    counts.good += one.count;
    counts.bad += one.failed;
    say(`finished restoring ${one.db.databaseName}.${one.name} (${one.count} documents, ${one.failed} failures)`);
  }
  for (const one of collections.values()) {
    if (!ended.has(one)) throw new Error('corruption found in archive; unexpected EOF');
    if (read.noIndexRestore) continue;
    const wanted = one.indexes.filter((index) => index.name !== '_id_').map(({ ns, v, ...index }) => index);
    if (!wanted.length) { say(`no indexes to restore for collection ${one.db.databaseName}.${one.name}`); continue; }
    const made = await one.db.command({ createIndexes: one.asked ?? one.name, indexes: wanted }).catch((e) => e);
    if (made instanceof Error) throw new Error(`${one.db.databaseName}.${one.name}: error creating indexes: ${made.message}`);
  }
  for (const [one, made] of views) await one.db.createCollection(one.name, made);
}

async function main() {
  const tool = path.basename(process.argv[1]);
  const counts = { good: 0, bad: 0 };
  let client;
  try {
    if (process.argv[2] === '--help') {
      console.log(['Options:', ...OPTIONS[tool].map((name) => `  --${name}`)].join('\n'));
      return;
    }
    const read = options(tool, process.argv.slice(2));
    client = await new MongoClient(read.uri ?? 'mongodb://localhost:27017/').connect();
    await (tool === 'mongodump' ? dump(client, read) : restore(client, read, counts));
  } catch (e) {
    say(`Failed: ${e.message}`);
    process.exitCode = 1;
  }
  if (tool === 'mongorestore') say(`${counts.good} document(s) restored successfully. ${counts.bad} document(s) failed to restore.`);
  await client?.close();
  // The rest of the input is not needed.
  process.stdin.destroy();
}

main();
