//! `/admin/users/{id}/delete`: shows what belongs to an account, and deletes the account after giving all of it to
//! another one.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use crate::admin_db::log;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::people::accounts::{Account, is_last_administrator};
use crate::admin_db::people::belongings::Belongings;
use crate::admin_db::people::{accounts, belongings};
use crate::provision::hand_over::hand_over;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::pages::admin::people::HERE;
use crate::web::pages::admin::people_changes::{locked, refuse_own};
use crate::web::pages::admin::user::{account, frame};
use crate::web::urls;
use crate::web::urls::UserAction;
use crate::web::views::confirm::ConfirmPage;
use crate::web::views::elements::format::count_text;
use crate::web::views::{Choice, Field, Flash};

/// Maximum number of databases named on the page.
const NAMED: usize = 20;
/// Maximum number of accounts suggested as the new owner.
const SUGGESTED: i64 = 200;
/// Action in the log.
const ACTION: &str = "user.delete";

/// "3 databases", from a count of rows.
fn some(count: i64, one: &'static str, many: &'static str) -> String {
    count_text(u64::try_from(count).unwrap_or(0), one, many)
}

fn consequences(a: &Account, owned: &Belongings, names: &[String]) -> Vec<String> {
    let name = &a.username;
    let tokens = some(owned.tokens, "API token stops", "API tokens stop");
    let mut will = vec![format!("“{name}” is signed out everywhere and can no longer sign in. {tokens} working.")];
    if owned.databases > 0 {
        let more = names.len().saturating_sub(NAMED);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
        will.push(format!(
            "{}, with {}, go to the new owner and keep running: {}{rest}.",
            some(owned.databases, "database", "databases"),
            some(owned.backups, "backup", "backups"),
            shown.join(", ")
        ));
        will.push(
            "Database users and passwords do not change. Whoever knows them can still connect until the new owner \
             sets new passwords."
                .to_owned(),
        );
    }
    if owned.left_backups > 0 {
        let text = some(owned.left_backups, "backup", "backups");
        will.push(format!("{text} of databases that were deleted permanently go to the new owner."));
    }
    if owned.templates > 0 {
        will.push(format!("{} go to the new owner.", some(owned.templates, "template", "templates")));
    }
    if owned.jobs > 0 {
        will.push(format!("{} running or waiting. They continue.", some(owned.jobs, "job is", "jobs are")));
    }
    will
}

async fn view(
    ctx: &Context,
    a: &Account,
    typed: &Fields,
    faults: [Option<String>; 2],
) -> Result<ConfirmPage, AppError> {
    let [heir_fault, name_fault] = faults;
    let mut db = ctx.app().db.acquire().await?;
    let owned = belongings::of(&mut db, a).await?;
    let names: Vec<String> = belongings::databases(&mut db, a.id).await?.into_iter().map(|(_, name)| name).collect();
    let others = accounts::other_names(&mut db, a.id, SUGGESTED).await?;
    drop(db);
    let heir = Field::text("heir", "New owner")
        .help(
            "The account that gets everything listed above. To delete a database instead, delete it on its page first; \
             it counts until it has been deleted permanently.",
        )
        .value(typed.text("heir"))
        .error(heir_fault)
        .suggestions(others.iter().map(|name| Choice::new(name, name, "")).collect())
        .required();
    Ok(ConfirmPage {
        frame: frame(ctx, a),
        title: format!("Delete the account {}", a.username),
        will: consequences(a, &owned, &names),
        kept: vec![
            "All databases, backups and templates: an account is deleted only after they have a new owner.".to_owned(),
            "The log, with every entry about the account.".to_owned(),
        ],
        action: urls::admin_user_action(a.id, UserAction::Delete),
        extra: if owned.need_an_owner() { vec![heir] } else { Vec::new() },
        name: Some(a.username.clone()),
        value: typed.text("confirm").to_owned(),
        error: name_fault,
        button: "Delete account".to_owned(),
        back_href: urls::admin_user(a.id),
        back_label: "Keep account".to_owned(),
        ..ConfirmPage::default()
    })
}

/// `GET /admin/users/{id}/delete`
pub async fn confirm(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let a = account(&ctx, &id).await?;
    refuse_own(&ctx, a.id, ACTION).await?;
    page(&view(&ctx, &a, &Fields::default(), [None, None]).await?)
}

