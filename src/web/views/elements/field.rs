//! A form field with its label, help and error.

/// One field of a form.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Name in the form; also its id.
    pub name: String,
    /// What stands above it.
    pub label: String,
    /// What stands below it.
    pub help: String,
    /// What was typed, or the default. Never a password.
    pub value: String,
    /// What is wrong with the value.
    pub error: Option<String>,
    /// Whether it must be filled in.
    pub required: bool,
    /// Whether it is shown but can't be changed.
    pub read_only: bool,
    /// `text`, `password`, `email`, `number`, `search`, `date`, `textarea`,
    /// `select`, `radios`, `checkboxes` or `checkbox`.
    pub kind: String,
    /// Value of the `autocomplete` attribute.
    pub autocomplete: String,
    /// Longest value, for the browser to enforce.
    pub max_length: Option<u32>,
    /// For `select`, `radios` and `checkboxes`.
    pub choices: Vec<Choice>,
    /// Values proposed for what is typed, with what each is.
    pub suggestions: Vec<Choice>,
    /// For `checkbox`.
    pub checked: bool,
    /// Whether names for machines are typed here: monospace, no spell check.
    pub code: bool,
    /// Whether the cursor starts here.
    pub focus: bool,
}

/// One choice of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// What it costs or means, after the label.
    pub note: String,
    /// Whether it is the chosen one.
    pub selected: bool,
    /// Why it can't be chosen.
    pub unavailable: Option<String>,
    /// What there is to know about it, in a list below a `select`, whose own lines are short.
    pub detail: String,
}

impl Choice {
    /// A choice, selected if its value is `chosen`.
    #[must_use]
    pub fn new(value: impl Into<String>, label: impl Into<String>, chosen: &str) -> Self {
        let value = value.into();
        Self { selected: value == chosen, value, label: label.into(), ..Self::default() }
    }

    /// Says what it costs or means.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Says what there is to know about it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Disables it, and says why.
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

    /// A line of text.
    #[must_use]
    pub fn text(name: &str, label: &str) -> Self {
        Self::of("text", name, label)
    }

    /// A name for machines: monospace, no spell check.
    #[must_use]
    pub fn code(name: &str, label: &str) -> Self {
        Self { code: true, ..Self::text(name, label) }
    }

    /// A search box.
    #[must_use]
    pub fn search(name: &str, label: &str) -> Self {
        Self::of("search", name, label)
    }

    /// A mail address.
    #[must_use]
    pub fn email(name: &str, label: &str) -> Self {
        Self::of("email", name, label)
    }

    /// A number.
    #[must_use]
    pub fn number(name: &str, label: &str) -> Self {
        Self::of("number", name, label)
    }

    /// A password; what was typed is never shown again.
    #[must_use]
    pub fn password(name: &str, label: &str) -> Self {
        Self::of("password", name, label)
    }

    /// A file.
    #[must_use]
    pub fn file(name: &str, label: &str) -> Self {
        Self::of("file", name, label)
    }

    /// Several lines of text.
    #[must_use]
    pub fn textarea(name: &str, label: &str) -> Self {
        Self::of("textarea", name, label)
    }

    /// One of several, folded.
    #[must_use]
    pub fn select(name: &str, label: &str, choices: Vec<Choice>) -> Self {
        Self { choices, ..Self::of("select", name, label) }
    }

    /// One of several, all in sight with what each costs.
    #[must_use]
    pub fn radios(name: &str, label: &str, choices: Vec<Choice>) -> Self {
        Self { choices, ..Self::of("radios", name, label) }
    }

    /// Any of several, all in sight; each sends its own value.
    #[must_use]
    pub fn checkboxes(name: &str, label: &str, choices: Vec<Choice>) -> Self {
        Self { choices, ..Self::of("checkboxes", name, label) }
    }

    /// Yes or no; sends `on`.
    #[must_use]
    pub fn checkbox(name: &str, label: &str, checked: bool) -> Self {
        Self { checked, ..Self::of("checkbox", name, label) }
    }

    /// Values proposed while one types; any other can be typed.
    #[must_use]
    pub fn suggestions(mut self, choices: Vec<Choice>) -> Self {
        self.suggestions = choices;
        self
    }

    /// What stands below it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// What was typed, or the default. Ignored for passwords.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        if self.kind != "password" {
            self.value = value.into();
        }
        self
    }

    /// What is wrong with it.
    #[must_use]
    pub fn error(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    /// Must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Shown but not to be changed.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Longest value.
    #[must_use]
    pub fn max_length(mut self, length: u32) -> Self {
        self.max_length = Some(length);
        self
    }

    /// Whether the cursor starts here.
    #[must_use]
    pub fn focus(mut self, focus: bool) -> Self {
        self.focus = focus;
        self
    }

    /// Lets the browser fill it in: `username`, `current-password` and so on.
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
            ids.push(format!("{}-error", self.name));
        }
        if !self.help.is_empty() {
            ids.push(format!("{}-help", self.name));
        }
        ids.join(" ")
    }

    /// Whether there is something to know about its choices, to be listed below it.
    #[must_use]
    pub fn has_details(&self) -> bool {
        self.choices.iter().any(|choice| !choice.detail.is_empty())
    }

    /// Whether the label says that the field may stay empty.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        !self.required
            && !self.read_only
            && !matches!(self.kind.as_str(), "select" | "radios" | "checkboxes" | "checkbox")
    }
}

/// Those of the fields that have an error, for the summary above a form.
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
