// Signs in as the user that only reads, and may do nothing else. A server of before has none, one that was given another
// administrator's password has one with the password of then, and somebody may have given it more: it is made, or put
// right, by the administrator, who does nothing else here.
const signedIn = () => {
  try {
    admin.auth(OBSERVER, env.DB4SCI_OBSERVER_PASSWORD);
  } catch (error) {
    if (error.code !== 18) throw error;
    return false;
  }
  const roles = admin.runCommand({ connectionStatus: 1 }).authInfo.authenticatedUserRoles;
  if (roles.length === 1 && roles[0].role === OBSERVER && roles[0].db === "admin") return true;
  admin.logout();
  return false;
};
if (!signedIn()) {
  admin.auth(env.DB4SCI_ADMIN, env.DB4SCI_ADMIN_PASSWORD);
  makeOwn();
  grantTimeSeries();
  admin.logout();
  if (!signedIn()) throw new Error("the user that only reads could not be made");
}
