//! `/containers/new`: the form for a new database.

use askama::Template;

use super::frame::Frame;
use crate::web::views::Link;
use crate::web::views::elements::field::{Field, with_errors};
use crate::web::views::elements::parts::EngineCard;

/// The form for a new database; sent to `/containers`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/new.html")]
pub struct NewPage {
    /// The page frame.
    pub frame: Frame,
    /// The available engines, one of them selected.
    pub engines: Vec<EngineCard>,
    /// The selected engine; empty if none is available.
    pub engine: String,
    /// The image: a select named `image`.
    pub image: Field,
    /// The form for each image, where the extensions depend on it and nothing is scripted.
    pub versions: Vec<Link>,
    /// `name`, `dbname`, `dbuser`, `dbuserpass`.
    pub main: Vec<Field>,
    /// All other fields, under "More settings".
    pub more: Vec<Field>,
    /// Label of the button: "Create Postgres 17 database".
    pub button: String,
    /// "usually ready in 4 s".
    pub usually: Option<String>,
    /// Whether the form includes a dump file.
    pub from_dump: bool,
    /// The file field.
    pub upload: Option<Field>,
    /// The reference to a file uploaded earlier, and its name on the client.
    pub kept: Option<(String, String)>,
    /// The field that selects a database of the dump.
    pub source: Option<Field>,
    /// URL of the other form, without or with a dump file.
    pub other_href: String,
    /// Error in the form as a whole.
    pub problem: Option<String>,
}

impl NewPage {
    /// Fields with an error, in the order of the form.
    #[must_use]
    pub fn errors(&self) -> Vec<&Field> {
        with_errors(
            std::iter::once(&self.image).chain(&self.main).chain(&self.more).chain(&self.upload).chain(&self.source),
        )
    }

    /// Whether "More settings" starts expanded.
    #[must_use]
    pub fn more_open(&self) -> bool {
        !with_errors(&self.more).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_more_settings_opens_the_section() {
        let mut page = NewPage::default();
        assert!(!page.more_open());
        page.more.push(Field::text("memory", "Memory").error(Some("Too much.".into())));
        assert!(page.more_open());
        assert_eq!(page.errors().len(), 1);
    }
}
