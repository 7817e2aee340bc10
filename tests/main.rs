//! The integration tests: one binary, real parts. Each test starts a portal of its own, with its own instance id,
//! ports, directories and tables; they share the container engine and one server for the tables.

mod pages;
mod support;
