//! Copies of a running server's data made by the engine's own tool, so that the server need not be paused.

use secrecy::SecretString;

use crate::engine::spec::{ExecSpec, ServerSpec, Stdin};

/// Path of the empty directory for the copy in the container that copies. The server's data has the same path as in the
/// server.
pub const COPY_DIR: &str = "/db4sci-copy";
/// The beginning of every script.
const BEGIN: &str = include_str!("online_copy.sh");

/// A command of such a copy.
pub(super) fn script(plan: &ServerSpec<'_>, text: &str, env: Vec<(String, SecretString)>) -> ExecSpec {
    let mut all = vec![
        ("DB4SCI_FROM".to_owned(), SecretString::from(plan.image.volume.as_str())),
        ("DB4SCI_TO".to_owned(), SecretString::from(COPY_DIR)),
    ];
    all.extend(env);
    let argv = ["sh", "-c", &format!("{BEGIN}{text}")].map(str::to_owned).to_vec();
    ExecSpec { argv, env: all, stdin: Stdin::Closed, user: Some(plan.owner()) }
}
