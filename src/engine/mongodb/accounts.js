// Makes the user, or finds it made and sets its password. The database comes into being with its first document.
makeOwn();
const own = open(env.DB4SCI_DATABASE);
const name = env.DB4SCI_USER;
const user = {
  pwd: env.DB4SCI_USER_PASSWORD,
  roles: [
    { role: "readWrite", db: env.DB4SCI_DATABASE },
    { role: "dbAdmin", db: env.DB4SCI_DATABASE },
    { role: TIME_SERIES, db: "admin" },
  ],
};
if (own.getUser(name) === null) {
  own.createUser({ user: name, ...user });
} else {
  own.updateUser(name, user);
}
// The administrator still has the password of the data that this server began with.
if (env.DB4SCI_OWN_PASSWORD) admin.updateUser(env.DB4SCI_ADMIN, { pwd: env.DB4SCI_OWN_PASSWORD });
