//! File operations of a portal that is not root. Servers own their files, so a short-lived container of the same image
//! does the work as its own root user. It has access to that one directory only (read-only for reads), no network, and
//! only the capabilities it needs; links in the directory can lead only into the helper's own image. Its output is
//! treated as data: limited in size and strictly parsed.

use std::time::Duration;

use super::no_follow::{SmallFile, shown};
use super::{DataDir, rejected_files};
use crate::domain::names::InstanceId;
use crate::runtime::{ContainerSpec, Mount, Runtime, helper};
use crate::storage::error::StorageError;

/// Timeout for a query or a change of one directory.
const SHORT: Duration = Duration::from_secs(60);
/// Timeout for measuring a directory; the script gives up earlier.
const MEASURE: Duration = Duration::from_secs(150);
/// Timeout for copying or removing a directory.
const LONG: Duration = Duration::from_secs(24 * 3600);

const READS: &[&str] = &["DAC_READ_SEARCH"];
const WRITES: &[&str] = &["DAC_OVERRIDE", "FOWNER", "CHOWN"];

/// Gives the data directory to its server's user.
const OWN: &str = r#"set -eu
[ -d /work/data ] && [ ! -L /work/data ]
chown -h -- "$1" /work/data
chmod -- 700 /work/data
"#;

/// Measures disk blocks. Files removed meanwhile by a running server make du print errors, but the result is still
/// right.
const USAGE: &str = r#"code=0
[ -d /work/data ] && [ ! -L /work/data ] || { echo 0; exit 0; }
said=$(timeout 120 du -s -x -B1 /work/data 2>/dev/null) || code=$?
[ "$code" != 124 ] || exit 124
printf '%s\n' "${said%%[!0-9]*}"
"#;

/// Prints the beginning of the first file that exists, after a plus, which distinguishes an empty file from a missing
/// one.
const HEAD: &str = r#"for f; do
  f=/work/data/$f
  if [ -L "$f" ]; then printf '!'; exit 0; fi
  if [ -f "$f" ]; then printf '+'; exec timeout 20 head -c 257 -- "$f"; fi
  if [ -e "$f" ]; then printf '!'; exit 0; fi
done
"#;

/// Prints one line if the directory contains anything.
const FULL: &str = "[ -d /work/data ] || exit 3
exec find /work/data -mindepth 1 -maxdepth 1 -exec echo full ';' -quit
";

/// Removes everything in the directory.
const CLEAR: &str = "exec find /work -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +";

/// Tries to share a file between two directories, as a copy would.
const PROBE: &str = "set -eu
if cp --reflink=always -- /from/made-by /work/.share-probe 2>/dev/null; then echo shared; else echo apart; fi
rm -f -- /work/.share-probe
";

