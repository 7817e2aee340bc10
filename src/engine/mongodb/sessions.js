// Prints how many connections the user has open.
const env = process.env;
const admin = db.getSiblingDB("admin");
admin.auth(env.DB4SCI_ADMIN, env.DB4SCI_ADMIN_PASSWORD);
const open = admin.aggregate([
  { $currentOp: { allUsers: true, idleConnections: true } },
  { $match: { "effectiveUsers.user": env.DB4SCI_USER, "effectiveUsers.db": env.DB4SCI_DATABASE } },
  { $group: { _id: "$connectionId" } },
]).toArray();
print(open.length);
