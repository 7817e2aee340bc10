// Signs in as the administrator.
admin.auth(env.DB4SCI_ADMIN, env.DB4SCI_ADMIN_PASSWORD);
