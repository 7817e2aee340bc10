//! `/admin/users`: the list of accounts, and the form that creates one.

use std::collections::HashMap;

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::people::accounts::{Account, ListedAccount, NewAccount};
use crate::admin_db::people::quotas::Quota;
use crate::admin_db::people::{accounts, quotas};
use crate::admin_db::{constraint, log};
use crate::auth::passwords;
use crate::config::Limits;
use crate::domain::names::Username;
use crate::domain::password::Password;
use crate::domain::user::Role;
use crate::web::context::{Context, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::{Faults, line};
use crate::web::pages::admin::lists::{FETCH, PAGE, address, pager};
use crate::web::urls;
use crate::web::views::admin::lists::{UserRow, UsersPage};
use crate::web::views::{Chip, Choice, Field, Flash, Moment};

/// Path of the page.
pub(crate) const HERE: &str = "/admin/users";

/// Query parameters of the list.
#[derive(Debug, Default, Deserialize)]
pub struct PeopleQuery {
    /// Continue after this name.
    #[serde(default)]
    pub after: String,
}

/// `GET /admin/users`
pub async fn list(ctx: Context, Query(query): Query<PeopleQuery>) -> Result<Response, AppError> {
    let view = view(&ctx, &query.after, &Fields::default(), &Faults::new()).await?;
    page_with(StatusCode::OK, &view)
}

/// The page, with the values typed into its form.
pub(crate) async fn view(ctx: &Context, after: &str, fields: &Fields, faults: &Faults) -> Result<UsersPage, AppError> {
    let now = ctx.now();
    let mut db = ctx.app().db.acquire().await?;
    let mut rows = accounts::page(&mut db, Some(after).filter(|a| !a.is_empty()), FETCH).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let ids: Vec<Uuid> = rows.iter().map(|l| l.account.id).collect();
    let used: HashMap<Uuid, Quota> = quotas::of_all(&mut db, &ids).await?.into_iter().collect();
    drop(db);
    let limits = &ctx.app().config.limits;
    let next = rows.last().filter(|_| more).map(|l| address(HERE, &[("after", &l.account.username)]));
    let first = (!after.is_empty()).then(|| HERE.to_owned());
    Ok(UsersPage {
        frame: ctx.frame("admin-users"),
        pager: pager((rows.len(), rows.len()), ("user", "users"), first, next),
        rows: rows.iter().map(|l| row(l, now, (used.get(&l.account.id), limits))).collect(),
        form: form(fields, faults),
        form_open: !faults.is_empty(),
    })
}

fn row(listed: &ListedAccount, now: DateTime<Utc>, (quota, limits): (Option<&Quota>, &Limits)) -> UserRow {
    let a = &listed.account;
    UserRow {
        name: a.username.clone(),
        href: urls::admin_user(a.id),
        email: a.email.clone(),
        role: a.role.as_str().to_owned(),
        chip: chip(a),
        databases: u64::try_from(listed.databases).unwrap_or(0),
        used: quota.map(|q| q.sentence(limits)).unwrap_or_default(),
        seen: a.last_login_at.map(|at| Moment::new(at, now)),
        created: Moment::new(a.created_at, now),
    }
}

/// The state of an account.
pub(super) fn chip(a: &Account) -> Chip {
    Chip::of(if a.disabled_at.is_some() { "disabled" } else { "active" })
}

/// The roles that can be chosen.
pub(super) fn roles(chosen: &str) -> Vec<Choice> {
    Role::ALL.iter().map(|r| Choice::new(r.as_str(), r.as_str(), chosen)).collect()
}

fn form(fields: &Fields, faults: &Faults) -> Vec<Field> {
    let fault = |name: &str| faults.iter().find(|(f, _)| f == name).map(|(_, text)| text.clone());
    let role = if fields.has("role") { fields.text("role") } else { Role::User.as_str() };
    vec![
        Field::code("username", "Name")
            .help("Used to sign in. Lower-case letters, digits, “.”, “_” and “-”.")
            .value(fields.text("username"))
            .error(fault("username"))
            .required()
            .max_length(63),
        Field::password("password", "Password")
            .help("At least 8 characters. The user can change it on the account page.")
            .autocomplete("new-password")
            .error(fault("password"))
            .required(),
        Field::select("role", "Role", roles(role))
            .help("Users see only their own databases; admins can see and do everything.")
            .error(fault("role")),
        Field::email("email", "E-mail")
            .help("Suggested as the contact for this user’s databases.")
            .value(fields.text("email"))
            .error(fault("email"))
            .max_length(200),
    ]
}

/// Checks an e-mail address lightly.
pub(super) fn email(text: &str) -> Result<String, String> {
    let fine = text.is_empty() || (text.contains('@') && !text.contains(char::is_whitespace));
    if fine {
        line(text, 200)
    } else {
        Err("Enter an e-mail address such as ada@example.org, or leave the field \
                                            empty."
            .to_owned())
    }
}

/// `POST /admin/users`
pub async fn add(ctx: Context, fields: Fields) -> Result<Response, AppError> {
    let mut faults = Faults::new();
    let mut fault = |field: &str, text: String| faults.push((field.to_owned(), text));
    let username = Username::parse(fields.text("username")).map_err(|e| fault("username", e.to_string())).ok();
    let password = Password::parse(fields.raw("password")).map_err(|e| fault("password", e)).ok();
    let role = Role::parse(fields.text("role"));
    if role.is_none() {
        fault("role", "Choose user or admin.".to_owned());
    }
    let email = email(fields.text("email")).map_err(|e| fault("email", e)).ok();
    let (Some(username), Some(password), Some(role), Some(email)) = (username, password, role, email) else {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &view(&ctx, "", &fields, &faults).await?);
    };
    let (hash, now) = (passwords::hash(&password).await?, ctx.now());
    let mut tx = ctx.app().db.begin().await?;
    let new = NewAccount { username: &username, email: &email, role, password_hash: &hash };
    match accounts::insert(&mut tx, &new, now).await {
        Ok(_) => {}
        Err(e) if constraint(&e) == Some("account_username_key") => {
            // Rendering the page acquires its own connection, so this one is released first.
            tx.rollback().await?;
            faults.push(("username".to_owned(), format!("“{username}” already exists. Choose another name.")));
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &view(&ctx, "", &fields, &faults).await?);
        }
        Err(e) => return Err(e.into()),
    }
    let detail = format!("{username} as {}", role.as_str());
    let entry = LogEntry { action: "user.add", container: None, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, &ctx.actor(), &entry, now).await?;
    tx.commit().await?;
    Ok(to(HERE, Some(Flash::ok(format!("Account “{username}” created.")))))
}

#[cfg(test)]
mod tests {
    use crate::web::pages::admin::people::*;

    #[test]
    fn an_address_is_checked_lightly() {
        for good in ["", "ada@example.org"] {
            assert!(email(good).is_ok(), "{good}");
        }
        for bad in ["ada", "ada @example.org", &format!("{}@x", "a".repeat(200))] {
            assert!(email(bad).is_err(), "{bad}");
        }
    }
}
