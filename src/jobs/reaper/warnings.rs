//! Warns owners before their databases expire.

use std::sync::Arc;

use crate::admin_db::containers::expiry;
use crate::admin_db::containers::expiry::EndsSoon;
use crate::admin_db::notices;
use crate::admin_db::notices::NoticeKind;
use crate::app::App;
use crate::domain::expiry::{LONGEST_LEAD, warning_is_due};
use crate::domain::wall_clock;
use crate::notify;

/// Raises the notices that are due and returns the names of their databases.
pub(super) async fn warn(app: &Arc<App>) -> anyhow::Result<Vec<String>> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let soon = expiry::ends_by(&mut db, now + LONGEST_LEAD).await?;
    drop(db);
    let mut warned = Vec::new();
    for ends in soon {
        if ends.end <= now || !warning_is_due((ends.set_at, ends.end), ends.warned_at, now) {
            continue;
        }
        let mut tx = app.db.begin().await?;
        // Otherwise it has just been extended.
        if expiry::set_warned(&mut tx, &ends, now).await? {
            notices::raise(&mut tx, ends.id, NoticeKind::ExpiresSoon, (None, &text(app, &ends)), now).await?;
            tx.commit().await?;
            warned.push(ends.name);
        }
    }
    if !warned.is_empty() {
        notify::tell(app);
    }
    Ok(warned)
}

fn text(app: &App, ends: &EndsSoon) -> String {
    let at = wall_clock::describe(ends.end, app.config.backups.window.zone);
    let then = match ends.is_disposable {
        true => "It is then deleted permanently, because it was made from a template and is not backed up.".to_owned(),
        false => format!("It then stops and moves to the trash, where it is kept for {} days.", app.config.trash_days),
    };
    format!("The database expires at {at}. {then} Extend it if you still need it.")
}
