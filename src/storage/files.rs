//! File work in data directories: directly as root, else in a helper container that is root.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use super::{DataDir, StorageError, io};
use crate::domain::names::InstanceId;
use crate::process::Group;
use crate::runtime::{ContainerSpec, Mount, Runtime, helper};

/// Copies one small file onto another by sharing, as far as the file system can.
const PROBE: &str = r#"set -eu
f=".share-$1"
echo probe >"$f"
if cp --reflink=always -- "$f" "$f.copy" 2>/dev/null; then echo shared; else echo apart; fi
rm -f -- "$f" "$f.copy"
"#;

/// Copies a directory with all that belongs to its files. Each attempt copies beside and puts it in place at the end: the
/// copy that a killed portal left at work would otherwise go on writing into that of the next one.
const COPY: &str = r#"set -eu
mkdir -p -- "$1"
for old in "$1"/copy.*; do [ ! -e "$old" ] || mv -- "$old" "$1/gone.${old##*.}" || :; done
n=0; until rm -rf -- "$1/data" "$1"/gone.*; do [ $((n += 1)) -lt 50 ]; sleep 0.1; done
new=$(mktemp -d -- "$1/copy.XXXXXX")
cp -a --reflink=auto -- "$2/data" "$new/data"
mv -T -- "$new/data" "$1/data"
rmdir -- "$new"
"#;

/// Gives a data directory to the user of its server.
const OWN: &str = r#"set -eu
chown -h -- "$1" "$2"
chmod -- 700 "$2"
"#;

/// Has the file system written all that it still holds back.
const SYNC: &str = r#"exec sync -f -- "$1/data""#;

/// How file work is done.
#[derive(Clone)]
pub enum Files {
    /// The portal is root.
    Direct,
    /// The portal is not: the servers own their files, so a short-lived container of the same image does it.
    Helper {
        /// The container engine.
        runtime: Arc<dyn Runtime>,
        /// Whose helper it is.
        instance: InstanceId,
    },
}

impl Files {
    /// Chooses by the user the portal runs as.
    pub fn choose(runtime: Arc<dyn Runtime>, instance: InstanceId) -> Self {
        if rustix::process::geteuid().is_root() { Self::Direct } else { Self::Helper { runtime, instance } }
    }

    /// Makes the data directory, or finds it made, and gives it to `uid:gid` with nobody else let in: the server's user
    /// must be able to work in it also where no entrypoint that starts as root sees to that. `image` is used by a helper
    /// container.
    ///
    /// # Errors
    /// If it can't be made, or not be given away.
    pub async fn prepare(&self, dir: &DataDir, image: &str, uid: u32, gid: u32) -> Result<(), StorageError> {
        self.own_root(dir).await?;
        let data = dir.data();
        let direct = matches!(self, Self::Direct);
        let done = blocking(move || {
            std::fs::create_dir_all(&data).map_err(io("make a directory", &data))?;
            let meta = std::fs::symlink_metadata(&data).map_err(io("look", &data))?;
            if (meta.uid(), meta.gid(), meta.mode() & 0o7777) == (uid, gid, 0o700) {
                return Ok(true);
            }
            if direct {
                std::os::unix::fs::chown(&data, Some(uid), Some(gid)).map_err(io("set the owner", &data))?;
                set_mode(&data, 0o700)?;
            }
            Ok(direct)
        });
        if !done.await? {
            let data = format!("/work/{}/data", dir.id);
            let owner = format!("{uid}:{gid}");
            self.helper(dir, image, "own", &["sh", "-c", OWN, "sh", &owner, &data]).await?;
        }
        Ok(())
    }

    /// Makes the container's directory, or finds it made. It is the portal's own, whoever works below it: what a helper
    /// makes would belong to root.
    async fn own_root(&self, dir: &DataDir) -> Result<(), StorageError> {
        let root = dir.root();
        blocking(move || {
            std::fs::create_dir_all(&root).map_err(io("make a directory", &root))?;
            let mode = std::fs::metadata(&root).map_err(io("look", &root))?.mode();
            if mode & 0o7777 == 0o755 { Ok(()) } else { set_mode(&root, 0o755) }
        })
        .await
    }

