// Common to all scripts of the portal in a server. Names of databases and collections are their owner's: the shell's own
// look-up takes "constructor" for a function of JavaScript's, so such a database is opened by its class.
const env = process.env;
const open = (name) => (name in {} ? new db.constructor(db.getMongo(), name) : db.getSiblingDB(name));
const admin = open("admin");
const report = (kind, value) => print(`db4sci: ${JSON.stringify({ [kind]: value })}`);
