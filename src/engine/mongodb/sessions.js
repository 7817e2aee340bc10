// Prints how many connections the user has open.
const mine = admin.aggregate([
  { $currentOp: { allUsers: true, idleConnections: true } },
  { $match: { "effectiveUsers.user": env.DB4SCI_USER, "effectiveUsers.db": env.DB4SCI_DATABASE } },
  { $group: { _id: "$connectionId" } },
]).toArray();
print(mine.length);
