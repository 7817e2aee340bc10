//! No user can block others: workers, connections, limits, sign-in and networks.

mod connections;
mod cores;
mod firewall;
mod jobs;
mod memory;
mod people;
mod queue;
mod quotas;
