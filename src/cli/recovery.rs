//! `db4sci recovery-key`, `db4sci admin-db`, `db4sci rebuild`: the portal's own survival.

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
use crate::domain::quantity::ByteSize;
use crate::lifecycle::Lifecycle;
use crate::manifest::admin;
use crate::manifest::admin::StoredAdminBackup;
use crate::objects::{Store, Stores};
use crate::presence::Presence;
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
    /// Target in the configuration; the first without this
    #[arg(long)]
    target: Option<String>,
    /// File with the recovery key, or - for standard input; needed where this host has no sealing key
    #[arg(long, value_name = "FILE")]
    recovery_key: Option<PathBuf>,
    /// File with the secret key of a recipient of the backups, where they are encrypted and the recovery key is none
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The newest backup of mydb_admin of at most this moment, such as 2027-01-15T08:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
    /// Believe backups that this portal did not sign: those of an earlier version, if you know that nobody else could
    /// write into the bucket
    #[arg(long)]
    unsigned: bool,
}

impl BucketOptions {
    fn key(&self) -> anyhow::Result<Option<SecretString>> {
        self.recovery_key.as_deref().map(read_key).transpose()
    }

    /// What opens encrypted backups, beside the recovery key.
    fn unlock(&self, parts: &mut BootstrapParts) -> anyhow::Result<()> {
        let keys = &mut parts.config.backups.identities;
        if let Some(file) = &self.identity {
            let text = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
            keys.extend(encryption::identities(&text).map_err(|rule| anyhow::anyhow!("{} {rule}", file.display()))?);
        }
        Ok(())
    }
}

/// The recovery key in a file, or on standard input.
fn read_key(file: &Path) -> anyhow::Result<SecretString> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?
    };
    // A file may have remarks around the key.
    let line = text.lines().map(str::trim).find(|l| l.starts_with("AGE-SECRET-KEY-"));
    let line =
        line.with_context(|| format!("{} has no recovery key: that begins with AGE-SECRET-KEY-", file.display()))?;
    Ok(SecretString::from(line))
}

#[derive(Debug, Subcommand)]
pub(super) enum AdminDbCommand {
    /// The backups of mydb_admin in the bucket
    List {
        /// Target in the configuration; the first without this
        #[arg(long)]
        target: Option<String>,
    },
    /// Back mydb_admin up now, beside the portal; prints where it lies
    Backup {
        /// Target in the configuration; the first without this
        #[arg(long)]
        target: Option<String>,
    },
    /// Bring mydb_admin back on a host that has none
    Restore(BucketOptions),
}

/// `db4sci recovery-key`
pub(super) fn make_key(at: &Surroundings, replace: bool, register: Option<&Path>) -> anyhow::Result<()> {
    let config = at.checked_config()?;
    let file = recovery_key::recipient_file(&config);
    if let Some(given) = register {
        let given = read_key(given)?;
        let recipient = encryption::recipient_of(&given).context("this is no recovery key")?;
        let there = recovery_key::recipient(&config)?.map(|r| r.to_string());
        if there.is_some_and(|there| there != recipient) && !replace {
            bail!("{} names another recovery key. With --replace this one takes its place.", file.display());
        }
        recovery_key::register(&config, &given)?;
        say(&format!("Backups of mydb_admin are made for the recovery key {recipient} from now on.\n"));
        return Ok(());
    }
    if file.exists() && !replace {
        bail!("{} says that a recovery key was made. With --replace a new one takes its place.", file.display());
    }
    let made = recovery_key::create(&config)?;
    println!("{}", made.expose_secret());
    eprintln!(
        "This is the recovery key. It is shown this once and kept nowhere: put it where this host's loss does not reach."
    );
    eprintln!("From the next hourly backup of mydb_admin on, it opens the keys in the bucket.");
    Ok(())
}

/// The parts that a portal is made of, without one.
async fn parts(at: &Surroundings) -> anyhow::Result<BootstrapParts> {
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
    // Fails only where it was done before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
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
    say(&table(&["made", "size", "keys", "at"], &there.iter().map(row).collect::<Vec<_>>()));
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
        eprintln!("There is no recovery key, so the keys are not in it: make one with `db4sci recovery-key`.");
    }
    let bytes = ByteSize(i64::try_from(made.manifest.object.stored.bytes).unwrap_or(i64::MAX));
    say(&format!("{url}\nmydb_admin as it is now, with {} databases, in {bytes}.\n", made.manifest.containers));
    Ok(())
}

async fn restore(parts: &mut BootstrapParts, store: &Arc<Store>, from: &BucketOptions) -> anyhow::Result<()> {
    let _alone = Presence::alone(&parts.config)?;
    let found = admin_restore::choose(parts, store, from.at).await?;
    let found = found.context("there is no backup of mydb_admin in the bucket, or none that old")?;
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
        "mydb_admin is back as it was at {}, with {} databases. Start the portal: it compares them with what runs.\n",
        found.manifest.made_at.format("%Y-%m-%d %H:%M:%S UTC"),
        found.manifest.containers
    ));
    Ok(())
}

/// `db4sci rebuild`
pub(super) async fn rebuild_all(from: BucketOptions, json: bool, at: &Surroundings) -> anyhow::Result<()> {
    // Fails only where it was done before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let key = from.key()?;
    let wanted = AdminRestoreRequest { at: from.at, key: key.as_ref(), unsigned: from.unsigned };
    let mut parts = parts(at).await?;
    from.unlock(&mut parts)?;
    let report = rebuild::rebuild(parts, from.target.as_deref(), &wanted).await?;
    if json {
        say(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    } else {
        say(&format!("mydb_admin: {}\n", report.admin_db));
        if report.taken_in > 0 {
            say(&format!("Backups that it did not know: {}, now in its list.\n", report.taken_in));
        }
        if report.unsigned > 0 {
            say(&format!("Backups left out because this portal did not sign them: {}.\n", report.unsigned));
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
        bail!("{missing} databases are not there; run it again once what is named is mended")
    }
}
