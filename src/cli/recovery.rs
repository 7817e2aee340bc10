//! `db4sci recovery-key`, `db4sci admin-db`, `db4sci rebuild`: backup and recovery of the portal itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};

use super::session;
use super::table::table;
use crate::admin_db::log::Actor;
use crate::bootstrap::BootstrapParts;
use crate::catalog::Catalog;
use crate::cli::surroundings::{Surroundings, say};
use crate::clock::Clock;
use crate::data_dir_lock::Presence;
use crate::domain::quantity::ByteSize;
use crate::lifecycle::Lifecycle;
use crate::manifest::admin;
use crate::manifest::admin::StoredAdminBackup;
use crate::objects::{Store, Stores};
use crate::rebuild::report::{DatabaseLine, DatabaseOutcome};
use crate::recovery::admin_backup::AdminBackupMaker;
use crate::recovery::admin_restore;
use crate::recovery::admin_restore::AdminRestoreRequest;
use crate::runtime::docker::DockerRuntime;
use crate::secrets::Random;
use crate::{encryption, rebuild, recovery_key};

/// Which bucket, and with which key.
#[derive(Debug, Args)]
pub(super) struct BucketOptions {
    /// Name of a configured target; the first one by default
    #[arg(long)]
    target: Option<String>,
    /// File with the recovery key, or - for standard input; required if this host has no sealing key
    #[arg(long, value_name = "FILE")]
    recovery_key: Option<PathBuf>,
    /// File with the secret key of a backup recipient; required for encrypted backups unless the recovery key is a recipient
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Use the newest backup of mydb_admin made at or before this time, for example 2027-01-15T08:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
    /// Accept backups not signed by this portal, for example from an earlier version. Use it only if nobody else could
    /// write to the bucket
    #[arg(long)]
    unsigned: bool,
}

impl BucketOptions {
    fn key(&self) -> anyhow::Result<Option<SecretString>> {
        self.recovery_key.as_deref().map(read_key).transpose()
    }

    /// Adds the keys that decrypt encrypted backups, in addition to the recovery key.
    fn unlock(&self, parts: &mut BootstrapParts) -> anyhow::Result<()> {
        let keys = &mut parts.config.backups.identities;
        if let Some(file) = &self.identity {
            let text = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
            keys.extend(encryption::identities(&text).map_err(|rule| anyhow::anyhow!("{} {rule}", file.display()))?);
        }
        Ok(())
    }
}

/// Reads the recovery key from a file or standard input.
fn read_key(file: &Path) -> anyhow::Result<SecretString> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?
    };
    // The file may contain comments around the key.
    let line = text.lines().map(str::trim).find(|l| l.starts_with("AGE-SECRET-KEY-"));
    let line = line.with_context(|| {
        format!("{} contains no recovery key (a line that starts with AGE-SECRET-KEY-)", file.display())
    })?;
    Ok(SecretString::from(line))
}

#[derive(Debug, Subcommand)]
pub(super) enum AdminDbCommand {
    /// List the backups of mydb_admin in the bucket
    List {
        /// Name of a configured target; the first one by default
        #[arg(long)]
        target: Option<String>,
    },
    /// Back up mydb_admin now, even while the portal is running, and print the location
    Backup {
        /// Name of a configured target; the first one by default
        #[arg(long)]
        target: Option<String>,
    },
    /// Restore mydb_admin on a host that has none
    Restore(BucketOptions),
}

/// `db4sci recovery-key`
pub(super) fn make_key(at: &Surroundings, replace: bool, register: Option<&Path>) -> anyhow::Result<()> {
    let config = at.checked_config()?;
    let file = recovery_key::recipient_file(&config);
    if let Some(given) = register {
        let given = read_key(given)?;
        let recipient = encryption::recipient_of(&given).context("this is not a recovery key")?;
        let there = recovery_key::recipient(&config)?.map(|r| r.to_string());
        if there.is_some_and(|there| there != recipient) && !replace {
            bail!("{} contains another recovery key. Use --replace to replace it.", file.display());
        }
        recovery_key::register(&config, &given)?;
        say(&format!("From now on, backups of mydb_admin are encrypted for the recovery key {recipient}.\n"));
        return Ok(());
    }
    if file.exists() && !replace {
        bail!("{} shows that a recovery key already exists. Use --replace to replace it.", file.display());
    }
    let made = recovery_key::create(&config)?;
    println!("{}", made.expose_secret());
    eprintln!(
        "This is the recovery key. It is shown only once and not stored: keep it in a safe place away from this host."
    );
    eprintln!("It decrypts the keys in the bucket from the next hourly backup of mydb_admin onwards.");
    Ok(())
}

/// The parts of a portal, without starting one.
pub(super) async fn parts(at: &Surroundings) -> anyhow::Result<BootstrapParts> {
    let config = at.checked_config()?;
    let catalog = Catalog::load(&config.catalog)
        .map_err(|problems| anyhow::Error::from(crate::cli::surroundings::Problems(problems)))?;
    let runtime = Arc::new(DockerRuntime::connect().await?);
    Ok(BootstrapParts { config, catalog, runtime, clock: Clock::system() })
}

fn chosen<'a>(stores: &'a Stores, target: Option<&str>) -> anyhow::Result<&'a Arc<Store>> {
    let found = match target {
        Some(name) => stores.get(name),
        None => stores.first(),
    };
    found.context("there is no such target in the configuration")
}

