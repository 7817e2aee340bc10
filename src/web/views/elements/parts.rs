//! Small elements shared by several pages, with one macro each in `templates/parts/`.

use crate::web::views::elements::format::{Moment, Size};

/// A link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its label.
    pub label: String,
    /// Its target.
    pub href: String,
    /// Whether it leads to the current page.
    pub current: bool,
}

impl Link {
    /// A link to another page.
    #[must_use]
    pub fn new(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into(), current: false }
    }

    /// Sets whether it leads to the current page.
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
    /// The chip for the state of a container or job, by name.
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

    /// The chip for the state of a job: a `running` job is shown as busy, not as healthy.
    #[must_use]
    pub fn of_job(state: &str) -> Self {
        match state {
            "running" => Self::new("busy", "running"),
            "succeeded" | "done" => Self::new("run", "done"),
            other => Self::of(other),
        }
    }

    /// A chip with a custom word.
    #[must_use]
    pub fn new(kind: &str, word: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), word: word.into() }
    }
}

/// An action: a link, or a button that sends a POST request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionButton {
    /// A verb with its object: "Stop the database".
    pub label: String,
    /// URL of the link or the POST request.
    pub href: String,
    /// Whether it sends a POST request.
    pub post: bool,
    /// `primary`, `plain` or `danger`.
    pub kind: String,
    /// Why it is unavailable; shown disabled with this reason.
    pub unavailable: Option<String>,
    /// Hidden fields.
    pub fields: Vec<(String, String)>,
    /// What it concerns, appended to the label for screen readers.
    pub about: String,
    /// The consequences. If set, the button opens a box with this sentence and the button that really acts.
    pub asks: Option<String>,
}

impl ActionButton {
    /// A link that looks like a button.
    #[must_use]
    pub fn link(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into(), kind: "plain".to_owned(), ..Self::default() }
    }

    /// A button that sends a POST request.
    #[must_use]
    pub fn post(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { post: true, ..Self::link(label, href) }
    }

    /// Makes it the primary action of its page.
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

    /// Adds a hidden field.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Makes it small, for table rows.
    #[must_use]
    pub fn small(mut self) -> Self {
        self.kind.push_str(" small");
        self
    }

    /// Appends what it concerns to the label for screen readers.
    #[must_use]
    pub fn about(mut self, what: impl Into<String>) -> Self {
        self.about = what.into();
        self
    }

    /// Asks once before it acts, and states the consequences.
    #[must_use]
    pub fn asks(mut self, consequences: impl Into<String>) -> Self {
        self.asks = Some(consequences.into());
        self
    }

    /// Disables it for this reason.
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
    /// For times: the value of `datetime`.
    pub datetime: Option<String>,
    /// For times: the time written out, below the distance from now.
    pub written: Option<String>,
    /// Link target of the value.
    pub href: Option<String>,
    /// Whether it is shown in monospace.
    pub code: bool,
}

impl Fact {
    /// A plain value.
    #[must_use]
    pub fn text(term: impl Into<String>, text: impl Into<String>) -> Self {
        Self { term: term.into(), text: text.into(), ..Self::default() }
    }

    /// An identifier, in monospace.
    #[must_use]
    pub fn code(term: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: true, ..Self::text(term, text) }
    }

    /// A linked value.
    #[must_use]
    pub fn link(term: impl Into<String>, text: impl Into<String>, href: impl Into<String>) -> Self {
        Self { href: Some(href.into()), ..Self::text(term, text) }
    }

    /// A time.
    #[must_use]
    pub fn when(term: impl Into<String>, when: &Moment) -> Self {
        Self {
            title: Some(when.absolute.clone()),
            datetime: Some(when.iso.clone()),
            written: Some(when.minute.clone()),
            ..Self::text(term, when.ago.clone())
        }
    }

    /// A size.
    #[must_use]
    pub fn size(term: impl Into<String>, size: &Size) -> Self {
        Self { title: Some(size.exact.clone()), ..Self::text(term, size.human.clone()) }
    }
}

