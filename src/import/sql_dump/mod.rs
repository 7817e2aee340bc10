//! SQL dumps: sent statement by statement to the tool that runs them, whose messages are matched with what was sent.

mod copy_rows;
pub mod output;
pub mod send;
pub mod sent_statements;
pub mod transactions;
pub mod unknown_encoding;
