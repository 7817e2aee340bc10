// After a restore or a load: nobody but the portal's administrator is one, or may become one. The server itself says what
// a user or a role comes to, roles of roles included. In a database of its own an account may do whatever it likes; over
// the server, and in the databases that are the server's, it may read. What the portal has in every server is put right first:
// it stands in no manifest.
makeOwn();
const LOOKS = ["allCollectionStats", "changeStream", "checkFreeMonitoringStatus", "collStats", "connPoolStats", "dbHash", "dbStats", "find", "getClusterParameter",
  "getCmdLineOpts", "getDatabaseVersion", "getDefaultRWConcern", "getLog", "getParameter", "getShardMap", "getShardVersion", "hostInfo", "indexStats",
  "inprog", "killCursors", "listCollections", "listDatabases", "listIndexes", "listSearchIndexes", "listSessions", "listShards", "netstat",
  "operationMetrics", "planCacheRead", "replSetGetConfig", "replSetGetStatus", "serverStatus", "shardedDataDistribution", "shardingState", "top", "useUUID",
  "validate", "viewRole", "viewUser"];
const SERVERS = ["", "admin", "local", "config"];
const more = (privileges) => privileges.flatMap(({ resource, actions }) => {
  const { cluster, anyResource, db: database = "" } = resource;
  if (!cluster && !anyResource && !SERVERS.includes(database)) return [];
  const where = cluster ? "the server" : anyResource || database === "" ? "every database" : `the database ${database}`;
  return actions.filter((action) => !LOOKS.includes(action)).slice(0, 3).map((action) => `${action} in ${where}`);
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
