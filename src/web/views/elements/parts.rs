//! Small pieces that several pages share; one macro each in `templates/parts/`.

use crate::web::views::elements::format::{Moment, Size};

/// A link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// What it says.
    pub label: String,
    /// Where it goes.
    pub href: String,
    /// Whether it is the page one is on.
    pub current: bool,
}

impl Link {
    /// A link to somewhere else.
    #[must_use]
    pub fn new(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into(), current: false }
    }

    /// Marks it as the page one is on.
    #[must_use]
    pub fn current(mut self, current: bool) -> Self {
        self.current = current;
        self
    }
}

/// A state: a shape, a word and a colour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chip {
    /// Shape and colour: `run`, `busy`, `stop`, `fail`, `care`, `wait` or `gone`.
    pub kind: String,
    /// The word.
    pub word: String,
}

impl Chip {
    /// The chip of a container's or a job's state, by its name.
    #[must_use]
    pub fn of(state: &str) -> Self {
        let kind = match state {
            "running" | "succeeded" | "done" | "ok" | "active" | "present" => "run",
            "provisioning" | "starting" | "stopping" | "restarting" | "deleting" | "leased" | "working" | "pulling"
            | "purging" => "busy",
            "stopped" | "cancelled" | "disabled" => "stop",
            "failed" | "unavailable" | "refused" | "error" => "fail",
            "maintenance" | "warning" | "drift" => "care",
            "requested" | "queued" | "waiting" | "available" | "expired" => "wait",
            _ => "gone",
        };
        let word = match state {
            "provisioning" => "starting",
            "trashed" => "in the trash",
            other => other,
        };
        Self::new(kind, word)
    }

    /// The chip of a job's state: a job that is `running` is busy, not well.
    #[must_use]
    pub fn of_job(state: &str) -> Self {
        match state {
            "running" => Self::new("busy", "running"),
            "succeeded" | "done" => Self::new("run", "done"),
            other => Self::of(other),
        }
    }

    /// A chip with a word of one's own.
    #[must_use]
    pub fn new(kind: &str, word: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), word: word.into() }
    }
}

/// Something to do: a link, or a button that posts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionButton {
    /// A verb with its object: "Stop the database".
    pub label: String,
    /// Where it goes or posts to.
    pub href: String,
    /// Whether it posts.
    pub post: bool,
    /// `primary`, `plain` or `danger`.
    pub kind: String,
    /// Why it can't be done now; shown disabled with this reason.
    pub unavailable: Option<String>,
    /// Hidden fields sent along.
    pub fields: Vec<(String, String)>,
}

impl ActionButton {
    /// A link that looks like a button.
    #[must_use]
    pub fn link(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into(), kind: "plain".to_owned(), ..Self::default() }
    }

    /// A button that posts.
    #[must_use]
    pub fn post(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { post: true, ..Self::link(label, href) }
    }

    /// Makes it the one action that matters most on its page.
    #[must_use]
    pub fn primary(mut self) -> Self {
        "primary".clone_into(&mut self.kind);
        self
    }

    /// Makes it red.
    #[must_use]
    pub fn danger(mut self) -> Self {
        "danger".clone_into(&mut self.kind);
        self
    }

    /// Sends a hidden field along.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Disables it, and says why.
    #[must_use]
    pub fn unavailable(mut self, reason: Option<String>) -> Self {
        self.unavailable = reason;
        self
    }
}

/// A term and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// The term.
    pub term: String,
    /// The value.
    pub text: String,
    /// The exact value, on hover.
    pub title: Option<String>,
    /// For a moment: the value of `datetime`.
    pub datetime: Option<String>,
    /// Where the value leads.
    pub href: Option<String>,
    /// Whether it is in monospace.
    pub code: bool,
}

impl Fact {
    /// A plain value.
    #[must_use]
    pub fn text(term: impl Into<String>, text: impl Into<String>) -> Self {
        Self { term: term.into(), text: text.into(), ..Self::default() }
    }