/// A column header, which may sort the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its label.
    pub label: String,
    /// The URL that sorts by this column; `None` if it is not sortable.
    pub href: Option<String>,
    /// `ascending`, `descending` or `none`, for `aria-sort`.
    pub sort: String,
    /// Whether its values are numbers, which are right-aligned.
    pub number: bool,
    /// Whether it is left out where there is little room, because the page of each row says the same.
    pub minor: bool,
}

impl Column {
    /// A column that is not sortable.
    #[must_use]
    pub fn plain(label: impl Into<String>) -> Self {
        Self { label: label.into(), sort: "none".to_owned(), ..Self::default() }
    }

    /// A sortable column. `sort` is `ascending`, `descending` or `none`.
    #[must_use]
    pub fn sorted(label: impl Into<String>, href: impl Into<String>, sort: &str) -> Self {
        Self { href: Some(href.into()), sort: sort.to_owned(), ..Self::plain(label) }
    }

    /// Leaves it out where there is little room.
    #[must_use]
    pub fn minor(mut self) -> Self {
        self.minor = true;
        self
    }

    /// Right-aligns its values.
    #[must_use]
    pub fn number(mut self) -> Self {
        self.number = true;
        self
    }
}

/// A filter form above a table, sent with GET.
#[derive(Clone, Debug, Default)]
pub struct FilterForm {
    /// URL of the page itself.
    pub action: String,
    /// The fields, text or select.
    pub fields: Vec<crate::web::views::elements::field::Field>,
    /// Other parameters to keep, such as the sort order.
    pub keep: Vec<(String, String)>,
    /// Whether a filter is set, so that "Clear" is shown.
    pub active: bool,
}

/// The current position in a long list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pager {
    /// "40 databases", "rows 1 to 50".
    pub summary: String,
    /// URL of the first page, if this is a later one.
    pub first: Option<String>,
    /// URL of the next page.
    pub next: Option<String>,
}

/// An available engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineCard {
    /// `postgres`, `mariadb`, `mongodb` or `neo4j`: selects its icon.
    pub engine: String,
    /// "PostgreSQL".
    pub label: String,
    /// What it is suited for, in a few words.
    pub tagline: String,
    /// Available versions: "18, 17, 16".
    pub versions: String,
    /// The form for it: `/containers/new?engine=postgres`.
    pub href: String,
    /// Whether it is selected.
    pub selected: bool,
    /// The note that none of its images is available.
    pub unavailable: Option<String>,
}

/// A job in a list.
#[derive(Clone, Debug, Default)]
pub struct JobRow {
    /// Its page.
    pub href: String,
    /// What it does: "Create", "Stop".
    pub kind: String,
    /// Its container, if the list contains jobs of several.
    pub container: Option<Link>,
    /// Its state.
    pub chip: Chip,
    /// When it was requested.
    pub when: Moment,
    /// How long it took.
    pub took: Option<String>,
    /// The number of the attempt unless it is the first, or the last error.
    pub note: Option<String>,
    /// Set if this row stands for several equal failures.
    pub repeats: Option<Repeats>,
}

/// Equal failures in a list, shown as one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// How many.
    pub count: u64,
    /// When the first of them happened.
    pub first: Moment,
}

/// Merges each row with a newer one that is equal, wherever that is in the list. The pair returns when a row happened, and
/// where its number is kept; the newest row comes first.
pub fn merge_equal<T>(
    rows: impl IntoIterator<Item = T>,
    equal: impl Fn(&T, &T) -> bool,
    (when, repeats): (impl Fn(&T) -> Moment, impl Fn(&mut T) -> &mut Option<Repeats>),
) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for row in rows {
        match found.iter_mut().find(|newer| equal(newer, &row)) {
            Some(newer) => {
                let before = repeats(newer).as_ref().map_or(1, |r| r.count);
                *repeats(newer) = Some(Repeats { count: before + 1, first: when(&row) });
            }
            None => found.push(row),
        }
    }
    found
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
