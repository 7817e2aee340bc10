//! Generates `RESTORE.txt`: instructions for restoring a backup manually without this portal, with common tools. It is
//! a script that can be run as it is; the tests run it.

use std::fmt::Write;

use crate::engine::backup::EngineBackup;
use crate::manifest::{BY_HAND, FILE, Manifest, Object};
use crate::objects::Store;

/// Quotes a word for bash.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A name for use in a comment, without characters that could end the comment.
fn shown(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

/// Lines of the script that verify checksums.
fn sums<'a>(objects: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines: Vec<_> = objects.map(|(sha256, file)| format!("{sha256}  {file}\n")).collect();
    format!("  sha256sum --check --quiet <<'SUMS'\n{}SUMS\n", lines.concat())
}

/// Lines of the script that decrypt the encrypted objects.
fn decrypt(m: &Manifest) -> String {
    let sealed = m.objects.iter().filter(|o| o.encryption.is_some());
    let lines: Vec<_> = sealed
        .map(|o| {
            format!(
                "  \"${{AGE:-age}}\" --decrypt --identity \"${{KEY:?}}\" --output {} {}\n",
                quoted(o.compressed()),
                quoted(&o.file)
            )
        })
        .collect();
    lines.concat()
}

/// Checks for the key and the CA file before anything is downloaded.
fn demands(m: &Manifest, store: &Store) -> (String, String) {
    let key = match m.encryption {
        Some(_) => "  : \"${KEY:?set it to the file with the secret key}\"\n  head -c 1 \"$KEY\" >/dev/null\n",
        None => "",
    };
    let authority = match store.target().ca {
        Some(_) => "  export AWS_CA_BUNDLE=\"${AWS_CA_BUNDLE:?set it to the CA file of the target}\"\n",
        None => "",
    };
    (key.to_owned(), authority.to_owned())
}

/// The instructions before the script.
fn head(m: &Manifest, store: &Store, location: &str) -> String {
    let c = &m.container;
    let place = match &store.target().embedded {
        Some(dir) => format!(
            "#    The target was served by the portal itself, so set ENDPOINT. If it is gone, copy the objects \
             from\n#    {}\n#    and run: bash {BY_HAND} unpack\n",
            shown(&dir.display().to_string())
        ),
        None => String::new(),
    };
    let authority = match &store.target().ca {
        Some(file) => format!(
            "#    The target uses a private CA: set AWS_CA_BUNDLE to a copy of the CA file, which the portal had \
             at\n#    {}.\n",
            shown(&file.display().to_string())
        ),
        None => String::new(),
    };
    let stopped = m.admin_password.is_some() || m.sealed_admin_password.is_some();
    let first = match &m.encryption {
        None => String::new(),
        Some(e) => {
            let whose: Vec<_> = e.recipients.iter().map(|r| format!("#      {}\n", shown(r))).collect();
            let whose = whose.concat();
            format!(
                "#    The objects are encrypted. Install age (or rage, with AGE=rage) and set KEY to the file with \
                 the secret\n#    key of one of these recipients:\n{whose}"
            )
        }
    };
    let second = match stopped {
        false => format!(
            "# 2. Set HOST, PORT, ADMIN and {0} for an empty server of the same or a newer version; ADMIN is an\n#    \
             administrator of the server and {0} the password. In the same directory, run this with the client\n#    \
             programs of that version (for example in a container of the server's image):\n#      bash {BY_HAND} \
             restore\n",
            c.engine.engine().password_variable()
        ),
        true => format!(
            "# 2. Set DATA to the empty data directory of a server of the same version that is not running. In the \
             same\n#    directory, run this as root with the server's programs (for example in a container of its \
             image, with\n#    the data directory mounted where the image expects it):\n#      bash {BY_HAND} \
             restore\n# 3. Start the server on it. Its administrator is {} with the password {}, which\n#    was \
             created for this backup only. The other users keep their passwords.\n",
            c.engine.engine().admin_user(),
            m.admin_password.clone().unwrap_or_else(|| format!("that bash {BY_HAND} password prints"))
        ),
    };
    format!(
        "# Backup {} of the database “{}” ({} {}), owned by {}, made {}.\n# Location: {} (the ids of the portal, the \
         database and the backup).\n#\n# This bash script restores the backup without the portal that made it. Copy \
         it to an empty directory and\n# follow these steps there. You need the AWS command line (or any S3 client), \
         sha256sum and zstd.\n#\n{first}# 1. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; and \
         ENDPOINT only if the target has moved.\n#      bash {BY_HAND} fetch\n{authority}{place}#    This downloads \
         the objects, verifies their checksums and decompresses them.\n{second}set -euo pipefail\n\n",
        m.backup,
        shown(&c.name),
        c.engine.label(),
        c.version,
        shown(&c.owner),
        m.started_at.format("%Y-%m-%d %H:%M:%S UTC"),
        shown(&store.url(location)),
    )
}