/// The account that gets what the deleted one owns. Without any belongings it may stay empty: then the acting
/// administrator becomes the owner of the records of databases that no longer exist.
async fn heir(ctx: &Context, a: &Account, typed: &Fields) -> Result<Result<Uuid, String>, AppError> {
    let mut db = ctx.app().db.acquire().await?;
    let wanted = typed.text("heir");
    if wanted.is_empty() {
        let owned = belongings::of(&mut db, a).await?;
        return Ok(match owned.need_an_owner() {
            true => Err("Enter the account that gets the databases, backups and templates.".to_owned()),
            false => Ok(ctx.user()?.id),
        });
    }
    let found = accounts::by_name(&mut db, wanted).await?.filter(|h| h.disabled_at.is_none());
    Ok(match found {
        Some(h) if h.id == a.id => Err("Choose an account other than the deleted one.".to_owned()),
        Some(h) => Ok(h.id),
        None => Err(format!("There is no account “{wanted}” that can sign in.")),
    })
}

/// `POST /admin/users/{id}/delete` with `confirm` = the name, and `heir` = the account that gets what it owns
pub async fn delete(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let a = account(&ctx, &id).await?;
    refuse_own(&ctx, a.id, ACTION).await?;
    let typed = fields.text("confirm");
    let wrong = (typed != a.username).then(|| format!("Type the name exactly: {}", a.username));
    let heir = heir(&ctx, &a, &fields).await?;
    let (Ok(heir), None) = (&heir, &wrong) else {
        let view = view(&ctx, &a, &fields, [heir.err(), wrong]).await?;
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &view);
    };
    match hand_over_and_delete(&ctx, a.id, *heir).await {
        Ok(said) => Ok(to(HERE, Some(Flash::ok(said)))),
        Err(AppError::Conflict(why)) => {
            let view = view(&ctx, &a, &fields, [Some(why), None]).await?;
            page_with(StatusCode::CONFLICT, &view)
        }
        Err(e) => Err(e),
    }
}

async fn hand_over_and_delete(ctx: &Context, id: Uuid, heir: Uuid) -> Result<String, AppError> {
    let app = ctx.app();
    let mut tx = app.db.begin().await?;
    let accounts = locked(ctx, &mut tx, &[id, heir]).await?;
    let of = |id| accounts.iter().find(|a| a.id == id).ok_or(AppError::NotFound);
    let (a, heir) = (of(id)?, of(heir)?);
    if heir.disabled_at.is_some() {
        return Err(AppError::Conflict(format!("“{}” has been disabled. Choose another account.", heir.username)));
    }
    let databases = hand_over(app, &mut tx, (a, heir), &ctx.actor()).await?;
    belongings::delete(&mut tx, a.id).await.map_err(|e| match is_last_administrator(&e) {
        true => AppError::Conflict("This is the last administrator who can sign in.".to_owned()),
        false => e.into(),
    })?;
    let given = match databases {
        0 => String::new(),
        n => format!(" {} now belong to “{}”.", count_text(n as u64, "database", "databases"), heir.username),
    };
    let detail = format!("{}, {}. Belongings to {}", a.username, a.role.as_str(), heir.username);
    let entry = LogEntry { action: ACTION, container: None, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    let said = format!("Account “{}” deleted.{given}", a.username);
    tx.commit().await?;
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::Role;

    #[test]
    fn the_preview_lists_all_belongings() {
        let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let ada = Account {
            id: Uuid::from_u128(1),
            username: "ada".to_owned(),
            email: String::new(),
            department: String::new(),
            role: Role::User,
            password_hash: None,
            disabled_at: None,
            created_at: at,
            last_login_at: None,
        };
        let nothing = consequences(&ada, &Belongings::default(), &[]);
        assert_eq!(nothing, ["“ada” is signed out everywhere and can no longer sign in. 0 API tokens stop working."]);
        assert!(!Belongings::default().need_an_owner());
        let owned = Belongings { databases: 21, backups: 3, left_backups: 1, tokens: 1, templates: 2, jobs: 1 };
        let names: Vec<String> = (1..=21).map(|n| format!("db-{n}")).collect();
        let said = consequences(&ada, &owned, &names).join("\n");
        for part in
            ["1 API token stops", "21 databases, with 3 backups", "db-20 and 1 more.", "1 backup of", "2 templates"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
