//! Copies that nobody waits for any more.

use std::process::Command;
use std::time::Duration;

use uuid::Uuid;

use super::*;

const FILES: usize = 300;
/// Bytes of each, so that a copy takes long enough to be met in its middle.
const SIZE: usize = 200_000;

fn write(dir: &DataDir, text: &str) {
    std::fs::create_dir_all(dir.data()).unwrap();
    for n in 0..FILES {
        std::fs::write(dir.data().join(n.to_string()), text.repeat(SIZE / text.len())).unwrap();
    }
}

/// Waits until some files are in a copy that is at work; `false` if it was done before that was seen.
fn begun(to: &DataDir) -> bool {
    for _ in 0..30_000 {
        if to.data().exists() {
            return false;
        }
        let copies = std::fs::read_dir(to.root()).into_iter().flatten().flatten();
        let mut copies = copies.filter(|e| e.file_name().to_string_lossy().starts_with("copy."));
        if copies.any(|e| std::fs::read_dir(e.path().join("data")).is_ok_and(|d| d.count() >= 20)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("no copy is at work");
}

#[tokio::test]
async fn a_copy_that_a_killed_portal_left_at_work_writes_nothing_into_the_next_one() {
    let base = std::env::temp_dir().join(format!("db4sci-orphan-{}", std::process::id()));
    let place = |n| DataDir { base: base.clone(), id: Uuid::from_u128(n) };
    let (from, to) = (place(1), place(2));
    write(&from, "copied");
    std::fs::create_dir_all(to.root()).unwrap();
    let mut orphan = Command::new("sh");
    orphan.args(["-c", COPY, "sh", &to.id.to_string(), &from.id.to_string()]).current_dir(&base);
    let mut orphan = orphan.stderr(Stdio::null()).spawn().unwrap();
    begun(&to);

    // It goes on writing where the next one has to remove all.
    Files::Direct.copy(&from, &to, "").await.unwrap();
    let left: Vec<_> = std::fs::read_dir(to.root()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["data"]);
    write(&to, "written since");
    orphan.wait().unwrap();
    for n in 0..FILES {
        let is = std::fs::read_to_string(to.data().join(n.to_string())).unwrap();
        assert!(is.starts_with("written since"), "{n}: {is:.20}");
    }
    std::fs::remove_dir_all(&base).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_ends_with_whoever_waits_for_it() {
    let base = std::env::temp_dir().join(format!("db4sci-dropped-{}", std::process::id()));
    let place = |n| DataDir { base: base.clone(), id: Uuid::from_u128(n) };
    let (from, to) = (place(1), place(2));
    write(&from, "copied");
    std::fs::create_dir_all(to.root()).unwrap();
    // A busy machine may have done it before it can be met in its middle.
    for tries in 0.. {
        assert!(tries < 50, "every copy was done too soon");
        let (a, b) = (from.clone(), to.clone());
        let copying = tokio::spawn(async move { Files::Direct.copy(&a, &b, "").await });
        begun(&to);
        copying.abort();
        if copying.await.is_err_and(|e| e.is_cancelled()) && !to.data().exists() {
            break;
        }
        let _ = std::fs::remove_dir_all(to.data());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let then = walk(&to.root());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(walk(&to.root()), then, "nothing writes any more");
    assert!(!to.data().exists());
    std::fs::remove_dir_all(&base).unwrap();
}
