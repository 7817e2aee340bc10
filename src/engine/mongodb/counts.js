// Reports what a database holds, a JSON line a collection. The server's own hash of a collection goes over all its
// documents in the order of their keys. Views are not read: that would run what their owner wrote into them.
const name = env.DB4SCI_COUNTED;
const one = open(name);
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
