//! Notices about problems with backups and about databases that expire soon, shown as cards on several pages.

use crate::web::views::elements::format::Moment;
use crate::web::views::elements::parts::{ActionButton, Link};

/// A notice.
#[derive(Clone, Debug, Default)]
pub struct NoticeCard {
    /// `bad`, or `warn` if nothing has gone wrong.
    pub tone: &'static str,
    /// "A backup of trial-42 was missed".
    pub title: String,
    /// What happened.
    pub text: String,
    /// When it happened.
    pub at: Moment,
    /// Link to details.
    pub link: Link,
    /// Dismisses it; `None` if it stays until the problem is solved.
    pub seen: Option<ActionButton>,
}
