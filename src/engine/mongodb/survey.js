// Prints JSON lines: the server, then the largest collections of each database. Read-only; counts come from the
// collections' own bookkeeping, not from a scan, and views are not read.
const system = ["admin", "config", "local"];
const status = admin.adminCommand({ serverStatus: 1, metrics: 0, locks: 0, repl: 0 });
const cache = status.wiredTiger.cache;
const asked = Number(cache["pages requested from the cache"]);
const read = Number(cache["pages read into cache"]);
const listed = admin.adminCommand({ listDatabases: 1 }).databases.filter((d) => !system.includes(d.name));
const users = admin.getCollection("system.users").find({ user: { $ne: OBSERVER } }, { user: 1, db: 1, roles: 1 })
  .limit(500).toArray();
const powers = ["root", "__system", "userAdminAnyDatabase", "userAdmin", "dbOwner", "restore"];
print(JSON.stringify({
  version: status.version,
  uptime_seconds: Math.round(Number(status.uptime)),
  connections: status.connections.current,
  connections_max: status.connections.current + status.connections.available,
  // A share of a few reads would say nothing.
  cache_hit: asked >= 1000 ? Math.max(0, 1 - read / asked) : null,
  roles: users.map((u) => ({
    name: `${u.user}@${u.db}`,
    admin: u.roles.some((r) => r.db === "admin" && powers.includes(r.role)),
  })),
  databases: listed.map((d) => ({ name: d.name, bytes: Number(d.sizeOnDisk) })),
}));
for (const { name } of listed.slice(0, 50)) {
  const one = open(name);
  // What the server keeps for itself, such as the list of views, is no collection of the user's.
  const own = one.getCollectionInfos({}, { nameOnly: true }).filter((info) => !info.name.startsWith("system."));
  const objects = own.slice(0, 200).map((info) => {
    if (info.type === "view") return { name: info.name, kind: "view" };
    const [found] = one.getCollection(info.name).aggregate([{ $collStats: { storageStats: {} } }]).toArray();
    const stats = found.storageStats;
    return {
      name: info.name,
      kind: info.type === "timeseries" ? "time series" : "collection",
      rows: Number(stats.count ?? 0),
      exact: false,
      bytes: Number(stats.storageSize ?? 0) + Number(stats.totalIndexSize ?? 0),
    };
  });
  objects.sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0));
  print(JSON.stringify({ database: name, objects }));
}
