//! `db4sci db …`: databases from templates of a portal, usually on another machine.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde_json::Value;

use super::client::{Asked, Remote};
use crate::cli::surroundings::{Surroundings, say};
use crate::cli::table::table;
use crate::clock::Clock;

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// List your databases from templates
    Ls,
    /// List the templates
    Templates,
    /// Make a database from a template, and wait until it is ready
    New {
        /// Name of the template
        template: String,
        /// Name of the database
        name: String,
        /// Time after which it is deleted, for example 45m, 8h or 7d; 0: never
        #[arg(long)]
        ttl: Option<String>,
    },
    /// Show how to connect to a database, with its password
    #[command(alias = "show")]
    Info {
        /// Name of the template
        template: String,
        /// Name of the database
        name: String,
    },
    /// Print a command that opens a shell in a database
    Shell {
        /// Name of the template
        template: String,
        /// Name of the database
        name: String,
    },
    /// Delete a database
    Rm {
        /// Name of the template
        template: String,
        /// Name of the database
        name: String,
    },
}

pub(crate) async fn run(command: DbCommand, at: &Surroundings) -> anyhow::Result<()> {
    let remote = Remote::open(at, None)?;
    let now = Clock::system().now();
    match command {
        DbCommand::Ls => {
            let rows: Vec<_> = remote.list().await?.iter().map(|row| listed(row, now)).collect();
            say(&table(&["template", "name", "status", "created", "expires"], &rows));
        }
        DbCommand::Templates => {
            for name in remote.templates().await? {
                say(&format!("{name}\n"));
            }
        }
        DbCommand::New { template, name, ttl } => match remote.make(&template, &name, ttl.as_deref()).await? {
            Asked::Ready => info(&remote, (&template, &name), now).await?,
            Asked::Importing => anyhow::bail!("the template {template} is being imported; try again later"),
        },
        DbCommand::Info { template, name } => info(&remote, (&template, &name), now).await?,
        DbCommand::Shell { template, name } => {
            let d = remote.show(&template, &name).await?;
            let image = remote.image(&template, &name).await?;
            let password = quoted(d.password.as_deref().unwrap_or_default());
            let (host, port, user, database) = (&d.host, d.port, &d.user, &d.dbname);
            say(&match engine(&image) {
                "mariadb" => format!("MYSQL_PWD={password} mariadb -h {host} -P {port} -u {user} {database}\n"),
                "mongo" => format!(
                    "mongosh \"mongodb://{user}@{host}:{port}/{database}?authSource={database}&directConnection=true\" --password {password}\n"
                ),
                "neo4j" => format!("NEO4J_PASSWORD={password} cypher-shell -a bolt://{host}:{port} -u {user}\n"),
                _ => format!("PGPASSWORD={password} psql -h {host} -p {port} -U {user} {database}\n"),
            });
        }
        DbCommand::Rm { template, name } => {
            anyhow::ensure!(
                remote.remove(&template, &name).await?,
                "there is no database {name} of the template {template}"
            );
        }
    }
    Ok(())
}

/// The engine of an image, by its name.
fn engine(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    ["mariadb", "mongo", "neo4j"].into_iter().find(|engine| name.starts_with(engine)).unwrap_or("postgres")
}

/// Text for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

async fn info(remote: &Remote, (template, name): (&str, &str), now: DateTime<Utc>) -> anyhow::Result<()> {
    let d = remote.show(template, name).await?;
    let ends = d.expires_at.and_then(|at| DateTime::from_timestamp(at, 0));
    let facts = [
        ("host", d.host.clone()),
        ("port", d.port.to_string()),
        ("database", d.dbname.clone()),
        ("user", d.user.clone()),
        ("password", d.password.clone().unwrap_or_default()),
        ("status", if d.running { "running".to_owned() } else { d.status.clone() }),
        ("created", ago(&d.created, now)),
        ("expires", ends.map_or_else(|| "never".to_owned(), |at| distance(at - now))),
    ];
    let lines: Vec<_> = facts.iter().map(|(title, value)| format!("{title:<9} {value}\n")).collect();
    say(&lines.concat());
    Ok(())
}

fn listed(row: &Value, now: DateTime<Utc>) -> Vec<String> {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ends = row.get("expires_at").and_then(Value::as_i64).and_then(|at| DateTime::from_timestamp(at, 0));
    vec![
        text("template"),
        text("name"),
        text("state"),
        ago(&text("created"), now),
        ends.map_or_else(|| "never".to_owned(), |at| distance(at - now)),
    ]
}

/// "3 h ago".
fn ago(text: &str, now: DateTime<Utc>) -> String {
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) => format!("{} ago", span((now - at.to_utc()).num_seconds())),
        Err(_) => text.to_owned(),
    }
}

/// "in 3 h".
fn distance(left: chrono::TimeDelta) -> String {
    if left.num_seconds() <= 0 { "now".to_owned() } else { format!("in {}", span(left.num_seconds())) }
}

fn span(seconds: i64) -> String {
    match seconds.max(0) {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_creation_and_expiry() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let made = (now - chrono::TimeDelta::hours(3)).to_rfc3339();
        let row = serde_json::json!({ "template": "shop", "name": "ci", "state": "running", "created": made, "expires_at": 1_800_003_600 });
        assert_eq!(listed(&row, now), ["shop", "ci", "running", "3 h ago", "in 60 min"]);
        let row = serde_json::json!({ "template": "shop", "name": "ci", "state": "exited", "created": "?" });
        assert_eq!(listed(&row, now), ["shop", "ci", "exited", "?", "never"]);
    }

    #[test]
    fn a_password_is_quoted_for_the_shell() {
        assert_eq!(quoted("it's $x"), "'it'\\''s $x'");
        assert_eq!((engine("docker.io/library/mongo:6.0"), engine("postgres:17")), ("mongo", "postgres"));
    }
}
