// Gives the administrator another password.
const env = process.env;
const admin = db.getSiblingDB("admin");
admin.auth(env.DB4SCI_ADMIN, env.DB4SCI_ADMIN_PASSWORD);
admin.updateUser(env.DB4SCI_ADMIN, { pwd: env.DB4SCI_NEW_PASSWORD });
