//! Keeps databases from connecting to anything. Rules in the firewall of the engine's host reject connections that
//! begin behind the network's bridge; responses to clients of a database pass. The portal sets the rules itself if it
//! runs as root on the engine's host, otherwise a helper container does, with the host's own `iptables`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::app::App;
use crate::config::Config;
use crate::domain::names::InstanceId;
use crate::runtime::firewall_state::Wall;
use crate::runtime::{ContainerSpec, Mount, Runtime, RuntimeError, helper};

/// Sets, checks or removes the rules.
const SCRIPT: &str = include_str!("wall.sh");
/// Timeout for the script.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two checks if the portal checks itself, and if it needs a helper container.
const LOOK: Duration = Duration::from_secs(60);
const HELPER_LOOK: Duration = Duration::from_secs(600);
/// Where the host's files are mounted in the helper.
const HOST: &str = "/host";
/// A `resolv.conf` without a name server.
const NO_NAMES: &str = "# Databases look up no names.\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n";

/// What to do with the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleChange {
    /// Set missing rules.
    Set,
    /// Only check.
    Look,
}

impl RuleChange {
    fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Look => "look",
        }
    }
}

/// The comment that marks the rules of a portal.
pub fn mark(instance: &InstanceId) -> String {
    format!("db4sci:{instance}")
}

/// Sets the rules unless they were checked recently, and returns whether they are in place. `image` must be present on
/// the host.
pub async fn ensure(app: &App, image: &str) -> Wall {
    let mut last = app.egress.last.lock().await;
    if let Some(wall) = fresh(last.as_ref()) {
        return wall;
    }
    let wall = wall(app.runtime.as_ref(), &app.config, image, RuleChange::Set).await;
    let before = last.as_ref().map(|(_, wall)| wall);
    if before != Some(&wall) {
        match &wall {
            Wall::Stands => tracing::info!("The firewall prevents databases from reaching other networks"),
            Wall::Missing(why) => tracing::warn!("Databases can reach this machine and other networks: {why}"),
            Wall::Theirs => tracing::info!("The portal does not manage the firewall (databases.firewall = false)"),
        }
    }
    *last = Some((Instant::now(), wall.clone()));
    wall
}

/// The last result, unless it is too old.
fn fresh(last: Option<&(Instant, Wall)>) -> Option<Wall> {
    let (at, wall) = last?;
    let most = match wall {
        Wall::Stands if !beside_the_engine() => HELPER_LOOK,
        _ => LOOK,
    };
    (at.elapsed() < most).then(|| wall.clone())
}

/// The same for periodic work, which finds an image for the helper itself. Queries the engine only if a check is due.
pub async fn keep(app: &App) {
    let mut last = app.egress.last.lock().await;
    if !app.config.databases.firewall {
        *last = Some((Instant::now(), Wall::Theirs));
    }
    if fresh(last.as_ref()).is_some() {
        return;
    }
    drop(last);
    let references = std::iter::once(app.config.admin_db.image.as_str())
        .chain(app.catalog.images().iter().map(|i| i.image.as_str()))
        .map(|image| app.config.image_reference(image));
    for reference in references {
        if matches!(app.runtime.image(&reference).await, Ok(Some(_))) {
            ensure(app, &reference).await;
            return;
        }
    }
}

/// Sets or checks the rules.
pub async fn wall(runtime: &dyn Runtime, config: &Config, image: &str, deed: RuleChange) -> Wall {
    if !config.databases.firewall {
        return Wall::Theirs;
    }
    let name = crate::domain::names::network_name(&config.instance);
    // The first database, which would create the network, may come long after the rules.
    if deed == RuleChange::Set
        && let Err(e) = runtime.ensure_network(&name, &config.instance).await
    {
        return Wall::Missing(e.to_string());
    }
    let bridge = match runtime.bridge(&name, &config.instance).await {
        Ok(Some(bridge)) => bridge,
        Ok(None) => return Wall::Missing("the database network does not exist yet".to_owned()),
        Err(e) => return Wall::Missing(e.to_string()),
    };
    let direct = beside_the_engine() && std::path::Path::new("/sys/class/net").join(&bridge).exists();
    if direct && let Some(said) = direct_run([deed.as_str(), &bridge, &mark(&config.instance)]).await {
        return judge(&said);
    }
    by_helper(runtime, &config.instance, image, (&bridge, deed)).await
}

/// The same with a helper container, wherever the portal runs.
pub async fn by_helper(
    runtime: &dyn Runtime,
    instance: &InstanceId,
    image: &str,
    (bridge, deed): (&str, RuleChange),
) -> Wall {
    match helper_run(runtime, instance, image, [deed.as_str(), bridge, &mark(instance)]).await {
        Ok((_, said)) => judge(&said),
        Err(e) => Wall::Missing(e.to_string()),
    }
}

/// Interprets the output of the script.
fn judge(said: &str) -> Wall {
    if said.lines().any(|line| line.trim() == "walled") {
        return Wall::Stands;
    }
    match said.trim() {
        "" => Wall::Missing("the firewall has no rules for the database network".to_owned()),
        said => Wall::Missing(said.chars().take(300).collect::<String>().replace('\n', " ")),
    }
}

/// Whether the portal itself may change the firewall of its machine.
fn beside_the_engine() -> bool {
    let found = |dir: &str| std::path::Path::new(dir).join("iptables").exists();
    rustix::process::geteuid().is_root() && ["/usr/sbin", "/sbin", "/usr/bin"].iter().any(|dir| found(dir))
}

async fn direct_run(arguments: [&str; 3]) -> Option<String> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT, "wall"]).args(arguments);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some([text(&output.stdout), text(&output.stderr)].concat())
}

async fn helper_run(
    runtime: &dyn Runtime,
    instance: &InstanceId,
    image: &str,
    arguments: [&str; 3],
) -> Result<(i64, String), RuntimeError> {
    let mut argv = vec!["chroot", HOST, "/bin/sh", "-c", SCRIPT, "wall"];
    argv.extend(arguments);
    let spec = ContainerSpec {
        network: "host".to_owned(),
        user: Some("0:0".to_owned()),
        mounts: vec![
            Mount { source: "/".into(), target: HOST.to_owned(), read_only: true },
            // For the lock that all programs share when they change the firewall.
            Mount { source: "/run".into(), target: format!("{HOST}/run"), read_only: false },
        ],
        capabilities: ["NET_ADMIN", "NET_RAW", "SYS_CHROOT"].map(str::to_owned).to_vec(),
        ..ContainerSpec::helper(instance, "firewall", image, &argv)
    };
    helper::run(runtime, &spec, PATIENCE).await
}

/// The mount that disables name resolution in a database: names would reveal its neighbours, and queries to name
/// servers could carry data out.
pub(super) async fn no_names(config: &Config) -> std::io::Result<Mount> {
    let file = config.data_dir.join("no-names.conf");
    if tokio::fs::read_to_string(&file).await.ok().as_deref() != Some(NO_NAMES) {
        tokio::fs::write(&file, NO_NAMES).await?;
    }
    // The server reads the file as another user, so its mode must not depend on the portal's umask.
    tokio::fs::set_permissions(&file, Permissions::from_mode(0o644)).await?;
    Ok(Mount { source: file, target: "/etc/resolv.conf".to_owned(), read_only: true })
}
