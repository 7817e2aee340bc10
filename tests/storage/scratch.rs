//! Files as large as the data, which commands write in a container, are on the disk of the data.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::docker;

/// The function that the portal's scripts call.
const SCRATCH: &str = include_str!("../../src/engine/backup/scratch.sh");

/// Calls it in a container whose directory on the tier is `root`, as the server's user and as nobody.
pub fn is_on_the_disk_of_the_data(container: &str, root: &Path) {
    let place = root.join("scratch");
    let mode = std::fs::metadata(&place).expect("it was made").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else on this machine reaches a place where everybody may write");
    for user in ["postgres", "65534"] {
        let run = |more: &str| {
            let script = format!("set -eu\n{SCRATCH}\ndir=$(scratch)\n{more}\n");
            docker::docker_ok(&["exec", "-u", user, container, "sh", "-c", &script])
        };
        let dir = run("echo large >\"$dir/file\"; echo \"$dir\"");
        let name = dir.strip_prefix("/db4sci-scratch/").unwrap_or_else(|| panic!("{user}: {dir}"));
        let there = place.join("tmp").join(name);
        assert_eq!(std::fs::read_to_string(there.join("file")).expect("it is on the tier"), "large\n");
        // Its script has ended without removing it, so the next one does.
        run("rm -rf \"$dir\"");
        assert!(!there.exists(), "{user}: {dir}");
    }
}
