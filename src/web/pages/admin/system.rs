//! `/admin/system`: the state of the components, and the switch that makes the portal read-only.

use std::time::Duration as Wait;

use axum::http::StatusCode;
use axum::response::Response;

use crate::admin_db::backups::schedule;
use crate::admin_db::jobs::listing;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::{log, seeds, spares, switches};
use crate::web::context::{Context, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::line;
use crate::web::pages::admin;
use crate::web::pages::admin::facts::certificate;
use crate::web::views::admin::system::SystemPage;
use crate::web::views::{Field, Flash};

/// How long the page waits for the container engine before it reports a timeout.
const ENGINE_WAIT: Wait = Wait::from_secs(3);
/// Maximum length of the banner in characters.
const BANNER: usize = 300;

/// `GET /admin/system`
pub async fn system(ctx: Context) -> Result<Response, AppError> {
    render(&ctx, StatusCode::OK, "", None).await
}

/// `POST /admin/read-only` with `read_only` = `on` or `off`, and `message`
pub async fn read_only(ctx: Context, fields: Fields) -> Result<Response, AppError> {
    let (app, typed) = (ctx.app(), fields.text("message"));
    let banner = match fields.text("read_only") {
        "off" => None,
        "on" => {
            let checked = if typed.is_empty() {
                Err("Enter the reason and the expected duration.".to_owned())
            } else {
                line(typed, BANNER)
            };
            match checked {
                Ok(text) => Some(text),
                Err(e) => return render(&ctx, StatusCode::UNPROCESSABLE_ENTITY, typed, Some(e)).await,
            }
        }
        _ => return Err(AppError::BadRequest("The field read_only must be on or off.".to_owned())),
    };
    let detail = banner.as_ref().map_or_else(|| "off".to_owned(), |text| format!("on: {text}"));
    let (actor, now) = (ctx.actor(), ctx.now());
    let mut tx = app.db.begin().await?;
    switches::set_read_only(&mut tx, banner.as_deref(), &actor.name, now).await?;
    let entry = LogEntry { action: "portal.read_only", container: None, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, &actor, &entry, now).await?;
    tx.commit().await?;
    let said = if banner.is_some() { "Read-only mode is on." } else { "Read-only mode is off." };
    app.set_read_only(banner);
    Ok(to("/admin/system", Some(Flash::ok(said))))
}

async fn render(ctx: &Context, status: StatusCode, message: &str, error: Option<String>) -> Result<Response, AppError> {
    let (app, now) = (ctx.app(), ctx.now());
    let mut db = app.db.acquire().await?;
    let about = crate::admin_db::about(&mut db).await?;
    let counts = listing::counts(&mut db).await?;
    let periodic = schedule::list(&mut db).await?;
    let seeds = seeds::all(&mut db).await?;
    let spares = spares::all(&mut db).await?;
    let today = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let created = spares::created_since(&mut db, today).await?;
    drop(db);
    let info = match tokio::time::timeout(ENGINE_WAIT, app.runtime.info()).await {
        Ok(answer) => answer.map_err(|e| e.to_string()),
        Err(_) => Err(format!("No response within {} s.", ENGINE_WAIT.as_secs())),
    };
    let groups = vec![
        admin::facts::portal(app, now),
        admin::facts::engine(&info),
        admin::facts::egress(app.egress.seen().await.as_ref()),
        admin::facts::admin_db(app, &about),
        admin::facts::certificates(app, certificate(app).await, now),
        admin::facts::queue(app, &counts),
        admin::facts::work(&periodic, now),
    ];
    let message = Field::text("message", "Banner text")
        .help("Why changes are blocked, and until when.")
        .value(message)
        .error(error)
        .max_length(300)
        .required();
    let view = SystemPage {
        frame: ctx.frame("admin-system"),
        groups,
        images: app
            .catalog
            .images()
            .iter()
            .map(|i| {
                let taken = created.iter().find(|(image, ..)| *image == i.image).map_or(0, |(.., taken)| *taken);
                admin::facts::image(app, i, &seeds, (&spares, taken), now)
            })
            .collect(),
        is_read_only: app.read_only().is_some(),
        message,
    };
    page_with(status, &view)
}
