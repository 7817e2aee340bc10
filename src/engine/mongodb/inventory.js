// Prints one JSON object: what has to be in a backup of this server.
const compatible = admin.adminCommand({ getParameter: 1, featureCompatibilityVersion: 1 }).featureCompatibilityVersion;
const names = admin.adminCommand({ listDatabases: 1, nameOnly: true }).databases.map((d) => d.name);
print(JSON.stringify({
  version: admin.version(),
  // "local" is the server's own; "admin" has the users.
  databases: names.filter((name) => name !== "local" && name !== "config").sort(),
  facts: {
    feature_compatibility: compatible.version,
    storage_engine: admin.serverStatus().storageEngine.name,
    replica_set: admin.hello().setName,
  },
}));
