// Gives the administrator another password, and with it the user that only reads.
makeOwn();
admin.updateUser(env.DB4SCI_ADMIN, { pwd: env.DB4SCI_NEW_PASSWORD });