/// `db4sci admin-db …`
pub(super) async fn admin_db(command: AdminDbCommand, at: &Surroundings) -> anyhow::Result<()> {
    // Fails only if a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut parts = parts(at).await?;
    let (stores, servers) = Stores::open(&parts.config).await?;
    let mut lifecycle = Lifecycle::default();
    let stop = lifecycle.token();
    for server in servers {
        lifecycle.spawn("embedded store", server.serve(stop.clone()));
    }
    let done = match command {
        AdminDbCommand::List { target } => list(&parts, chosen(&stores, target.as_deref())?).await,
        AdminDbCommand::Backup { target } => back_up(&parts, &stores, chosen(&stores, target.as_deref())?).await,
        AdminDbCommand::Restore(from) => restore(&mut parts, chosen(&stores, from.target.as_deref())?, &from).await,
    };
    let _ = lifecycle.stop(std::future::pending()).await;
    done
}

async fn list(parts: &BootstrapParts, store: &Store) -> anyhow::Result<()> {
    let there = admin::list(store, &parts.config.instance).await?;
    let row = |t: &StoredAdminBackup| {
        let keys = if t.keys { "yes" } else { "no" };
        let bytes = ByteSize(i64::try_from(t.bytes).unwrap_or(i64::MAX));
        vec![
            t.made_at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            bytes.to_string(),
            keys.to_owned(),
            store.url(&t.location),
        ]
    };
    say(&table(&["created", "size", "keys", "at"], &there.iter().map(row).collect::<Vec<_>>()));
    Ok(())
}

async fn back_up(parts: &BootstrapParts, stores: &Stores, store: &Arc<Store>) -> anyhow::Result<()> {
    let (random, now) = (Random::system(), parts.clock.now());
    let (config, runtime) = (&parts.config, parts.runtime.as_ref());
    let copies = stores.named(&config.backups.copies).into_iter().filter(|to| to.name() != store.name());
    let maker = AdminBackupMaker { config, runtime, store, random: &random, now, copies: copies.collect() };
    let made = maker.back_up().await?;
    let url = store.url(&made.location);
    if let Some(mut db) = session::connect(&parts.config, &random).await? {
        let actor = Actor { name: format!("cli:{}", session::os_user()), ..Actor::default() };
        session::note(&mut db, &actor, now, "portal.admin-backup", &url).await?;
    }
    if !made.manifest.keys {
        eprintln!("There is no recovery key, so the backup contains no keys: create one with `db4sci recovery-key`.");
    }
    let bytes = ByteSize(i64::try_from(made.manifest.object.stored.bytes).unwrap_or(i64::MAX));
    say(&format!("{url}\nCurrent mydb_admin with {} databases, {bytes}.\n", made.manifest.containers));
    Ok(())
}

async fn restore(parts: &mut BootstrapParts, store: &Arc<Store>, from: &BucketOptions) -> anyhow::Result<()> {
    let _alone = Presence::alone(&parts.config)?;
    let found = admin_restore::choose(parts, store, from.at).await?;
    let found = found.context("the bucket contains no backup of mydb_admin, or none that old")?;
    let key = from.key()?;
    from.unlock(parts)?;
    admin_restore::restore(
        parts,
        store,
        &found,
        &AdminRestoreRequest { at: from.at, key: key.as_ref(), unsigned: from.unsigned },
    )
    .await?;
    say(&format!(
        "Restored mydb_admin as of {}, with {} databases. Start the portal: it compares them with the running \
         containers.\n",
        found.manifest.made_at.format("%Y-%m-%d %H:%M:%S UTC"),
        found.manifest.containers
    ));
    Ok(())
}

/// `db4sci rebuild`
pub(super) async fn rebuild_all(from: BucketOptions, json: bool, at: &Surroundings) -> anyhow::Result<()> {
    // Fails only if a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = from.key()?;
    let wanted = AdminRestoreRequest { at: from.at, key: key.as_ref(), unsigned: from.unsigned };
    let mut parts = parts(at).await?;
    from.unlock(&mut parts)?;
    let report = Box::pin(rebuild::rebuild(parts, from.target.as_deref(), &wanted)).await?;
    if json {
        say(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    } else {
        say(&format!("mydb_admin: {}\n", report.admin_db));
        if report.taken_in > 0 {
            say(&format!("Newly registered backups: {}.\n", report.taken_in));
        }
        if report.unsigned > 0 {
            say(&format!("Backups skipped because they are not signed by this portal: {}.\n", report.unsigned));
        }
        say("\n");
        let row = |l: &DatabaseLine| {
            let is = match l.is {
                DatabaseOutcome::There => "there",
                DatabaseOutcome::Missing => "missing",
                DatabaseOutcome::Deleted => "deleted",
            };
            vec![l.database.clone(), l.engine.to_owned(), is.to_owned(), l.outcome.clone()]
        };
        say(&table(&["database", "engine", "is", "because"], &report.databases.iter().map(row).collect::<Vec<_>>()));
    }
    let missing = report.databases.iter().filter(|l| l.is == DatabaseOutcome::Missing).count();
    if missing == 0 {
        Ok(())
    } else {
        bail!("{missing} databases are missing; fix the problems listed and run the command again")
    }
}
