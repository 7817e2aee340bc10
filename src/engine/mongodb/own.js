// What the portal has in every server besides its administrator: a role and a user that only read, and for the user of the
// database what the built-in roles leave out: the collections in which the server keeps time series, without which the
// owner's own mongodump and mongorestore fail. Roles are put right where they are found.
const OBSERVER = "db4sci_observer";
const TIME_SERIES = "db4sci_time_series";
const looks = ["find", "listIndexes", "collStats", "validate"];
const wanted = {
  [OBSERVER]: [
    { resource: { cluster: true }, actions: ["listDatabases", "serverStatus", "inprog", "getParameter"] },
    { resource: { db: "", collection: "" }, actions: [...looks, "listCollections", "dbStats", "dbHash"] },
    { resource: { db: "", system_buckets: "" }, actions: looks },
    ...["system.js", "system.views", "system.profile"].map((name) => (
      { resource: { db: "", collection: name }, actions: looks })),
    ...["system.users", "system.roles"].map((name) => (
      { resource: { db: "admin", collection: name }, actions: looks })),
  ],
  [TIME_SERIES]: [
    {
      resource: { db: env.DB4SCI_DATABASE, system_buckets: "" },
      actions: [...looks, "indexStats", "insert", "update", "remove", "createCollection", "dropCollection", "collMod",
        "createIndex", "dropIndex"],
    },
    { resource: { db: env.DB4SCI_DATABASE, collection: "system.views" }, actions: ["find"] },
  ],
};
const there = (error) => [51002, 51003].includes(error.code);
const makeRole = (name) => {
  const role = { roles: [], privileges: wanted[name] };
  try {
    admin.runCommand({ createRole: name, ...role });
  } catch (error) {
    if (!there(error)) throw error;
    admin.runCommand({ updateRole: name, ...role });
  }
};
const makeOwn = () => {
  makeRole(TIME_SERIES);
  makeRole(OBSERVER);
  const user = { pwd: env.DB4SCI_OBSERVER_PASSWORD, roles: [{ role: OBSERVER, db: "admin" }] };
  try {
    admin.runCommand({ createUser: OBSERVER, ...user });
  } catch (error) {
    if (!there(error)) throw error;
    admin.runCommand({ updateUser: OBSERVER, ...user });
  }
};
// A user of before has not got it.
const grantTimeSeries = () => {
  const one = open(env.DB4SCI_DATABASE);
  const [user] = one.runCommand({ usersInfo: env.DB4SCI_USER }).users;
  if (user === undefined || user.roles.some((r) => r.role === TIME_SERIES && r.db === "admin")) return;
  one.runCommand({ grantRolesToUser: env.DB4SCI_USER, roles: [{ role: TIME_SERIES, db: "admin" }] });
};
