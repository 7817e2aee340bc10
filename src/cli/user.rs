//! `db4sci user …`: manages local accounts.

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use sqlx::{Connection, PgConnection};

use super::password::{ChosenPassword, choose};
use super::session::{CommandSession, note};
use super::table::{moment, table};
use crate::admin_db::constraint;
use crate::admin_db::people::accounts::{Account, NewAccount};
use crate::admin_db::people::{accounts, sessions};
use crate::auth::access::{KeptAccess, TokenPolicy};
use crate::auth::{access, passwords};
use crate::cli::surroundings::{Surroundings, say};
use crate::domain::names::Username;
use crate::domain::user::Role;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Create an account. Without --password-stdin and a terminal, a password is generated and printed once
    Add {
        /// User name
        name: String,
        /// Make the account an administrator
        #[arg(long)]
        admin: bool,
        /// E-mail address
        #[arg(long, default_value = "", hide_default_value = true)]
        email: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all accounts
    List,
    /// Block sign-in and end all sessions; the account's databases are kept
    Disable {
        /// Name of the account
        name: String,
    },
    /// Undo `disable`
    Enable {
        /// Name of the account
        name: String,
    },
    /// Set a new password, end all sessions and revoke all API tokens
    Passwd {
        /// Name of the account
        name: String,
        /// Keep the API tokens valid
        #[arg(long)]
        keep_tokens: bool,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

pub(super) async fn run(command: UserCommand, at: &Surroundings) -> anyhow::Result<()> {
    let session = CommandSession::open(at).await?;
    match command {
        UserCommand::Add { name, admin, email, password_stdin } => {
            let username = Username::parse(&name)?;
            let role = if admin { Role::Admin } else { Role::User };
            add(session, &username, role, &email, password_stdin).await
        }
        UserCommand::List => list(session).await,
        UserCommand::Disable { name } => set_disabled(session, &name, true).await,
        UserCommand::Enable { name } => set_disabled(session, &name, false).await,
        UserCommand::Passwd { name, keep_tokens, password_stdin } => {
            let tokens = if keep_tokens { TokenPolicy::Keep } else { TokenPolicy::End };
            passwd(session, &name, tokens, password_stdin).await
        }
    }
}

/// The account with this name, or an error message.
pub(super) async fn account(db: &mut PgConnection, name: &str) -> anyhow::Result<Account> {
    accounts::by_name(db, name).await?.with_context(|| format!("there is no account {name}"))
}

async fn add(
    mut s: CommandSession,
    username: &Username,
    role: Role,
    email: &str,
    from_stdin: bool,
) -> anyhow::Result<()> {
    // Checked before asking for a password; the unique constraint decides in any case.
    ensure!(accounts::by_name(&mut s.db, username.as_str()).await?.is_none(), "the account {username} already exists");
    let chosen = choose(from_stdin, &s.random)?;
    let hash = passwords::hash(&chosen.password).await?;
    let mut tx = s.db.begin().await?;
    match accounts::insert(&mut tx, &NewAccount { username, email, role, password_hash: &hash }, s.now).await {
        Ok(_) => {}
        Err(e) if constraint(&e) == Some("account_username_key") => bail!("the account {username} already exists"),
        Err(e) => return Err(e.into()),
    }
    note(&mut tx, &s.actor, s.now, "user.add", &format!("{username}, {}", role.as_str())).await?;
    tx.commit().await?;
    println!("Created account {username} ({}).", role.as_str());
    chosen.show();
    Ok(())
}

async fn list(mut s: CommandSession) -> anyhow::Result<()> {
    let rows: Vec<_> = accounts::list(&mut s.db)
        .await?
        .into_iter()
        .map(|a| {
            let state =
                a.disabled_at.map_or_else(|| "enabled".to_owned(), |at| format!("disabled {}", at.date_naive()));
            let role = a.role.as_str().to_owned();
            vec![a.username, role, state, a.email, moment(Some(a.created_at)), moment(a.last_login_at)]
        })
        .collect();
    say(&table(&["name", "role", "state", "e-mail", "created", "last sign-in"], &rows));
    Ok(())
}

async fn set_disabled(mut s: CommandSession, name: &str, disable: bool) -> anyhow::Result<()> {
    let account = account(&mut s.db, name).await?;
    let word = if disable { "disabled" } else { "enabled" };
    ensure!(account.disabled_at.is_some() != disable, "the account {name} is already {word}");
    let mut tx = s.db.begin().await?;
    match accounts::set_disabled(&mut tx, account.id, disable.then_some(s.now)).await {
        Err(e) if accounts::is_last_administrator(&e) => {
            bail!("{name} is the last administrator; create another one first")
        }
        done => done?,
    }
    if disable {
        sessions::delete_others(&mut tx, account.id, None).await?;
    }
    note(&mut tx, &s.actor, s.now, if disable { "user.disable" } else { "user.enable" }, name).await?;
    tx.commit().await?;
    println!("Account {name} {word}.");
    Ok(())
}

async fn passwd(mut s: CommandSession, name: &str, tokens: TokenPolicy, from_stdin: bool) -> anyhow::Result<()> {
    let account = account(&mut s.db, name).await?;
    let chosen: ChosenPassword = choose(from_stdin, &s.random)?;
    let hash = passwords::hash(&chosen.password).await?;
    let mut tx = s.db.begin().await?;
    let ended = access::set_password(&mut tx, account.id, &hash, (KeptAccess::default(), tokens), s.now).await?;
    note(&mut tx, &s.actor, s.now, "user.password", name).await?;
    tx.commit().await?;
    println!("Set a new password for {name} and ended all sessions. {}", access::sentence(tokens, ended));
    chosen.show();
    Ok(())
}
