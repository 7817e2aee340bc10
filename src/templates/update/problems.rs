//! Notices to administrators about dumps that cannot be imported. They end when an update finds the problem solved.

use uuid::Uuid;

use crate::admin_db::notices;
use crate::admin_db::notices::{NoticeKind, PORTAL};
use crate::admin_db::templates::Template;
use crate::app::App;
use crate::domain::short_reason;

/// Problems named in a notice about the directory.
const MOST: usize = 5;

/// What an update could not do.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// Templates whose dump cannot be imported, with the text of the notice.
    templates: Vec<(Uuid, String)>,
    /// What concerns no template.
    others: Vec<String>,
    /// Whether all templates were looked at.
    pub(super) is_complete: bool,
}

impl Problems {
    /// Adds a template whose dump cannot be imported.
    pub(super) fn of_template(&mut self, t: &Template, why: &str) {
        let in_use = match t.current_version {
            Some(_) => "Databases are still created from its current version.",
            None => "No database can be created from it.",
        };
        self.templates.push((t.id, format!("{} {in_use}", short_reason::line(why))));
    }

    /// Adds what concerns no template.
    pub(super) fn other(&mut self, why: &str) {
        self.others.push(short_reason::line(why));
    }

    /// Raises notices about the problems, and ends those of earlier ones.
    pub(super) async fn tell(self, app: &App) -> Result<(), sqlx::Error> {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let mut still = Vec::new();
        for (id, text) in &self.templates {
            notices::dump_unusable(&mut tx, *id, text, now).await?;
            still.push(*id);
        }
        if self.is_complete {
            notices::end_dumps_but(&mut tx, &still, now).await?;
        }
        match self.text() {
            Some(text) => {
                notices::dumps_unusable(&mut tx, &text, now).await?;
            }
            None => notices::end(&mut tx, PORTAL, NoticeKind::DumpsUnusable, now).await?,
        }
        tx.commit().await
    }

    /// The text of the notice about the directory, if there is anything to say.
    fn text(&self) -> Option<String> {
        let more = self.others.len().saturating_sub(MOST);
        let named: Vec<&str> = self.others.iter().take(MOST).map(String::as_str).collect();
        let more = if more > 0 { format!(" {more} more files have problems.") } else { String::new() };
        (!named.is_empty()).then(|| format!("{}{more}", named.join(" ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_about_the_directory_stays_short() {
        let mut problems = Problems::default();
        assert_eq!(problems.text(), None);
        for n in 0..7 {
            problems.other(&format!("dump-{n}.sql: It ends in the middle."));
        }
        let text = problems.text().unwrap();
        assert!(text.starts_with("dump-0.sql: It ends in the middle. dump-1.sql"), "{text}");
        assert!(text.ends_with("2 more files have problems."), "{text}");
    }
}