    /// A value for machines, in monospace.
    #[must_use]
    pub fn code(term: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: true, ..Self::text(term, text) }
    }

    /// A value that leads somewhere.
    #[must_use]
    pub fn link(term: impl Into<String>, text: impl Into<String>, href: impl Into<String>) -> Self {
        Self { href: Some(href.into()), ..Self::text(term, text) }
    }

    /// A moment.
    #[must_use]
    pub fn when(term: impl Into<String>, when: &Moment) -> Self {
        Self {
            title: Some(when.absolute.clone()),
            datetime: Some(when.iso.clone()),
            ..Self::text(term, when.ago.clone())
        }
    }

    /// A size.
    #[must_use]
    pub fn size(term: impl Into<String>, size: &Size) -> Self {
        Self { title: Some(size.exact.clone()), ..Self::text(term, size.human.clone()) }
    }
}

/// The head of a column, which may sort its table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// What it says.
    pub label: String,
    /// Where a click on it leads; not sortable when `None`.
    pub href: Option<String>,
    /// `ascending`, `descending` or `none`, for `aria-sort`.
    pub sort: String,
    /// Whether its values are numbers, set to the right.
    pub number: bool,
}

impl Column {
    /// A column that doesn't sort.
    #[must_use]
    pub fn plain(label: impl Into<String>) -> Self {
        Self { label: label.into(), sort: "none".to_owned(), ..Self::default() }
    }

    /// A column that sorts. `sort` is `ascending`, `descending` or `none`.
    #[must_use]
    pub fn sorted(label: impl Into<String>, href: impl Into<String>, sort: &str) -> Self {
        Self { href: Some(href.into()), sort: sort.to_owned(), ..Self::plain(label) }
    }

    /// Sets its values to the right.
    #[must_use]
    pub fn number(mut self) -> Self {
        self.number = true;
        self
    }
}

/// A filter form above a table: fields that are sent by GET.
#[derive(Clone, Debug, Default)]
pub struct FilterForm {
    /// The page itself.
    pub action: String,
    /// The fields, text or select.
    pub fields: Vec<crate::web::views::elements::field::Field>,
    /// Other parameters to keep, such as the sort order.
    pub keep: Vec<(String, String)>,
    /// Whether a filter is set, so that "Clear" is offered.
    pub active: bool,
}

/// Where in a long list one is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pager {
    /// "40 databases", "rows 1 to 50".
    pub summary: String,
    /// The first page, when one is on a later one.
    pub first: Option<String>,
    /// The next page.
    pub next: Option<String>,
}

/// An engine on offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineCard {
    /// `postgres`, `mariadb`, `mongodb`, `neo4j`: names its mark.
    pub engine: String,
    /// "PostgreSQL".
    pub label: String,
    /// What it is good for, in a few words.
    pub tagline: String,
    /// Versions on offer: "18, 17, 16".
    pub versions: String,
    /// The form for it: `/containers/new?engine=postgres`.
    pub href: String,
    /// Whether it is the chosen one.
    pub selected: bool,
    /// That none of its images can be used now.
    pub unavailable: Option<String>,
}

/// A job in a list.
#[derive(Clone, Debug, Default)]
pub struct JobRow {
    /// Its page.
    pub href: String,
    /// What it does: "Create", "Stop".
    pub kind: String,
    /// On which container, where the list mixes several.
    pub container: Option<Link>,
    /// Its state.
    pub chip: Chip,
    /// When it was asked for.
    pub when: Moment,
    /// How long it took.
    pub took: Option<String>,
    /// Which attempt this is, when not the first, or the last error.
    pub note: Option<String>,
}

#[cfg(test)]
mod tests {
    use crate::web::views::elements::parts::*;

    #[test]
    fn every_state_has_a_shape_and_a_word() {
        let cases = [
            ("requested", "wait", "requested"),
            ("provisioning", "busy", "starting"),
            ("running", "run", "running"),
            ("stopped", "stop", "stopped"),
            ("deleting", "busy", "deleting"),
            ("trashed", "gone", "in the trash"),
            ("purged", "gone", "purged"),
            ("failed", "fail", "failed"),
            ("maintenance", "care", "maintenance"),
        ];
        for (state, kind, word) in cases {
            assert_eq!(Chip::of(state), Chip::new(kind, word), "{state}");
        }
    }

    #[test]
    fn a_running_job_is_busy() {
        assert_eq!(Chip::of_job("running").kind, "busy");
        assert_eq!(Chip::of_job("failed").kind, "fail");
    }
}