    /// Removes a container's directory with everything in it; one that is gone is fine.
    /// `image` is used by a helper container.
    ///
    /// # Errors
    /// If it can't be removed.
    pub async fn remove(&self, dir: &DataDir, image: &str) -> Result<(), StorageError> {
        let (root, doomed) = (dir.root(), dir.doomed());
        match self {
            Self::Direct => {
                blocking(move || {
                    let gone = |e: &std::io::Error| e.kind() == std::io::ErrorKind::NotFound;
                    let clear = || match std::fs::remove_dir_all(&doomed) {
                        Err(e) if !gone(&e) => Err(io("remove the directory", &doomed)(e)),
                        _ => Ok(()),
                    };
                    // One whose removal was cut short would be in the way.
                    clear()?;
                    match std::fs::rename(&root, &doomed) {
                        Err(e) if !gone(&e) => return Err(io("remove the directory", &root)(e)),
                        _ => {}
                    }
                    clear()
                })
                .await
            }
            Self::Helper { .. } => {
                let id = dir.id.to_string();
                self.helper(dir, image, "remove", &["rm", "-rf", "--", &format!("/work/{id}")]).await.map(|_| ())
            }
        }
    }

    /// Whether copies within `dir`'s file system share blocks, so that they take no time and no space.
    ///
    /// # Errors
    /// If it can't be tried.
    pub async fn shares_blocks(&self, dir: &DataDir, image: &str) -> Result<bool, StorageError> {
        let said = self.script(dir, image, "probe", PROBE, &[]).await?;
        Ok(said.trim() == "shared")
    }

    /// Copies the data of one directory into another on the same tier, sharing blocks where that can be. What an
    /// earlier attempt left there is removed.
    ///
    /// # Errors
    /// If it can't be copied. A file that changes meanwhile is no error: who copies has stopped its server, or frozen it.
    pub async fn copy(&self, from: &DataDir, to: &DataDir, image: &str) -> Result<(), StorageError> {
        self.own_root(to).await?;
        self.script(to, image, "copy", COPY, &[from.id.to_string()]).await.map(|_| ())
    }

    /// Waits until all of a data directory is on the disk, as a server that is started on it trusts.
    ///
    /// # Errors
    /// If it can't be written.
    pub async fn sync(&self, dir: &DataDir, image: &str) -> Result<(), StorageError> {
        self.script(dir, image, "write", SYNC, &[]).await.map(|_| ())
    }

    /// Runs a script for sh in the directory that holds all of the instance's on this tier, with `dir`'s id as `$1`.
    async fn script(
        &self,
        dir: &DataDir,
        image: &str,
        what: &str,
        script: &str,
        arguments: &[String],
    ) -> Result<String, StorageError> {
        let id = dir.id.to_string();
        match self {
            Self::Direct => {
                std::fs::create_dir_all(&dir.base).map_err(io("make a directory", &dir.base))?;
                let mut command = tokio::process::Command::new("sh");
                command.args(["-c", script, "sh", &id]).args(arguments).current_dir(&dir.base);
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
                let child = command.spawn().map_err(io("work", &dir.base))?;
                let group = Group::of(&child);
                let done = child.wait_with_output().await.map_err(io("work", &dir.base))?;
                group.ended();
                if done.status.success() {
                    return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
                }
                let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
                Err(StorageError::Refused(format!("Could not {what} in {}: {said}", dir.base.display())))
            }
            Self::Helper { .. } => {
                let script = format!("cd /work\n{script}");
                let mut argv = vec!["sh", "-c", &script, "sh", &id];
                argv.extend(arguments.iter().map(String::as_str));
                self.helper(dir, image, what, &argv).await
            }
        }
    }

