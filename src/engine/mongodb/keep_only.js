// Removes all databases and collections but the wanted ones, and the server's own.
const env = process.env;
const admin = db.getSiblingDB("admin");
admin.auth(env.DB4SCI_ADMIN, env.DB4SCI_ADMIN_PASSWORD);
const names = admin.adminCommand({ listDatabases: 1, nameOnly: true }).databases.map((d) => d.name);
for (const name of names.filter((n) => !["admin", "local", "config", env.DB4SCI_COUNTED].includes(n))) {
  db.getSiblingDB(name).dropDatabase();
}
const wanted = JSON.parse(env.DB4SCI_WANTED);
if (wanted !== null) {
  const one = db.getSiblingDB(env.DB4SCI_COUNTED);
  for (const info of one.getCollectionInfos({}, { nameOnly: true })) {
    if (info.name !== wanted && !info.name.startsWith("system.")) one.getCollection(info.name).drop();
  }
}
