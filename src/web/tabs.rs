//! The tabs of a database, and where an action leads: back to the tab it was requested on, which shows the steps of the job
//! or the reason of a rejection.

use axum::response::Response;

use crate::admin_db::containers::Container;
use crate::queue::refusal::RequestError;
use crate::web::context::{Context, to};
use crate::web::error::AppError;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::Flash;

/// Name of the field in which a confirmation remembers the tab it was asked for from.
pub const FIELD: &str = "tab";

/// A tab of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Connection, state, charts.
    Overview,
    /// Backups.
    Backups,
    /// Snapshots and clones.
    Snapshots,
    /// Charts and contents.
    Metrics,
    /// Log of the server.
    Logs,
    /// Settings.
    Settings,
}

impl Tab {
    /// All of them, in their order.
    pub const ALL: [Self; 6] =
        [Self::Overview, Self::Backups, Self::Snapshots, Self::Metrics, Self::Logs, Self::Settings];

    /// Its label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Backups => "Backups",
            Self::Snapshots => "Snapshots",
            Self::Metrics => "Metrics",
            Self::Logs => "Logs",
            Self::Settings => "Settings",
        }
    }

    /// Its address.
    pub fn href(self, c: &Container) -> String {
        let page = match self {
            Self::Overview => return urls::database(&c.name),
            Self::Backups => DatabasePage::Backups,
            Self::Snapshots => DatabasePage::Snapshots,
            Self::Metrics => DatabasePage::Metrics,
            Self::Logs => DatabasePage::Logs,
            Self::Settings => DatabasePage::Settings,
        };
        urls::database_page(&c.name, page)
    }

    /// The tab that a link or form was on; `None` if it was on another page.
    pub fn left(ctx: &Context, c: &Container) -> Option<Self> {
        let path = ctx.meta.from.split('?').next().unwrap_or_default();
        Self::ALL.into_iter().find(|tab| tab.href(c) == path)
    }

    /// The same, or the overview.
    pub fn left_or_overview(ctx: &Context, c: &Container) -> Self {
        Self::left(ctx, c).unwrap_or(Self::Overview)
    }

    /// The tab that a confirmation remembered in [`FIELD`]; the overview if it remembered none.
    pub fn remembered(text: &str) -> Self {
        Self::ALL.into_iter().find(|tab| tab.label() == text).unwrap_or(Self::Overview)
    }
}

/// The response to a request about a database that was accepted or rejected: the tab `on`. If the action is no longer
/// possible, the tab shows the reason.
pub async fn landed<T>(
    ctx: &Context,
    c: &Container,
    (action, on): (&str, Tab),
    done: Result<T, RequestError>,
    flash: Option<Flash>,
) -> Result<Response, AppError> {
    match done {
        Ok(_) => Ok(to(&on.href(c), flash)),
        Err(e) => match ctx.refused(action, Some(c), e).await {
            AppError::Conflict(why) => Ok(to(&on.href(c), Some(Flash::warn(why)))),
            e => Err(e),
        },
    }
}
