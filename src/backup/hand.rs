//! `RESTORE.txt`: how a person restores a backup without this portal, with tools that everybody has.

use std::fmt::Write;

use super::manifest::Manifest;
use crate::engine::backup::Backup;
use crate::objects::Store;

/// The text beside a manifest.
pub fn lines(m: &Manifest, store: &Store, location: &str, engine: Option<&'static dyn Backup>) -> String {
    let mut text = String::new();
    let c = &m.container;
    let target = store.target();
    let endpoint = target.endpoint.as_deref().filter(|_| target.embedded.is_none());
    let endpoint = endpoint.map(|e| format!("--endpoint-url {e} ")).unwrap_or_default();
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "# Backup {} of the database “{}” ({} {}), made {}.\n\
         # These lines are a script for bash. They restore it without the portal that made it, into an empty server of\n\
         # the same engine and the same or a newer version. You need: the AWS command line (or any S3 client), zstd, and\n\
         # the engine's own client programs of that version. Set these for your server, then run it line by line:\n\
         #   HOST=localhost PORT=… ADMIN=… (an administrator of the server; its password as the client wants it)\n\
         set -euo pipefail\n",
        m.backup,
        c.name,
        c.engine.label(),
        c.version,
        m.started_at.format("%Y-%m-%d %H:%M:%S UTC")
    );
    let _ = writeln!(
        text,
        "# 1. Fetch the objects.\naws {endpoint}s3 cp --recursive {} .\n",
        store.url(&format!("{location}/"))
    );
    let _ = writeln!(text, "# 2. They must be what was stored.\nsha256sum --check <<'SUMS'");
    for o in &m.objects {
        let _ = writeln!(text, "{}  {}", o.stored.sha256, o.file);
    }
    let _ = writeln!(text, "SUMS\n\n# 3. Unpack and restore, in this order.");
    for o in &m.objects {
        let _ = writeln!(text, "zstd --decompress --force {}\nfile={}", o.file, o.plain);
        for line in engine.map(|e| e.by_hand(&o.part())).unwrap_or_default() {
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "# 4. Compare with what was counted in the moment of the backup (manifest.json, “counts”).");
    for count in m.counts.iter().filter(|k| k.kind != "object").take(200) {
        let _ = writeln!(
            text,
            "#    {} {} {}: {}",
            count.database,
            count.kind,
            count.name.replace(['\n', '\r'], " "),
            count.rows
        );
    }
    text
}
