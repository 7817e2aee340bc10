//! `db4sci template …`: lists, imports and deletes templates.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Subcommand;

use super::session;
use super::session::ReadingSession;
use crate::admin_db::log::Actor;
use crate::admin_db::templates::versions::TemplateVersion;
use crate::admin_db::templates::{Template, listing, versions};
use crate::admin_db::{backups, templates};
use crate::app::App;
use crate::cli::surroundings::{Surroundings, end, say};
use crate::cli::table::{moment, table};
use crate::domain::duration::duration_text;
use crate::domain::engine::EngineKind;
use crate::domain::names::TemplateName;
use crate::domain::quantity::ByteSize;
use crate::templates::copy_names::CopyNames;
use crate::templates::origin::{TargetObject, TemplateSource};
use crate::templates::{directory, from_database, object_request, refresh, request, update};

/// Versions shown of a template.
const VERSIONS: i64 = 20;

#[derive(Debug, Subcommand)]
pub(crate) enum TemplateCommand {
    /// List all templates
    Ls,
    /// Show a template and its versions
    Show {
        /// Name of the template
        name: String,
    },
    /// Create a template from a dump, a database, a snapshot or a backup, and import it
    Import {
        /// Name of a file in the directory of dumps, object:TARGET/KEY, database:NAME, snapshot:ID or backup:ID
        source: String,
        /// Name of the template, if not that of the file or database
        #[arg(long)]
        name: Option<String>,
        /// Engine, if the dump does not say it: postgres, mariadb, mongodb or neo4j
        #[arg(long)]
        engine: Option<String>,
        /// Name of the database in the copies, if not that of the template
        #[arg(long, default_value = "", hide_default_value = true)]
        dbname: String,
        /// User of that database, if not called like the template
        #[arg(long, default_value = "", hide_default_value = true)]
        dbuser: String,
    },
    /// Import the source of a template again
    Refresh {
        /// Name of the template
        name: String,
    },
    /// Import every dump that is new or has changed; for cron
    Update,
    /// Delete a template; databases made from it stay
    Rm {
        /// Name of the template
        name: String,
    },
}

pub(crate) async fn run(command: TemplateCommand, at: &Surroundings) -> ExitCode {
    match work(command, at).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => end(Err(e)),
    }
}

/// Returns whether everything succeeded.
async fn work(command: TemplateCommand, at: &Surroundings) -> anyhow::Result<bool> {
    if let TemplateCommand::Import { source, name, engine, dbname, dbuser } = &command
        && let Some(TemplateSource::Object(object)) = TemplateSource::parse(source)
    {
        let session = ReadingSession::open(at).await?;
        let done =
            import_object(&session, &object, (name.as_deref(), engine.as_deref()), CopyNames { dbname, dbuser }).await;
        session.close().await;
        return done.map(|()| true);
    }
    let (app, actor) = session::open(at).await?;
    match command {
        TemplateCommand::Ls => list(&app).await?,
        TemplateCommand::Show { name } => show(&app, &named(&app, &name).await?).await?,
        TemplateCommand::Import { source, name, engine, dbname, dbuser } => {
            let names = CopyNames { dbname: &dbname, dbuser: &dbuser };
            let t = create(&app, &source, (name, engine, names), &actor).await?;
            refresh::refresh(&app, &t, &actor).await?;
            say(&format!("importing {}\n", t.name));
        }
        TemplateCommand::Refresh { name } => {
            let t = named(&app, &name).await?;
            refresh::refresh(&app, &t, &actor).await?;
            say(&format!("importing {}\n", t.name));
        }
        TemplateCommand::Update => {
            let done = update::update(&app, &actor).await?;
            for name in &done.importing {
                say(&format!("importing {name}\n"));
            }
            for (what, why) in &done.problems {
                eprintln!("db4sci: {what}: {why}");
            }
            say(&format!("{} being imported, {} unchanged\n", done.importing.len(), done.unchanged.len()));
            return Ok(done.problems.is_empty());
        }
        TemplateCommand::Rm { name } => {
            request::delete(&app, &named(&app, &name).await?, &actor).await?;
            say(&format!("deleted {name}; databases made from it stay\n"));
        }
    }
    Ok(true)
}

/// Creates a template from an object in a backup target, and imports it.
async fn import_object(
    session: &ReadingSession,
    object: &TargetObject,
    (name, engine): (Option<&str>, Option<&str>),
    names: CopyNames<'_>,
) -> anyhow::Result<()> {
    let (app, actor) = (&session.app, &session.actor);
    let name = name.map(TemplateName::parse).transpose()?;
    let engine = engine.map(engine_named).transpose()?;
    let t = object_request::create(app, name.as_ref(), object, (engine, names), actor).await?;
    refresh::refresh(app, &t, actor).await?;
    say(&format!("importing {}\n", t.name));
    Ok(())
}

fn engine_named(word: &str) -> anyhow::Result<EngineKind> {
    EngineKind::parse(word).with_context(|| format!("{word} is not an engine"))
}

