//! What went wrong with backups, as cards on several pages.

use crate::web::views::elements::format::Moment;
use crate::web::views::elements::parts::{ActionButton, Link};

/// One of them.
#[derive(Clone, Debug, Default)]
pub struct NoticeCard {
    /// "A backup of trial-42 was missed".
    pub title: String,
    /// What happened.
    pub text: String,
    /// When.
    pub at: Moment,
    /// Where there is more.
    pub link: Link,
    /// Puts it away; `None` where it stays until it is right again.
    pub seen: Option<ActionButton>,
}
