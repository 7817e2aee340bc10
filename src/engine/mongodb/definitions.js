// Reports what is defined in a database: collections with their options, views, indexes; or of the whole server, where no
// database is named: its users and roles, without what belongs to the portal. Ids and passwords are no definitions.
const text = (value) => EJSON.stringify(value, { relaxed: false });
const define = (kind, name, value) => {
  const database = env.DB4SCI_COUNTED;
  const all = text(value);
  const what = all.length > 8192 ? { sha256: require("crypto").createHash("sha256").update(all).digest("hex") } : { text: all };
  report("definition", { database, kind, name, ...what });
};
const byText = (list) => [...(list ?? [])].sort((a, b) => (text(a) < text(b) ? -1 : 1));
if (env.DB4SCI_COUNTED === "") {
  const others = { $not: /^db4sci_/ };
  for (const u of admin.getCollection("system.users").find({ user: others }, { credentials: 0, userId: 0 }).toArray()) {
    const { customData, authenticationRestrictions } = u;
    define("user", `${u.user}@${u.db}`, { roles: byText(u.roles), customData, authenticationRestrictions });
  }
  for (const r of admin.getCollection("system.roles").find({ role: others }).toArray()) {
    const { authenticationRestrictions } = r;
    define("role", `${r.role}@${r.db}`, { roles: byText(r.roles), privileges: byText(r.privileges), authenticationRestrictions });
  }
} else {
  const one = open(env.DB4SCI_COUNTED);
  const kept = (name) => !name.startsWith("system.") || name === "system.js";
  for (const info of one.getCollectionInfos().filter(({ name }) => kept(name))) {
    define(info.type === "timeseries" ? "time series" : info.type, info.name, info.options);
    if (info.type === "view") continue;
    for (const index of one.getCollection(info.name).getIndexes()) define("index", `${info.name}.${index.name}`, index);
  }
}
