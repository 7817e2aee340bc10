//! The seeds of a run, made by a dedicated portal and lent to all others, because most tests concern what happens after
//! a server has initialised its data. Manual runs reuse the seeds of the previous one.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use mydb::admin_db::seeds::Seed;
use mydb::config::Config;
use mydb::provision::seed::fingerprint;
use mydb::runtime::Runtime;
use mydb::runtime::docker::DockerRuntime;
use mydb::secrets::{Random, Sealer};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::portal::{Options, Tables, TestPortal, test_dir};

/// A seed that portals of this run start from.
pub struct Lent {
    id: Uuid,
    image: String,
    fingerprint: String,
    password: SecretString,
}

/// Directory of the seeds of a run.
fn store() -> PathBuf {
    test_dir().join("seeds")
}

/// The key that encrypted their passwords, shared by all portals that use them.
pub fn key_file() -> PathBuf {
    store().join("seal.key")
}

/// All seeds, made when the first portal needs them.
pub fn lent() -> &'static [Lent] {
    static LENT: OnceLock<Vec<Lent>> = OnceLock::new();
    LENT.get_or_init(|| {
        let made = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(all())
        });
        made.join().expect("the seeds are made")
    })
}

async fn all() -> Vec<Lent> {
    std::fs::create_dir_all(store()).expect("a directory");
    if !key_file().exists() {
        Sealer::create_key_file(&key_file(), &Random::system()).expect("a key");
    }
    let (config, _) = super::portal::configuration(Tables::Own);
    let catalog = mydb::catalog::Catalog::load(&config.catalog).expect("the catalog is sound");
    let docker = DockerRuntime::connect().await.expect("the container engine answers");
    let mut wanted = Vec::new();
    for image in catalog.images() {
        if let Ok(Some(found)) = docker.image(&config.image_reference(&image.image)).await {
            wanted.push((image.image.clone(), fingerprint(&config, image, &found.digest).expect("a fingerprint")));
        }
    }
    if wanted.iter().any(|(_, fingerprint)| read(fingerprint).is_none()) {
        make(wanted.len()).await;
    }
    let lent = wanted.into_iter().map(|(image, fingerprint)| {
        let (id, password) = read(&fingerprint).expect("it was made");
        Lent { id, image, fingerprint, password }
    });
    lent.collect()
}

/// A seed that an earlier portal left in the store.
fn read(fingerprint: &str) -> Option<(Uuid, SecretString)> {
    let text = std::fs::read_to_string(store().join(fingerprint).join("lent")).ok()?;
    let (id, password) = text.split_once('\n')?;
    Some((id.parse().ok()?, SecretString::from(password)))
}

/// Has a portal make all seeds, and moves their directories to the store.
async fn make(count: usize) {
    let configure = Box::new(|config: &mut Config| {
        config.jobs.prepare = Duration::from_secs(1);
        config.storage.truncate(1);
    });
    let portal = Box::pin(TestPortal::with(Options { configure, tables: Tables::Empty, ..Options::default() })).await;
    let done = format!("select count(*) = {count} from seed where made_at is not null");
    portal.until(&done, |said| said == "t").await;
    let mut db = portal.app().app.db.acquire().await.expect("mydb_admin answers");
    let rows = mydb::admin_db::seeds::all(&mut db).await.expect("the rows");
    let base = portal.config.storage.first().expect("a tier").path.join(&portal.instance);
    for seed in rows {
        let password = portal.app().app.sealer.open(&seed.sealed, &Seed::context(seed.id)).expect("it opens");
        let to = store().join(&seed.fingerprint);
        let _ = std::fs::remove_dir_all(&to);
        std::fs::rename(base.join(seed.id.to_string()), &to).expect("it is moved");
        std::fs::write(to.join("lent"), format!("{}\n{}", seed.id, password.expose_secret())).expect("a note");
    }
}

/// The tiers of all portals, each with the number added to the ids of its seeds.
const TIERS: [(&str, u128); 2] = [("standard", 0), ("cow", 1)];

fn on_tier(lent: &Lent, n: u128) -> Uuid {
    Uuid::from_u128(lent.id.as_u128() + n)
}

/// The database rows of the seeds.
pub fn rows() -> Vec<Seed> {
    let lent = lent();
    let sealer = Sealer::from_file(&key_file(), Random::system()).expect("the key");
    let now = mydb::clock::Clock::system().now();
    let row = |lent: &Lent, (tier, n): (&str, u128)| {
        let id = on_tier(lent, n);
        Seed {
            id,
            tier: tier.to_owned(),
            image: lent.image.clone(),
            fingerprint: lent.fingerprint.clone(),
            sealed: sealer.seal(&lent.password, &Seed::context(id)).expect("it is sealed"),
            begun_at: now,
            made_at: Some(now),
            failed: None,
        }
    };
    lent.iter().flat_map(|lent| TIERS.map(|tier| row(lent, tier))).collect()
}

/// Lends the seeds to a portal: it gets their key, and symbolic links on its tiers, which are copied from like
/// directories and disappear with its own.
pub fn lend(config: &Config) {
    let lent = lent();
    std::fs::create_dir_all(&config.data_dir).expect("a directory");
    std::fs::copy(key_file(), &config.seal_key).expect("the key is copied");
    for tier in &config.storage {
        let Some((_, n)) = TIERS.iter().find(|(name, _)| *name == tier.name) else { continue };
        let base = tier.path.join(config.instance.as_str());
        std::fs::create_dir_all(&base).expect("a directory");
        for lent in lent {
            let from = if *n == 0 { store().join(&lent.fingerprint) } else { beside(&tier.path, lent) };
            std::os::unix::fs::symlink(from, base.join(on_tier(lent, *n).to_string())).expect("a link");
        }
    }
}

/// Entries of an instance's directory on a tier, without the lent seeds.
pub fn directories(of_instance: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of_instance).into_iter().flatten().flatten();
    entries.map(|e| e.path()).filter(|p| !p.is_symlink()).collect()
}

/// A copy of a seed on another file system, made on first use.
fn beside(tier: &Path, lent: &Lent) -> PathBuf {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock().expect("no panic while it was held");
    let to = tier.join("seeds").join(&lent.fingerprint);
    if !to.exists() {
        std::fs::create_dir_all(tier.join("seeds")).expect("a directory");
        let copied = std::process::Command::new("cp").arg("-a").arg(store().join(&lent.fingerprint)).arg(&to).status();
        assert!(copied.is_ok_and(|c| c.success()), "it is copied");
    }
    to
}