async fn create(
    app: &App,
    source: &str,
    (name, engine, names): (Option<String>, Option<String>, CopyNames<'_>),
    actor: &Actor,
) -> anyhow::Result<Template> {
    let name = name.map(|name| TemplateName::parse(&name)).transpose()?;
    let engine = engine.as_deref().map(engine_named).transpose()?;
    let wanted = TemplateSource::parse(source);
    ensure!(
        wanted.is_none() || (names.dbname.is_empty() && names.dbuser.is_empty()),
        "a template made from a database keeps its names: leave out --dbname and --dbuser"
    );
    if let Some(TemplateSource::Backup(id)) = wanted {
        let mut db = app.db.acquire().await?;
        let backup = backups::by_id(&mut db, id).await?.with_context(|| format!("there is no {source}"))?;
        drop(db);
        let name = name.map_or_else(|| TemplateName::parse(&backup.container), Ok)?;
        return Ok(from_database::create_from_backup(app, &name, &backup, None, actor).await?);
    }
    if let Some(wanted) = wanted {
        let found = from_database::source(app, &wanted).await?;
        let (c, snapshot) = found.with_context(|| format!("there is no {source}"))?;
        let name = name.map_or_else(|| TemplateName::parse(&c.name), Ok)?;
        return Ok(from_database::create_from_database(app, &name, (&c, snapshot.as_ref()), None, actor).await?);
    }
    let listing = directory::list(&app.config.templates.dumps).await.map_err(anyhow::Error::msg)?;
    let found = listing.dumps.into_iter().find(|dump| dump.file == source);
    let mut dump = found.with_context(|| {
        let why = listing.unusable.iter().find(|u| u.file == source).map(|u| format!(": {}", u.why));
        format!("{source} is not a dump in {}{}", app.config.templates.dumps.display(), why.unwrap_or_default())
    })?;
    if let Some(name) = name {
        dump.template = name;
    }
    Ok(request::create(app, &dump, (engine, names), actor).await?)
}

async fn named(app: &App, name: &str) -> anyhow::Result<Template> {
    let mut db = app.db.acquire().await?;
    templates::by_name(&mut db, name).await?.with_context(|| format!("there is no template {name}"))
}

async fn list(app: &App) -> anyhow::Result<()> {
    let mut db = app.db.acquire().await?;
    let mut rows = Vec::new();
    for row in listing::list(&mut db, 1).await? {
        let (t, current) = (&row.template, row.current());
        rows.push(vec![
            t.name.clone(),
            t.engine.to_string(),
            current.map_or_else(|| "–".to_owned(), |v| v.number.to_string()),
            row.versions.first().map_or("", |v| v.status().as_str()).to_owned(),
            current.and_then(|v| v.bytes).map_or_else(|| "–".to_owned(), |n| ByteSize(n).to_string()),
            row.databases.to_string(),
            t.source.clone(),
            moment(current.and_then(|v| v.made_at)),
        ]);
    }
    let titles = ["name", "engine", "version", "last import", "size", "databases", "dump", "imported"];
    say(&table(&titles, &rows));
    Ok(())
}

async fn show(app: &App, t: &Template) -> anyhow::Result<()> {
    let mut db = app.db.acquire().await?;
    let latest = versions::latest(&mut db, t.id, VERSIONS).await?;
    let users = if t.users.is_empty() { "everybody".to_owned() } else { t.users.join(", ") };
    let ttl = t.ttl_seconds.map_or_else(
        || "kept".to_owned(),
        |seconds| duration_text(u64::try_from(seconds).unwrap_or_default().saturating_mul(1000)),
    );
    let facts = [
        ("name", t.name.clone()),
        ("image", t.image.clone()),
        ("dump", t.source.clone()),
        ("storage", t.storage.clone()),
        ("database", t.dbname.clone()),
        ("role", t.dbuser.clone()),
        ("memory", ByteSize(t.memory_bytes).to_string()),
        ("time to live", ttl),
        ("for", users),
        ("description", t.description.clone()),
        ("created", format!("{} by {}", moment(Some(t.created_at)), t.created_by)),
    ];
    let known = facts.iter().filter(|(_, value)| !value.trim().is_empty());
    let lines: Vec<String> = known.map(|(title, value)| format!("{title:<14} {value}\n")).collect();
    say(&lines.concat());
    let rows: Vec<_> = latest.iter().map(|v| version(t, v)).collect();
    say(&format!("\n{}", table(&["version", "state", "requested", "content", "size", "sha256"], &rows)));
    Ok(())
}

fn version(t: &Template, v: &TemplateVersion) -> Vec<String> {
    let content = match (&v.report, &v.error) {
        (Some(report), _) => report.content(),
        (None, Some(error)) => error.clone(),
        (None, None) => String::new(),
    };
    let current = if t.current_version == Some(v.id) { ", current" } else { "" };
    vec![
        v.number.to_string(),
        format!("{}{current}", v.status().as_str()),
        moment(Some(v.requested_at)),
        content,
        v.bytes.map_or_else(|| "–".to_owned(), |n| ByteSize(n).to_string()),
        v.source_sha256.chars().take(12).collect(),
    ]
}
