// Removes all databases and collections but the wanted ones, and the server's own.
const names = admin.adminCommand({ listDatabases: 1, nameOnly: true }).databases.map((d) => d.name);
for (const name of names.filter((n) => !["admin", "local", "config", env.DB4SCI_COUNTED].includes(n))) {
  open(name).dropDatabase();
}
const only = JSON.parse(env.DB4SCI_WANTED);
if (only !== null) {
  const one = open(env.DB4SCI_COUNTED);
  for (const info of one.getCollectionInfos({}, { nameOnly: true })) {
    if (info.name !== only && !info.name.startsWith("system.")) one.getCollection(info.name).drop();
  }
}
