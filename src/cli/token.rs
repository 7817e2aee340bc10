//! `db4sci token …`: manages bearer tokens of the API.

use anyhow::{bail, ensure};
use chrono::Duration;
use clap::Subcommand;
use secrecy::ExposeSecret;
use sqlx::Connection;
use uuid::Uuid;

use super::session::{CommandSession, note};
use super::table::{moment, table};
use super::user::account;
use crate::admin_db::constraint;
use crate::admin_db::people::tokens;
use crate::cli::surroundings::{Surroundings, say};
use crate::secrets::fingerprint;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token and print its secret once
    Create {
        /// Account the token acts for
        user: String,
        /// Name of the token
        name: String,
        /// Days until it expires; never if omitted
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..=3650))]
        days: Option<i64>,
    },
    /// List valid tokens
    List {
        /// Only tokens of this account
        user: Option<String>,
    },
    /// Revoke a token
    Revoke {
        /// Id of the token, from `token list`
        id: Uuid,
    },
}

pub(super) async fn run(command: TokenCommand, at: &Surroundings) -> anyhow::Result<()> {
    let session = CommandSession::open(at).await?;
    match command {
        TokenCommand::Create { user, name, days } => create(session, &user, &name, days).await,
        TokenCommand::List { user } => list(session, user.as_deref()).await,
        TokenCommand::Revoke { id } => revoke(session, id).await,
    }
}

async fn create(mut s: CommandSession, user: &str, name: &str, days: Option<i64>) -> anyhow::Result<()> {
    let length = name.chars().count();
    ensure!((1..=80).contains(&length) && !name.chars().any(char::is_control), "a token's name has 1 to 80 characters");
    let account = account(&mut s.db, user).await?;
    ensure!(account.disabled_at.is_none(), "the account {user} is disabled");
    let secret = s.random.token();
    let expires = days.map(|n| s.now + Duration::days(n));
    let mut tx = s.db.begin().await?;
    let print = fingerprint(secret.expose_secret());
    let id = match tokens::insert(&mut tx, account.id, name, &print, s.now, expires).await {
        Ok(id) => id,
        Err(e) if constraint(&e) == Some("token_name_key") => bail!("{user} already has a token “{name}”"),
        Err(e) => return Err(e.into()),
    };
    note(&mut tx, &s.actor, s.now, "token.create", &format!("“{name}” of {user}, {id}")).await?;
    tx.commit().await?;
    // Only the secret goes to standard output, so that a script can capture it.
    eprintln!("Created token “{name}” for {user} ({id}). Secret (shown only once):");
    println!("{}", secret.expose_secret());
    Ok(())
}

async fn list(mut s: CommandSession, user: Option<&str>) -> anyhow::Result<()> {
    let whose = match user {
        Some(name) => Some(account(&mut s.db, name).await?.id),
        None => None,
    };
    let rows: Vec<_> = tokens::list(&mut s.db, whose)
        .await?
        .into_iter()
        .map(|t| {
            let ends = t.expires_at.map_or_else(|| "never".to_owned(), |at| moment(Some(at)));
            vec![t.id.to_string(), t.username, t.name, moment(Some(t.created_at)), ends, moment(t.last_used_at)]
        })
        .collect();
    say(&table(&["id", "user", "name", "created", "expires", "last used"], &rows));
    Ok(())
}

async fn revoke(mut s: CommandSession, id: Uuid) -> anyhow::Result<()> {
    let mut tx = s.db.begin().await?;
    ensure!(tokens::revoke(&mut tx, id, None, s.now).await?, "there is no valid token {id}");
    note(&mut tx, &s.actor, s.now, "token.revoke", &id.to_string()).await?;
    tx.commit().await?;
    println!("Revoked token {id}.");
    Ok(())
}