/// Rejects files that no server creates. `$1` is where the server sees its data, `$2` the size of the whole disk in bytes.
const CHECK: &str = r#"set -eu
odd() { printf '%s\n' "$1"; exit 9; }
cd /from/data
found=$(find . ! -type d ! -type f ! -type l ! -type s ! -type p -exec printf 'D%s' {} ';' -quit | head -c 600)
[ -z "$found" ] || odd "$found"
found=$(find . -type f -size "+$2c" -exec printf 'S%s' {} ';' -quit | head -c 600)
[ -z "$found" ] || odd "$found"
found=$(find . -type f -name '*.isl' -exec printf 'I%s' {} ';' -quit | head -c 600)
[ -z "$found" ] || odd "$found"
found=$(find . -type l -exec sh -c '
  volume=$1; shift
  for l; do
    to=$(readlink -- "$l"; printf .); to=${to%?.}
    case /$to/ in */../*) printf "L%s -> %s" "$l" "$to"; exit ;; esac
    case $to in "$volume"/?*) ;; /*) printf "L%s -> %s" "$l" "$to"; exit ;; esac
  done' sh "$1" {} + | head -c 600)
[ -z "$found" ] || odd "$found"
"#;

/// After the check, copies to a temporary directory, without the bits that let a program run as another user, and renames
/// it when complete.
const COPY: &str = r"find /work -mindepth 1 -maxdepth 1 \( -name data -o -name 'copy*' -o -name 'gone*' \) -exec rm -rf -- {} +
mkdir /work/copy
cp -a --reflink=auto --sparse=auto -- /from/data /work/copy/data
find /work/copy/data \( -type f -o -type d \) -perm /6000 -exec chmod a-s -- {} +
mv -T -- /work/copy/data /work/data
rmdir /work/copy
";

/// A helper container for directories that the portal has no access to.
pub(super) struct FileHelper<'a> {
    /// The container engine.
    pub runtime: &'a dyn Runtime,
    /// The instance that the helper belongs to.
    pub instance: &'a InstanceId,
    /// The directory it works on.
    pub dir: &'a DataDir,
    /// The image it is created from.
    pub image: &'a str,
}

impl FileHelper<'_> {
    pub async fn own(&self, uid: u32, gid: u32) -> Result<(), StorageError> {
        let owner = format!("{uid}:{gid}");
        self.run("own", &["sh", "-c", OWN, "sh", &owner], self.whole(false), WRITES, SHORT).await.map(|_| ())
    }

    pub async fn usage(&self) -> Result<i64, StorageError> {
        let said = self.run("measure", &["sh", "-c", USAGE], self.whole(true), READS, MEASURE).await?;
        said.trim().parse().map_err(|_| StorageError::Refused("The data directory could not be measured.".to_owned()))
    }

    pub async fn head(&self, files: &[String]) -> Result<SmallFile, StorageError> {
        let mut argv = vec!["sh", "-c", HEAD, "sh"];
        argv.extend(files.iter().map(String::as_str));
        let said = self.run("read", &argv, self.whole(true), READS, SHORT).await?;
        Ok(match said.as_bytes().split_first() {
            None => SmallFile::Missing,
            Some((b'+', text)) => SmallFile::of(text),
            Some(_) => SmallFile::Odd,
        })
    }

    pub async fn is_empty(&self) -> Result<bool, StorageError> {
        let said = self.run("look", &["sh", "-c", FULL], self.whole(true), READS, SHORT).await?;
        Ok(said.trim().is_empty())
    }

    /// Removes the contents of the directory that was renamed for removal.
    pub async fn clear(&self) -> Result<(), StorageError> {
        let doomed = vec![Mount { source: self.dir.doomed(), target: "/work".to_owned(), read_only: false }];
        self.run("remove", &["sh", "-c", CLEAR], doomed, WRITES, LONG).await.map(|_| ())
    }

    pub async fn shares_blocks(&self, from: &DataDir) -> Result<bool, StorageError> {
        let said = self.run("probe", &["sh", "-c", PROBE], self.both(from), WRITES, SHORT).await?;
        Ok(said.trim() == "shared")
    }

    /// Copies the data of `from` into this directory.
    pub async fn copy(&self, from: &DataDir, volume: &str, disk: u64) -> Result<(), StorageError> {
        let (disk, script) = (disk.to_string(), [CHECK, COPY].concat());
        let mounts = self.both(from);
        self.run("copy", &["sh", "-c", &script, "sh", volume, &disk], mounts, WRITES, LONG).await.map(|_| ())
    }

    /// Rejects what no server creates in this directory.
    pub async fn check(&self, volume: &str, disk: u64) -> Result<(), StorageError> {
        let disk = disk.to_string();
        let mount = Mount { source: self.dir.root(), target: "/from".to_owned(), read_only: true };
        self.run("check", &["sh", "-c", CHECK, "sh", volume, &disk], vec![mount], READS, LONG).await.map(|_| ())
    }

    fn whole(&self, read_only: bool) -> Vec<Mount> {
        vec![Mount { source: self.dir.root(), target: "/work".to_owned(), read_only }]
    }

    fn both(&self, from: &DataDir) -> Vec<Mount> {
        let from = Mount { source: from.root(), target: "/from".to_owned(), read_only: true };
        [vec![from], self.whole(false)].concat()
    }

    async fn run(
        &self,
        what: &str,
        argv: &[&str],
        mounts: Vec<Mount>,
        capabilities: &[&str],
        limit: Duration,
    ) -> Result<String, StorageError> {
        let name = |what: &str| format!("{what}-{}", self.dir.id);
        if capabilities == WRITES {
            // A helper left by a killed portal would keep writing to the same directory.
            for other in ["own", "copy", "remove"] {
                let other = ContainerSpec::helper(self.instance, &name(other), self.image, &[]).name;
                self.runtime.remove(&other).await?;
            }
        }
        let spec = ContainerSpec {
            user: Some("0:0".to_owned()),
            mounts,
            capabilities: capabilities.iter().map(|c| (*c).to_owned()).collect(),
            memory: 256 * 1024 * 1024,
            ..ContainerSpec::helper(self.instance, &name(what), self.image, argv)
        };
        match helper::run(self.runtime, &spec, limit).await? {
            (0, said) => Ok(said),
            (9, said) => Err(refusal(&said)),
            (124, _) => Err(StorageError::Refused("Scanning the data directory takes too long.".to_owned())),
            (137, _) => {
                Err(StorageError::Refused(format!("The helper for “{what}” was killed: there is too much data.")))
            }
            (code, said) => {
                let said = shown(said.trim().as_bytes());
                Err(StorageError::Refused(format!("The helper for “{what}” exited with code {code}: {said}")))
            }
        }
    }
}

/// The refusal of a file that no server creates, as reported by the script.
fn refusal(said: &str) -> StorageError {
    let (kind, path) = said.split_at_checked(1).unwrap_or_default();
    let in_data = |path: &str| {
        format!("data/{}", shown(path.strip_prefix("./").unwrap_or(path).trim_end_matches('\n').as_bytes()))
    };
    match (kind, path.rsplit_once(" -> ")) {
        ("L", Some((link, to))) => rejected_files::link_out(&in_data(link), to.trim_end_matches('\n').as_bytes()),
        ("I", _) => rejected_files::table_elsewhere(&in_data(path)),
        ("S", _) => rejected_files::larger_than_disk(&in_data(path)),
        _ => rejected_files::device(&in_data(path)),
    }
}
