//! `db4sci container …`: lists and shows databases. Changes are made on the pages and in the API.

use anyhow::Context;
use clap::Subcommand;

use super::session::CommandSession;
use super::table::{moment, table};
use crate::admin_db::containers;
use crate::admin_db::containers::listing::ContainerQuery;
use crate::admin_db::containers::{Container, listing};
use crate::cli::surroundings::{Surroundings, say};
use crate::domain::backup_schedule::{Policy, Window};
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::web::views::Moment;

/// Rows read per query.
const PAGE: i64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum ContainerCommand {
    /// List all databases, including those in the trash
    #[command(alias = "ls")]
    List,
    /// Show a database
    Show {
        /// Name of the database
        name: String,
    },
}

pub(super) async fn run(command: ContainerCommand, at: &Surroundings) -> anyhow::Result<()> {
    let mut session = CommandSession::open(at).await?;
    match command {
        ContainerCommand::List => list(&mut session).await,
        ContainerCommand::Show { name } => show(&mut session, &name, at.checked_config()?.backups.window).await,
    }
}

async fn list(s: &mut CommandSession) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let mut filter = ContainerQuery { by_name: true, limit: PAGE, ..ContainerQuery::default() };
    loop {
        let page = listing::list(&mut s.db, &filter).await?;
        let full = i64::try_from(page.len()).is_ok_and(|n| n == PAGE);
        filter.after_name = page.last().map(|c| c.name.clone());
        rows.extend(page.iter().map(row));
        if !full {
            break;
        }
    }
    say(&table(&["name", "state", "image", "owner", "port", "size", "storage", "created", "expires"], &rows));
    Ok(())
}

fn row(c: &Container) -> Vec<String> {
    vec![
        c.name.clone(),
        c.state.as_str().to_owned(),
        c.image.rsplit('/').next().unwrap_or_default().to_owned(),
        c.owner.clone(),
        ports(c),
        c.size_bytes.map_or_else(|| "–".to_owned(), |n| ByteSize(n).to_string()),
        c.storage.clone(),
        moment(Some(c.created_at)),
        c.expires_at.map_or_else(|| "never".to_owned(), |at| moment(Some(at))),
    ]
}

fn ports(c: &Container) -> String {
    c.ports.iter().map(|(_, port)| port.to_string()).collect::<Vec<_>>().join(", ")
}

async fn show(s: &mut CommandSession, name: &str, window: Window) -> anyhow::Result<()> {
    let c = containers::by_name(&mut s.db, name).await?.with_context(|| format!("there is no database {name}"))?;
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let failed = c.failed_reason.as_ref().map(|why| format!("{}: {why}", text(&c.failed_step)));
    let next = Policy::stored(&c.backup_freq).next_due(c.id, window, s.now);
    let next = next.map(|at| format!(", next at {}", moment(Some(at)))).unwrap_or_default();
    let backups = format!("{}{next}", c.backup_freq);
    let facts = [
        ("name", c.name.clone()),
        ("state", format!("{} since {}, by {}", c.state.as_str(), moment(Some(c.changed_at)), c.changed_by)),
        ("running", text(&c.active_job)),
        ("failed", failed.unwrap_or_default()),
        ("maintenance", text(&c.maintenance_note)),
        ("image", c.image.clone()),
        ("digest", text(&c.image_digest)),
        ("server", text(&c.server_version)),
        ("port", ports(&c)),
        ("database", c.dbname.clone()),
        ("role", c.dbuser.clone()),
        ("owner", c.owner.clone()),
        ("contact", c.contact.clone()),
        ("department", c.department.clone()),
        ("description", c.description.clone()),
        ("limits", format!("{}, {} CPUs", ByteSize(c.memory_bytes), MilliCpus(c.millicpus))),
        ("cores", text(&c.cpuset_assigned.clone().or_else(|| c.cpuset.clone()))),
        ("storage", c.storage.clone()),
        ("size", c.size_bytes.map(|n| format!("{} at {}", ByteSize(n), moment(c.size_at))).unwrap_or_default()),
        ("backups", backups),
        ("id", c.id.to_string()),
        ("container", format!("{} {}", c.docker_name, text(&c.docker_id))),
        ("created", format!("{} by {}", moment(Some(c.created_at)), c.created_by)),
        (
            "expires",
            c.expires_at.map_or_else(
                || "never".to_owned(),
                |at| format!("{}, at {}", Moment::new(at, s.now).ago, moment(Some(at))),
            ),
        ),
        ("delete after", c.purge_after.map(|at| moment(Some(at))).unwrap_or_default()),
    ];
    let known = facts.iter().filter(|(_, value)| !value.trim().is_empty());
    let lines: Vec<String> = known.map(|(title, value)| format!("{title:<14} {}\n", value.trim())).collect();
    say(&lines.concat());
    Ok(())
}
