// The server's own check of every collection of a database, with all its indexes.
const one = open(env.DB4SCI_COUNTED);
for (const info of one.getCollectionInfos({}, { nameOnly: true })) {
  if (info.type === "view" || info.type === "timeseries") continue;
  if (one.getName() === "admin" && !["system.users", "system.roles"].includes(info.name)) continue;
  const found = one.runCommand({ validate: info.name, full: true });
  if (found.ok !== 1) throw new Error(`${info.name} could not be checked: ${found.errmsg}`);
  // A rule that is younger than documents which break it is its owner's business, and no damage.
  const rules = (error) => error.includes("not compliant with the collection's schema");
  const faults = [...found.errors.filter((e) => !rules(e)), ...(found.corruptRecords ?? [])].join("; ");
  if (!found.valid && (faults !== "" || !found.errors.some(rules))) {
    report("fault", `${one.getName()}.${info.name}: ${faults.slice(0, 2000)}`);
  }
}
