//! A copy in two passes equals the directory at the second pass, whatever happened in between.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use mydb::storage::Files;

use super::{Ground, IMAGE, VOLUME, link, run, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_two_passes_equals_the_directory_at_the_second() {
    let ground = Ground::new();
    let (from, to) = (ground.place(), ground.place());
    let at = |name: &str| from.data().join(name);
    let write = |name: &str, text: &str| std::fs::write(at(name), text).expect("a file");
    for name in ["kept", "grown", "rewritten", "removed", "becomes a directory", "one", "other", "newly named"] {
        write(name, &format!("{name}, at first"));
    }
    for name in [
        "first",
        "second",
        "below",
        "below/deep",
        "becomes a file",
        "replaced",
        "removed with all",
        "removed with all/x",
    ] {
        std::fs::create_dir_all(at(name)).expect("a directory");
        write(&format!("{name}/file"), &format!("{:20}", format!("{name}, at first")));
    }
    link("kept", &at("link"));
    // Files that were changed a moment ago are copied again in any case.
    tokio::time::sleep(Duration::from_millis(4100)).await;

    let files = Files::Direct;
    let ahead = soon("the first pass", files.copy_ahead(&from, &to, VOLUME)).await.expect("copied");
    let ahead = ahead.expect("the copy is made directly");
    let copied = || {
        let mut names = std::fs::read_dir(to.root()).expect("its directory").flatten().map(|e| e.file_name());
        let name = names.find(|n| n.to_string_lossy().starts_with("copy.") || *n == *"data");
        std::fs::metadata(to.root().join(name.expect("the copy")).join("kept")).expect("copied").ino()
    };
    let kept = copied();

    write("grown", "grown, at first, and then some");
    write("rewritten", "rewritten, as often as before".get(..19).expect("as long"));
    std::fs::remove_file(at("removed")).expect("removed");
    std::fs::remove_file(at("becomes a directory")).expect("removed");
    std::fs::create_dir(at("becomes a directory")).expect("a directory");
    write("becomes a directory/file", "new");
    std::fs::remove_dir_all(at("becomes a file")).expect("removed");
    write("becomes a file", "new");
    std::fs::remove_dir_all(at("removed with all")).expect("removed");
    std::fs::rename(at("replaced"), at("below/moved")).expect("moved");
    std::fs::create_dir(at("replaced")).expect("a directory");
    write("replaced/other file", "new");
    std::fs::rename(at("one"), at("between")).expect("renamed");
    std::fs::rename(at("other"), at("one")).expect("renamed");
    std::fs::rename(at("between"), at("other")).expect("renamed");
    std::fs::rename(at("first"), at("between")).expect("renamed");
    std::fs::rename(at("second"), at("first")).expect("renamed");
    std::fs::rename(at("between"), at("second")).expect("renamed");
    std::fs::rename(at("newly named"), at("below/newly named")).expect("moved");
    std::fs::remove_file(at("link")).expect("removed");
    link("grown", &at("link"));
    write("below/deep/new", "new");

    let copy = soon("the second pass", files.copy_rest(&from, &to, IMAGE, VOLUME, Some(ahead))).await.expect("copied");
    files.finish_copy(&to, VOLUME, copy).await.expect("in its place");
    let (source, copy) = (from.data().display().to_string(), to.data().display().to_string());
    run("diff", &["-r", "--no-dereference", &source, &copy]);
    assert_eq!(copied(), kept, "what has not changed is not copied again");
    let modes = |dir: &str| {
        let mut find = std::process::Command::new("find");
        let listed = find.args([".", "!", "-type", "l", "-printf", "%P %m %U %G %y %T@\n"]).current_dir(dir).output();
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&listed.expect("listed").stdout).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(modes(&source), modes(&copy), "owners, modes and times");
}