    /// Bytes that a container's directory takes on the disk.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn usage(&self, dir: &DataDir, image: &str) -> Result<i64, StorageError> {
        match self {
            Self::Direct => {
                let data = dir.data();
                blocking(move || Ok(walk(&data))).await
            }
            Self::Helper { .. } => {
                let path = format!("/work/{}", dir.id);
                let said = self.helper(dir, image, "measure", &["du", "-s", "-B1", &path]).await?;
                said.split_whitespace()
                    .next()
                    .and_then(|n| n.parse().ok())
                    .ok_or_else(|| StorageError::Refused(format!("The helper could not measure the directory: {said}")))
            }
        }
    }

    /// The first line of a small file in the data directory, or `None` if there is none.
    ///
    /// # Errors
    /// If it is there but can't be read.
    pub async fn first_line(&self, dir: &DataDir, file: &str, image: &str) -> Result<Option<String>, StorageError> {
        match self {
            Self::Direct => {
                let path = dir.data().join(file);
                blocking(move || match std::fs::read_to_string(&path) {
                    Ok(text) => Ok(Some(text.lines().next().unwrap_or_default().to_owned())),
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(e) => Err(io("read a file", &path)(e)),
                })
                .await
            }
            Self::Helper { .. } => {
                let path = format!("/work/{}/data/{file}", dir.id);
                let script = "if [ -e \"$1\" ]; then head -n 1 -- \"$1\"; fi";
                let said = self.helper(dir, image, "read", &["sh", "-c", script, "sh", &path]).await?;
                Ok(said.lines().next().map(str::to_owned))
            }
        }
    }

    /// Whether nothing lies in the data directory.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn is_empty(&self, dir: &DataDir, image: &str) -> Result<bool, StorageError> {
        match self {
            Self::Direct => {
                let data = dir.data();
                blocking(move || match std::fs::read_dir(&data) {
                    Ok(mut entries) => Ok(entries.next().is_none()),
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(true),
                    Err(e) => Err(io("look", &data)(e)),
                })
                .await
            }
            Self::Helper { .. } => {
                let path = format!("/work/{}/data", dir.id);
                let script = "if [ -d \"$1\" ]; then ls -A -- \"$1\"; fi";
                Ok(self.helper(dir, image, "look", &["sh", "-c", script, "sh", &path]).await?.trim().is_empty())
            }
        }
    }

    async fn helper(&self, dir: &DataDir, image: &str, what: &str, argv: &[&str]) -> Result<String, StorageError> {
        let Self::Helper { runtime, instance } = self else {
            return Err(StorageError::Refused("A helper container is only for a portal that is not root.".to_owned()));
        };
        let spec = ContainerSpec {
            user: Some("0:0".to_owned()),
            mounts: vec![Mount { source: dir.base.clone(), target: "/work".to_owned() }],
            capabilities: ["DAC_OVERRIDE", "FOWNER", "CHOWN"].map(str::to_owned).to_vec(),
            ..ContainerSpec::helper(instance, &format!("{what}-{}", dir.id), image, argv)
        };
        // The engine would make a missing directory as root, and the portal could make nothing in it.
        std::fs::create_dir_all(&dir.base).map_err(io("make a directory", &dir.base))?;
        match helper::run(runtime.as_ref(), &spec).await? {
            (0, said) => Ok(said),
            (code, said) => Err(StorageError::Refused(format!("The helper for “{what}” ended with {code}: {said}"))),
        }
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), StorageError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(io("set the permissions", path))
}

/// Disk blocks of everything below `path`. Files that vanish meanwhile, as a live server's do, count nothing.
fn walk(path: &Path) -> i64 {
    let mut bytes = 0i64;
    let mut todo = vec![path.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            bytes = bytes.saturating_add(i64::try_from(meta.blocks()).unwrap_or(0).saturating_mul(512));
            if meta.is_dir() {
                todo.push(entry.path());
            }
        }
    }
    bytes
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| StorageError::Refused(format!("The file work was cut short: {e}")))?
}

#[cfg(test)]
mod tests;
