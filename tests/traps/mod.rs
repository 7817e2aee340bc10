//! Booby-trapped databases: whatever an owner can put into a server waits there for somebody with more rights to run it.
//! Every operation of the portal goes over each; nothing climbs, and everything works.

mod mariadb;
mod mongodb;
mod neo4j;
mod postgres;
