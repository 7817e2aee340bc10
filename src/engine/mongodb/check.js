// The server's own check of every collection of a database, with all its indexes.
const env = process.env;
db.getSiblingDB("admin").auth(env.DB4SCI_ADMIN, env.DB4SCI_ADMIN_PASSWORD);
const one = db.getSiblingDB(env.DB4SCI_COUNTED);
for (const info of one.getCollectionInfos({}, { nameOnly: true })) {
  if (info.type === "view" || info.type === "timeseries") continue;
  const found = one.runCommand({ validate: info.name, full: true });
  if (found.ok !== 1) throw new Error(`${info.name} could not be checked: ${found.errmsg}`);
  if (!found.valid) {
    print(`db4sci: ${JSON.stringify({ fault: `${one.getName()}.${info.name}: ${[...found.errors, ...(found.corruptRecords ?? [])].join("; ")}` })}`);
  }
}
