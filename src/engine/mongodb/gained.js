// After a restore or a load, only the portal's administrator may be one, or be able to become one. The server itself says
// what a user or role may do, including roles of roles. In its own databases an account may do anything; on the server and
// in the server's databases it may read, make backups (the built-in role `backup`), and write to single collections that
// hold no accounts. The portal's own accounts are reset first, because no manifest contains them.
makeOwn();
const HARMLESS = ["allCollectionStats", "appendOplogNote", "changeStream", "checkFreeMonitoringStatus", "collStats", "connPoolStats", "dbHash", "dbStats", "find", "getClusterParameter",
  "getCmdLineOpts", "getDatabaseVersion", "getDefaultRWConcern", "getLog", "getParameter", "getShardMap", "getShardVersion", "hostInfo", "indexStats",
  "inprog", "killCursors", "listCollections", "listDatabases", "listIndexes", "listSearchIndexes", "listSessions", "listShards", "netstat",
  "operationMetrics", "planCacheRead", "replSetGetConfig", "replSetGetStatus", "serverStatus", "setUserWriteBlockMode", "shardedDataDistribution", "shardingState", "top", "useUUID",
  "validate", "viewRole", "viewUser"];
const SERVERS = ["", "admin", "local", "config"];
const more = (privileges) => privileges.flatMap(({ resource, actions }) => {
  const { cluster, anyResource, db: database = "", collection = "" } = resource;
  // Accounts are in the collections admin.system.users and admin.system.roles.
  if (database !== "" && collection !== "" && !collection.startsWith("system.")) return [];
  if (!cluster && !anyResource && !SERVERS.includes(database)) return [];
  const where = cluster ? "the server" : anyResource || database === "" ? "every database" : `the database ${database}`;
  return actions.filter((action) => !HARMLESS.includes(action)).slice(0, 3).map((action) => `${action} in ${where}`);
});
const judge = (kind, name, found) => {
  if (found === undefined) {
    report("fault", `The server does not say what the ${kind} ${name} may do.`);
    return;
  }
  const rights = more(found.inheritedPrivileges ?? []);
  if (rights.length === 0) return;
  report("fault", `The ${kind} ${name} may do more than the owner of a database: ${rights.slice(0, 3).join(", ")}.`);
};
const ours = (name, db, names) => db === "admin" && names.includes(name);
for (const { user, db } of admin.getCollection("system.users").find({}, { user: 1, db: 1 }).toArray()) {
  if (ours(user, db, [env.DB4SCI_ADMIN])) continue;
  const { users } = admin.runCommand({ usersInfo: { user, db }, showPrivileges: true });
  judge("user", `${user}@${db}`, users[0]);
}
for (const { role, db } of admin.getCollection("system.roles").find({}, { role: 1, db: 1 }).toArray()) {
  const { roles } = admin.runCommand({ rolesInfo: { role, db }, showPrivileges: true });
  judge("role", `${role}@${db}`, roles[0]);
}
