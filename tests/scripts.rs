//! Tests the decisions of the scripts in `dev/` as far as that is possible without a separate host.

use std::process::{Command, Output};

/// Runs lines in a shell that has sourced `dev/lib.sh`, with its files in a separate directory.
fn shell(name: &str, lines: &str) -> Output {
    let root = env!("CARGO_MANIFEST_DIR");
    let dir = std::env::temp_dir().join(format!("db4sci-scripts-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let script = format!(". dev/lib.sh\nset +e\nPORTAL_PID={}/portal.pid\n{lines}", dir.display());
    let done = Command::new("bash").args(["-c", &script]).current_dir(root).output().expect("bash");
    std::fs::remove_dir_all(&dir).expect("the directory is removed");
    done
}

/// `make up` checks for the portal from the moment it is forked. Its command line changes while the shell becomes
/// `setsid`, `nohup`, the script and finally the portal.
#[test]
fn a_portal_is_known_from_the_instant_it_is_forked_until_it_ends() {
    let done = shell(
        "forked",
        "for i in $(seq 100); do
           setsid nohup bash -c 'exec sleep 60' >/dev/null 2>&1 </dev/null & pid=$!
           note_portal $pid || { echo \"$i: could not be noted\"; exit 1; }
           for j in 1 2 3; do
             [ \"$(portal_pid)\" = $pid ] || { echo \"$i: not known\"; kill $pid; exit 1; }
           done
           kill -KILL $pid; wait $pid 2>/dev/null
           ! portal_pid >/dev/null || { echo \"$i: known after its end\"; exit 1; }
         done",
    );
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn another_process_with_its_pid_is_not_the_portal() {
    let done = shell(
        "reused",
        "echo \"$$ 1\" >$PORTAL_PID; ! portal_pid >/dev/null; a=$?; rm $PORTAL_PID; ! portal_pid && exit $a",
    );
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
