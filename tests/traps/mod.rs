//! Booby-trapped databases: whatever an owner can leave in a server, while the portal does everything it can do there.

mod mariadb;
