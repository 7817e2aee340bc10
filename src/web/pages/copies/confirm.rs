//! What the pages about snapshots and clones share.

use crate::admin_db::containers::Container;
use crate::backup::restore::swap::KEPT_DAYS;
use crate::blueprint::Blueprint;
use crate::domain::duration::duration_text;
use crate::domain::quantity::ByteSize;
use crate::storage::{DataDir, capacity};
use crate::tasks;
use crate::web::context::Context;

/// Bytes per second that a copy takes at least on storage that cannot share blocks: that of a single disk.
const SLOWEST: i64 = 100_000_000;

/// What a copy of the data costs on its tier.
#[derive(Debug, Default)]
pub(super) struct Cost {
    /// Whether copies share blocks.
    pub shared: bool,
    /// The same as sentences.
    pub text: String,
}

/// What a copy of the data costs on its tier; without text if that cannot be measured.
pub(super) async fn cost(ctx: &Context, c: &Container) -> Cost {
    let Ok(b) = Blueprint::read(ctx.app(), c).await else { return Cost::default() };
    let place = DataDir::new(&b.tier, &ctx.app().config.instance, c.id).base;
    let tried = tasks::blocking(move || capacity(&place)).await;
    let shared = matches!(tried, Ok(Ok(has)) if has.copies.shares_blocks());
    if shared {
        let text = "On this storage, copies share unchanged data: they take no space at first, and the database is \
                    paused only for milliseconds.";
        return Cost { shared, text: text.to_owned() };
    }
    let pause = if !c.engine.engine().copy_online(&b.plan()).is_empty() {
        "The database keeps working meanwhile."
    } else if ctx.app().files.copies_ahead() {
        "Meanwhile, the database is paused only while its last changes are copied."
    } else {
        "The database is paused for that time."
    };
    let text = format!("This storage cannot share data between copies: each takes {}. {pause}", space_and_time(c));
    Cost { shared, text }
}

/// The space and time that a copy takes where nothing is shared.
pub(super) fn space_and_time(c: &Container) -> String {
    let bytes = c.size_bytes.unwrap_or(0);
    let seconds = u64::try_from(bytes / SLOWEST).unwrap_or(0).saturating_add(1);
    format!("{} of space, and up to about {}", ByteSize(bytes), duration_text(seconds * 1000))
}

/// What happens to the current data when it is replaced.
pub(super) fn kept() -> String {
    format!(
        "The current data is kept for {KEPT_DAYS} days. During that time you can switch back to it on the Backups tab."
    )
}
