//! The form fields that select a part of a backup: a database, and one of its tables.

use crate::admin_db::backups;
use crate::admin_db::backups::Backup;
use crate::backup::restore::partial;
use crate::engine::part::Count;
use crate::engine::partial::{Selection, SmallestPart};
use crate::manifest::Manifest;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::views::{Choice, Field};

/// Maximum number of suggested tables; others can be typed.
const MOST: usize = 2000;

/// What was typed, and the errors in it.
#[derive(Debug, Clone, Default)]
pub struct TypedSelection {
    /// The database.
    pub database: String,
    /// Error in the database.
    pub database_error: Option<String>,
    /// The table.
    pub table: String,
    /// Error in the table.
    pub table_error: Option<String>,
}

impl TypedSelection {
    /// Reads the fields of a form.
    pub fn of(fields: &Fields) -> Self {
        let text = |name| fields.text(name).to_owned();
        Self { database: text("only_database"), table: text("only_table"), ..Self::default() }
    }

    /// Adds an error to the field it concerns.
    pub fn wrong(&mut self, why: String) {
        let field = if self.table.is_empty() { &mut self.database_error } else { &mut self.table_error };
        *field = Some(why);
    }

    /// Whether there are errors.
    pub fn is_wrong(&self) -> bool {
        self.database_error.is_some() || self.table_error.is_some()
    }
}

/// The manifest of a backup; `None` if the backup can only be restored completely.
async fn manifest(ctx: &Context, b: &Backup) -> Result<Option<Manifest>, AppError> {
    if partial::possible(b.engine).0 == SmallestPart::Nothing || !b.is_good() {
        return Ok(None);
    }
    let mut db = ctx.app().db.acquire().await?;
    Ok(backups::manifest(&mut db, b.id).await?)
}

/// Databases that can be restored on their own.
fn databases(b: &Backup, manifest: &Manifest) -> Vec<String> {
    let own = |name: &str| b.engine.engine().backup().is_some_and(|e| e.is_servers_own(name));
    manifest.databases().into_iter().filter(|name| !own(name)).map(str::to_owned).collect()
}

/// The fields; empty if the backup can only be restored completely.
pub async fn fields(ctx: &Context, b: &Backup, typed: &TypedSelection) -> Result<Vec<Field>, AppError> {
    let Some(manifest) = manifest(ctx, b).await? else { return Ok(Vec::new()) };
    let names = databases(b, &manifest);
    let several = names.len() > 1;
    let choices = names.iter().map(|name| Choice::new(name, "", "")).collect();
    let mut fields = vec![
        Field::code("only_database", "Database")
            .help("Leave empty to restore all databases.")
            .value(&typed.database)
            .error(typed.database_error.clone())
            .suggestions(choices),
    ];
    if partial::possible(b.engine).0 == SmallestPart::Table {
        let single = |k: &&Count| k.kind != "object" && names.contains(&k.database);
        let choice = |k: &Count| Choice::new(&k.name, if several { k.database.as_str() } else { "" }, "");
        let tables: Vec<_> = manifest.counts.iter().filter(single).collect();
        let help = match tables.len() {
            0 => "The backup does not list any.".to_owned(),
            n if n > MOST => {
                format!(
                    "Exactly as the server spells it. The first {MOST} of {n} are suggested; you can type any \
                         other."
                )
            }
            _ => format!(
                "Exactly as the server spells it, for example {}.",
                tables.first().map(|k| k.name.as_str()).unwrap_or_default()
            ),
        };
        let label = if b.engine == crate::domain::engine::EngineKind::Mongodb { "Collection" } else { "Table" };
        fields.push(
            Field::code("only_table", label)
                .help(help)
                .value(&typed.table)
                .error(typed.table_error.clone())
                .suggestions(tables.into_iter().take(MOST).map(choice).collect()),
        );
    }
    Ok(fields)
}

/// The selected part, `None` for the whole backup, or the typed values with their errors.
pub async fn read(
    ctx: &Context,
    b: &Backup,
    sent: &Fields,
) -> Result<Result<Option<Selection>, TypedSelection>, AppError> {
    let mut typed = TypedSelection::of(sent);
    if typed.database.is_empty() && typed.table.is_empty() {
        return Ok(Ok(None));
    }
    let Some(manifest) = manifest(ctx, b).await? else {
        let only = Selection { database: typed.database, table: None };
        // The restore itself checks this and rejects it with the reason.
        return Ok(Ok(Some(only)));
    };
    // Surrounding whitespace may be part of a name.
    let known = |text: &str, sent: &str, names: &[String]| {
        if names.iter().any(|n| n == sent) { sent.to_owned() } else { text.to_owned() }
    };
    let names = databases(b, &manifest);
    let database = match (typed.database.as_str(), names.as_slice()) {
        ("", [one]) => one.clone(),
        ("", _) => {
            typed.database_error = Some("Choose the database; the backup contains more than one.".to_owned());
            return Ok(Err(typed));
        }
        (text, names) => known(text, sent.raw("only_database"), names),
    };
    let tables: Vec<_> = manifest.counts.iter().filter(|k| k.database == database).map(|k| k.name.clone()).collect();
    let table = (!typed.table.is_empty()).then(|| known(&typed.table, sent.raw("only_table"), &tables));
    Ok(Ok(Some(Selection { database, table })))
}
