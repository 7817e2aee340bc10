// Signs in as the user that only reads. A server of before has none, and one that was given another administrator's
// password has one with the password of then: it is made by the administrator, who does nothing else here.
try {
  admin.auth(OBSERVER, env.DB4SCI_OBSERVER_PASSWORD);
} catch (error) {
  if (error.code !== 18) throw error;
  admin.auth(env.DB4SCI_ADMIN, env.DB4SCI_ADMIN_PASSWORD);
  makeOwn();
  grantTimeSeries();
  admin.logout();
  admin.auth(OBSERVER, env.DB4SCI_OBSERVER_PASSWORD);
}
