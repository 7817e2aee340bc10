//! `/admin/users/{id}`: an account with the forms that change it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use crate::admin_db::people::accounts::Account;
use crate::admin_db::people::quotas::Quota;
use crate::admin_db::people::{accounts, belongings, quotas};
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::web::context::{Context, page_with};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::Faults;
use crate::web::pages::account::token_choices;
use crate::web::pages::admin::people::{chip, roles};
use crate::web::urls;
use crate::web::urls::UserAction;
use crate::web::views::admin::user::{UserForm, UserPage};
use crate::web::views::{ActionButton, Fact, Field, Frame, Link, Moment};

/// The account with this id, as a URL names it.
pub(super) async fn account(ctx: &Context, id: &str) -> Result<Account, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    accounts::by_id(&mut db, id).await?.ok_or(AppError::NotFound)
}

/// The frame of a page about an account, whose URL does not contain the name.
pub(super) fn frame(ctx: &Context, a: &Account) -> Frame {
    Frame { parent: Some(Link::new(&a.username, urls::admin_user(a.id))), ..ctx.frame("admin-users") }
}

/// `GET /admin/users/{id}`
pub async fn show(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    render(&ctx, &id, StatusCode::OK, &Fields::default(), &Faults::new()).await
}

/// Renders the page, with the values typed into one of its forms.
pub(super) async fn render(
    ctx: &Context,
    id: &str,
    status: StatusCode,
    typed: &Fields,
    faults: &Faults,
) -> Result<Response, AppError> {
    let a = account(ctx, id).await?;
    let mut db = ctx.app().db.acquire().await?;
    let quota = quotas::of(&mut db, a.id).await?.ok_or(AppError::NotFound)?;
    let owned = belongings::of(&mut db, &a).await?;
    drop(db);
    let other = a.id != ctx.user()?.id;
    let now = ctx.now();
    let href = |action| urls::admin_user_action(a.id, action);
    let mut facts = vec![
        Fact::text("Role", a.role.as_str()),
        Fact::text("Databases", owned.databases.to_string()),
        Fact::text("Resources in use", quota.sentence(&ctx.app().config.limits)),
        Fact::text("Backups of databases deleted permanently", owned.left_backups.to_string()),
        Fact::text("API tokens", owned.tokens.to_string()),
        Fact::text("Templates", owned.templates.to_string()),
        Fact::text("Jobs running or waiting", owned.jobs.to_string()),
        Fact::when("Added", &Moment::new(a.created_at, now)),
    ];
    facts.extend(a.last_login_at.map(|at| Fact::when("Last sign-in", &Moment::new(at, now))));
    let toggle = match a.disabled_at {
        Some(_) => ActionButton::post("Enable account", href(UserAction::Enable)),
        None => ActionButton::post("Disable account", href(UserAction::Disable)).danger().asks(
            "The user is signed out everywhere and cannot sign in. Their databases keep running, and you can enable \
             the account again.",
        ),
    };
    let view = UserPage {
        frame: frame(ctx, &a),
        name: a.username.clone(),
        chip: chip(&a),
        facts,
        forms: forms(&a, &quota, other, (typed, faults)),
        toggle: other.then_some(toggle),
        delete_href: other.then(|| href(UserAction::Delete)),
    };
    page_with(status, &view)
}

/// The forms. Administrators change their own password on the account page, which asks for the current one, and not
/// their own role.
fn forms(a: &Account, quota: &Quota, other: bool, (typed, faults): (&Fields, &Faults)) -> Vec<UserForm> {
    let href = |action| urls::admin_user_action(a.id, action);
    let fault = |name: &str| faults.iter().find(|(f, _)| f == name).map(|(_, text)| text.clone());
    let value = |name: &str, stored: String| if typed.has(name) { typed.text(name).to_owned() } else { stored };
    let memory = quota.memory_limit.map(|m| ByteSize(m).exact()).unwrap_or_default();
    let cpus = quota.millicpu_limit.map(|c| MilliCpus(c).to_string()).unwrap_or_default();
    let details = UserForm {
        title: "Details",
        action: urls::admin_user(a.id),
        fields: vec![
            Field::email("email", "E-mail")
                .help("Suggested as the contact for this user’s databases.")
                .value(value("email", a.email.clone()))
                .error(fault("email"))
                .max_length(200),
            Field::text("department", "Department")
                .help("Suggested for this user’s databases.")
                .value(value("department", a.department.clone()))
                .error(fault("department"))
                .max_length(200),
        ],
        button: "Save details",
    };
    let role = UserForm {
        title: "Role",
        action: href(UserAction::Role),
        fields: vec![
            Field::select("role", "Role", roles(a.role.as_str()))
                .help("Users see only their own databases; admins can see and do everything."),
        ],
        button: "Set role",
    };
    let password = UserForm {
        title: "Password",
        action: href(UserAction::Password),
        fields: vec![
            Field::password("password", "New password")
                .help("At least 8 characters. The user is signed out everywhere.")
                .autocomplete("new-password")
                .error(fault("password"))
                .required(),
            Field::select("tokens", "API tokens", token_choices()),
        ],
        button: "Set password",
    };
    let limits = UserForm {
        title: "Limits",
        action: href(UserAction::Limits),
        fields: vec![
            Field::text("memory", "Memory limit")
                .help("For all databases of the user together, for example 8g. Leave empty for the configured limit.")
                .value(value("memory", memory))
                .error(fault("memory")),
            Field::text("cpus", "CPU limit")
                .help("For all databases of the user together, for example 4. Leave empty for the configured limit.")
                .value(value("cpus", cpus))
                .error(fault("cpus")),
        ],
        button: "Set limits",
    };
    if other { vec![details, role, password, limits] } else { vec![details, limits] }
}
