//! A form field with its label, help and error.

use crate::domain::names::NameRules;

/// One field of a form.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Name in the form; also its id, after `prefix`.
    pub name: String,
    /// Distinguishes its id from that of a field of the same name in another form on the page.
    pub prefix: String,
    /// Label above the field.
    pub label: String,
    /// Help text below the field.
    pub help: String,
    /// The typed value, or the default. Never a password.
    pub value: String,
    /// Error in the value.
    pub error: Option<String>,
    /// Whether a value is required.
    pub required: bool,
    /// Whether it is shown but cannot be changed.
    pub read_only: bool,
    /// `text`, `password`, `email`, `number`, `search`, `date`, `textarea`,
    /// `select`, `radios`, `checkboxes` or `checkbox`.
    pub kind: String,
    /// Value of the `autocomplete` attribute.
    pub autocomplete: String,
    /// Maximum length, enforced by the browser.
    pub max_length: Option<u32>,
    /// For `select`, `radios` and `checkboxes`.
    pub choices: Vec<Choice>,
    /// Suggested values, each with its label.
    pub suggestions: Vec<Choice>,
    /// For `checkbox`.
    pub checked: bool,
    /// Whether the value is an identifier: monospace, no spell checking.
    pub code: bool,
    /// Whether the field has the focus when the page opens.
    pub focus: bool,
    /// Set if an empty value is derived from the field `name`: the names and prefixes that cannot be used as they are.
    pub derived: Option<(String, String)>,
}

/// One choice of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The value sent.
    pub value: String,
    /// The displayed label.
    pub label: String,
    /// Its cost or meaning, after the label.
    pub note: String,
    /// Whether it is selected.
    pub selected: bool,
    /// Why it cannot be selected.
    pub unavailable: Option<String>,
    /// Details, listed below a `select`, whose own lines are short.
    pub detail: String,
}

impl Choice {
    /// A choice, selected if its value is `chosen`.
    #[must_use]
    pub fn new(value: impl Into<String>, label: impl Into<String>, chosen: &str) -> Self {
        let value = value.into();
        Self { selected: value == chosen, value, label: label.into(), ..Self::default() }
    }

    /// Sets its cost or meaning.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Sets its details.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Disables it for this reason.
    #[must_use]
    pub fn unavailable(mut self, reason: Option<String>) -> Self {
        self.unavailable = reason;
        self
    }
}

