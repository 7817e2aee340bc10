// Succeeds, and prints the version, once the server takes writes from its users. Drivers connect to the name that the
// replica set itself gives for its only member, so that name must be the one people use: it is set here when the set
// is begun, and again when the published port has changed.
const replication = admin.adminCommand({ getCmdLineOpts: 1 }).parsed.replication;
if (replication === undefined || replication.replSet !== "rs0") {
  // The one that an image starts for itself, to make the administrator.
  throw new Error("the image is still making its data");
}
if (!env.DB4SCI_MEMBER) {
  // Data for copies that will each have another name.
  print(admin.version());
  quit();
}
let config = null;
try {
  config = admin.adminCommand({ replSetGetConfig: 1 }).config;
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
}
if (config === null) {
  admin.adminCommand({ replSetInitiate: { _id: "rs0", members: [{ _id: 0, host: env.DB4SCI_MEMBER }] } });
} else if (config.members[0].host !== env.DB4SCI_MEMBER) {
  config.members[0].host = env.DB4SCI_MEMBER;
  config.version += 1;
  admin.adminCommand({ replSetReconfig: config, force: true });
}
for (let tries = 0; !admin.hello().isWritablePrimary; tries++) {
  if (tries >= 200) throw new Error("this server has not become the primary of its replica set");
  sleep(25);
}
print(admin.version());
