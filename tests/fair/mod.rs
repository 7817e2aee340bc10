//! No user can block the others: workers, connections, limits, sign-in, networks.

mod connections;
mod egress;
mod jobs;
mod people;
mod queue;
mod quotas;
