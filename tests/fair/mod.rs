//! One person can't stop the others: workers, connections, limits, sign-in, networks.

mod queue;