/// The text stored next to a manifest.
pub fn lines(m: &Manifest, store: &Store, location: &str, engine: Option<&'static dyn EngineBackup>) -> String {
    let target = store.target();
    // The embedded store gets another address at every start.
    let endpoint = target.endpoint.as_deref().filter(|_| target.embedded.is_none()).unwrap_or_default();
    let files = |name: fn(&Object) -> &str| m.objects.iter().map(|o| quoted(name(o))).collect::<Vec<_>>().join(" ");
    let mut text = head(m, store, location);
    let (key, authority) = demands(m, store);
    // Writing to a `String` cannot fail.
    let _ = write!(
        text,
        "fetch() {{\n{key}{authority}  ENDPOINT=${{ENDPOINT:-{endpoint}}}\n  export AWS_DEFAULT_REGION=${{AWS_DEFAULT_REGION:-{}}}\n  \
         aws ${{ENDPOINT:+--endpoint-url \"$ENDPOINT\"}} s3 cp --only-show-errors --recursive --exclude {BY_HAND} {} .\n  unpack\n}}\n\n",
        target.region,
        quoted(&store.url(&format!("{location}/")))
    );
    let _ = write!(
        text,
        "unpack() {{\n{key}  # Check against what was stored, then against what was dumped.\n{}{}  zstd --decompress \
         --quiet --force {}\n{}}}\n\n",
        sums(m.objects.iter().map(|o| (o.stored.sha256.as_str(), o.file.as_str()))),
        decrypt(m),
        files(Object::compressed),
        sums(m.objects.iter().map(|o| (o.dumped.sha256.as_str(), o.plain.as_str())))
    );
    if let Some(sealed) = &m.sealed_admin_password {
        let _ = write!(
            text,
            "password() {{\n  echo {sealed} | base64 -d | \"${{AGE:-age}}\" --decrypt --identity \"${{KEY:?}}\"\n  echo\n}}\n\n"
        );
    }
    text.push_str("restore() {\n");
    let stopped = m.admin_password.is_some() || m.sealed_admin_password.is_some();
    text.push_str(match stopped {
        false => "  : \"${HOST:?}\" \"${PORT:?}\" \"${ADMIN:?}\"\n",
        true => "  : \"${DATA:?}\"\n",
    });
    for o in &m.objects {
        let _ = writeln!(text, "\n  file={}", quoted(&o.plain));
        for line in engine.map(|e| e.by_hand(&o.part())).unwrap_or_default() {
            let _ = writeln!(text, "  {line}");
        }
    }
    for line in engine.map(EngineBackup::by_hand_end).unwrap_or_default() {
        let _ = writeln!(text, "  {line}");
    }
    let _ = write!(
        text,
        "}}\n\ncase ${{1:-}} in\n  fetch | unpack | restore{}) \"$1\" ;;\n  *) sed -n '/^set /q; s/^# \\{{0,1\\}}//p' \
         \"$0\"; exit 2 ;;\nesac\n\n# Row counts at the time of the backup, for comparison ({FILE}, “counts”):\n",
        if m.sealed_admin_password.is_some() { " | password" } else { "" }
    );
    for count in m.counts.iter().filter(|k| k.kind != "object").take(200) {
        let _ = writeln!(
            text,
            "#    {} {} {}: {}",
            shown(&count.database),
            shown(&count.kind),
            shown(&count.name),
            count.rows
        );
    }
    text
}