impl Field {
    fn of(kind: &str, name: &str, label: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            label: label.to_owned(),
            autocomplete: "off".to_owned(),
            ..Self::default()
        }
    }

    /// A single-line text field.
    #[must_use]
    pub fn text(name: &str, label: &str) -> Self {
        Self::of("text", name, label)
    }

    /// A field for an identifier: monospace, no spell checking.
    #[must_use]
    pub fn code(name: &str, label: &str) -> Self {
        Self { code: true, ..Self::text(name, label) }
    }

    /// A search field.
    #[must_use]
    pub fn search(name: &str, label: &str) -> Self {
        Self::of("search", name, label)
    }

    /// An e-mail field.
    #[must_use]
    pub fn email(name: &str, label: &str) -> Self {
        Self::of("email", name, label)
    }

    /// A number field.
    #[must_use]
    pub fn number(name: &str, label: &str) -> Self {
        Self::of("number", name, label)
    }

    /// A password field; its value is never shown again.
    #[must_use]
    pub fn password(name: &str, label: &str) -> Self {
        Self::of("password", name, label)
    }

    /// A file field.
    #[must_use]
    pub fn file(name: &str, label: &str) -> Self {
        Self::of("file", name, label)
    }

    /// A multi-line text field.
    #[must_use]
    pub fn textarea(name: &str, label: &str) -> Self {
        Self::of("textarea", name, label)
    }

    /// One of several choices, as a drop-down list.
    #[must_use]
    pub fn select(name: &str, label: &str, choices: Vec<Choice>) -> Self {
        Self { choices, ..Self::of("select", name, label) }
    }

    /// One of several choices, all visible with their costs.
    #[must_use]
    pub fn radios(name: &str, label: &str, choices: Vec<Choice>) -> Self {
        Self { choices, ..Self::of("radios", name, label) }
    }

    /// Any of several choices, all visible; each sends its own value.
    #[must_use]
    pub fn checkboxes(name: &str, label: &str, choices: Vec<Choice>) -> Self {
        Self { choices, ..Self::of("checkboxes", name, label) }
    }

    /// Yes or no; sends `on`.
    #[must_use]
    pub fn checkbox(name: &str, label: &str, checked: bool) -> Self {
        Self { checked, ..Self::of("checkbox", name, label) }
    }

    /// Sets the values suggested while typing; any other value can be typed too.
    #[must_use]
    pub fn suggestions(mut self, choices: Vec<Choice>) -> Self {
        self.suggestions = choices;
        self
    }

    /// Marks a name that is derived from the field `name` if it is left empty, within these rules.
    #[must_use]
    pub fn derived(self, rules: &NameRules) -> Self {
        let derived = Some((rules.reserved.join(" "), rules.reserved_prefixes.join(" ")));
        Self { derived, ..self.max_length(u32::try_from(rules.max_bytes).unwrap_or(63)) }
    }

    /// Whether there are so many choices that they are shown as a compact list with a filter.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.kind == "checkboxes" && self.choices.len() > 6
    }

    /// Sets the help text.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Sets the typed value or the default. Ignored for passwords.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        if self.kind != "password" {
            self.value = value.into();
        }
        self
    }

    /// Sets the error.
    #[must_use]
    pub fn error(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    /// Makes the field required.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Sets whether the field is read-only.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Sets the maximum length.
    #[must_use]
    pub fn max_length(mut self, length: u32) -> Self {
        self.max_length = Some(length);
        self
    }

    /// Sets whether the field has the focus when the page opens.
    #[must_use]
    pub fn focus(mut self, focus: bool) -> Self {
        self.focus = focus;
        self
    }

    /// Lets the browser fill in the field: `username`, `current-password` and so on.
    #[must_use]
    pub fn autocomplete(mut self, hint: &str) -> Self {
        hint.clone_into(&mut self.autocomplete);
        self
    }

    /// Ids of the help and error texts, for `aria-describedby`.
    #[must_use]
    pub fn described_by(&self) -> String {
        let mut ids = Vec::new();
        if self.error.is_some() {
            ids.push(format!("{}-error", self.id()));
        }
        if !self.help.is_empty() {
            ids.push(format!("{}-help", self.id()));
        }
        ids.join(" ")
    }

    /// Its id on the page.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}{}", self.prefix, self.name)
    }

    /// Whether any choice has details, to be listed below the field.
    #[must_use]
    pub fn has_details(&self) -> bool {
        self.choices.iter().any(|choice| !choice.detail.is_empty())
    }

    /// Whether the label marks the field as optional.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        !self.required
            && !self.read_only
            && !matches!(self.kind.as_str(), "select" | "radios" | "checkboxes" | "checkbox")
    }
}

/// The fields that have an error, for the summary above a form.
#[must_use]
pub fn with_errors<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Vec<&'a Field> {
    fields.into_iter().filter(|field| field.error.is_some()).collect()
}

#[cfg(test)]
mod tests {
    use crate::web::views::elements::field::*;

    #[test]
    fn a_password_is_never_kept() {
        let field = Field::password("dbuserpass", "Password").value("secret");
        assert_eq!(field.value, "");
    }

    #[test]
    fn help_and_error_describe_the_field() {
        let field = Field::text("name", "Name").help("Letters.");
        assert_eq!(field.described_by(), "name-help");
        let field = field.error(Some("Taken.".into()));
        assert_eq!(field.described_by(), "name-error name-help");
        assert_eq!(with_errors([&field]).len(), 1);
    }
}
