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
fn a_portal_process_is_recognised_from_fork_to_exit() {
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

/// A checkout with data and a build, in its own directory: what `make clean` deletes there belongs to this test.
struct Checkout(std::path::PathBuf);

impl Checkout {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("db4sci-checkout-{}", std::process::id()));
        for below in ["dev", "var/dev/tiers/standard", "target/debug"] {
            std::fs::create_dir_all(dir.join(below)).expect("a directory");
        }
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/dev")).expect("the scripts").flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "sh") {
                std::fs::copy(entry.path(), dir.join("dev").join(entry.file_name())).expect("copied");
            }
        }
        std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/Makefile"), dir.join("Makefile")).expect("copied");
        for file in ["var/dev/tiers/standard/data", "target/debug/built", "source"] {
            std::fs::write(dir.join(file), "kept").expect("written");
        }
        Self(dir)
    }

    /// Which of its files are there.
    fn files(&self) -> [bool; 3] {
        ["var/dev/tiers/standard/data", "target/debug/built", "source"].map(|file| self.0.join(file).exists())
    }

    /// Runs `make clean`: without a terminal, or on one on which this is typed.
    fn clean(&self, typed: Option<&str>) -> (bool, String) {
        let line = match typed {
            Some(typed) => format!("printf '%s\\n' '{typed}' | script -qefc 'make clean' /dev/null"),
            None => "make clean </dev/null".to_owned(),
        };
        let done = Command::new("bash")
            .args(["-c", &line])
            .current_dir(&self.0)
            .env_remove("YES")
            .env_remove("IMAGES")
            .env_remove("DB4SCI__INSTANCE")
            .output()
            .expect("bash");
        let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        (done.status.success(), text)
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn make_clean_deletes_nothing_before_confirmation() {
    let checkout = Checkout::new();
    for typed in [None, Some("no"), Some(""), Some("y")] {
        let (done, said) = checkout.clean(typed);
        assert!(!done && said.contains("nothing deleted"), "{typed:?}: {said}");
        assert!(
            said.contains("This permanently deletes:") && said.contains("data of the development databases"),
            "{said}"
        );
        assert_eq!(checkout.files(), [true; 3], "{typed:?}: {said}");
    }
    let (done, said) = checkout.clean(Some("yes"));
    assert!(done, "{said}");
    assert_eq!(checkout.files(), [false, false, true], "{said}");
}
