// Reports what a database holds, a JSON line a collection. The server's own hash of a collection goes over all its
// documents in the order of their keys.
const env = process.env;
db.getSiblingDB("admin").auth(env.DB4SCI_ADMIN, env.DB4SCI_ADMIN_PASSWORD);
const name = env.DB4SCI_COUNTED;
const one = db.getSiblingDB(name);
const report = (count) => print(`db4sci: ${JSON.stringify({ count: { database: name, ...count } })}`);
const hashes = env.DB4SCI_FINGERPRINTS === "1" ? one.runCommand({ dbHash: 1 }) : { ok: 1, collections: {} };
if (hashes.ok !== 1) throw new Error(`the server did not hash ${name}: ${hashes.errmsg}`);
let views = 0;
let indexes = 0;
// What the server writes by itself at every start is nobody's data.
const own = (info) => !(name === "admin" && ["system.version", "system.keys"].includes(info.name));
for (const info of one.getCollectionInfos().filter(own)) {
  if (info.type === "view") { views += 1; continue; }
  if (info.name.startsWith("system.buckets.") || info.name === "system.views" || info.name === "system.profile") continue;
  const collection = one.getCollection(info.name);
  const count = { kind: info.type === "timeseries" ? "time series" : "collection", name: info.name, rows: collection.countDocuments({}) };
  // The documents of a time series lie in buckets, whose hash says the same.
  const hash = hashes.collections[info.type === "timeseries" ? `system.buckets.${info.name}` : info.name];
  // The administrator's password is another one in every copy.
  if (hash !== undefined && !(name === "admin" && info.name === "system.users")) count.fingerprint = String(hash);
  report(count);
  indexes += info.type === "timeseries" ? 0 : collection.getIndexes().length;
}
report({ kind: "object", name: "view", rows: views });
report({ kind: "object", name: "index", rows: indexes });
