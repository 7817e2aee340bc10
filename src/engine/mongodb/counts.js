// Reports what a database holds, a JSON line a collection. The server's own hash of a collection goes over all its
// documents in the order of their keys. Views are not read: that would run what their owner wrote into them.
const name = env.DB4SCI_COUNTED;
const one = open(name);
// Whoever makes a collection or an index may tell the storage engine in which file it lies: outside the data directory, where
// no copy reaches, or in another's. A server that looks for such a file in a copy ends, so this comes before all reading.
const inPlace = (what, options) => {
  const told = [options, options?.indexOptionDefaults].map((o) => o?.storageEngine?.wiredTiger?.configString ?? "").join();
  if (!/source|import/.test(told)) return;
  throw new Error(`${what} of ${name} lies in a file that its maker chose (${told.slice(0, 200)}), which no backup can hold. ` +
    "Copy what is in it to one that was made without the option storageEngine, and drop it.");
};
for (const info of name === "admin" ? [] : one.getCollectionInfos()) {
  inPlace(`The collection ${info.name}`, info.options);
  if (info.type === "collection") one.getCollection(info.name).getIndexes().forEach((i) => inPlace(`An index of ${info.name}`, i));
}
const counted = (count) => report("count", { database: name, ...count });
const answer = env.DB4SCI_FINGERPRINTS === "1" ? one.runCommand({ dbHash: 1 }) : { ok: 1, collections: {} };
if (answer.ok !== 1) throw new Error(`the server did not hash ${name}: ${answer.errmsg}`);
const hashes = new Map(Object.entries(answer.collections));
let views = 0;
let indexes = 0;
// What the server writes by itself at every start is nobody's data, and what the portal has in every server isn't either.
const kept = (info) => !(name === "admin" && ["system.version", "system.keys"].includes(info.name));
const ours = { "system.users": { user: { $ne: OBSERVER } }, "system.roles": { role: { $nin: [OBSERVER, TIME_SERIES] } } };
for (const info of one.getCollectionInfos().filter(kept)) {
  if (info.type === "view") { views += 1; continue; }
  if (info.name.startsWith("system.buckets.") || ["system.views", "system.profile"].includes(info.name)) continue;
  const collection = one.getCollection(info.name);
  const accounts = name === "admin" && Object.hasOwn(ours, info.name);
  const rows = collection.countDocuments(accounts ? ours[info.name] : {});
  // It is there only because of the portal's own.
  if (accounts && info.name === "system.roles" && rows === 0) continue;
  const count = { kind: info.type === "timeseries" ? "time series" : "collection", name: info.name, rows };
  // The documents of a time series lie in buckets, whose hash says the same.
  const hash = hashes.get(info.type === "timeseries" ? `system.buckets.${info.name}` : info.name);
  // The administrator's password is another one in every copy.
  if (hash !== undefined && !accounts) count.fingerprint = String(hash);
  counted(count);
  indexes += info.type === "timeseries" ? 0 : collection.getIndexes().length;
}
counted({ kind: "object", name: "view", rows: views });
counted({ kind: "object", name: "index", rows: indexes });
