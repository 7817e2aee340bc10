//! `/containers/new`: the form for a database.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::field::{Field, with_errors};
use crate::web::views::elements::parts::EngineCard;

/// The form for a new database; posts to `/containers`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/new.html")]
pub struct NewPage {
    /// What stands around it.
    pub frame: Frame,
    /// The engines on offer, one of them selected.
    pub engines: Vec<EngineCard>,
    /// The chosen engine; empty when nothing is on offer.
    pub engine: String,
    /// The choice of the image: a select named `image`.
    pub image: Field,
    /// `name`, `dbname`, `dbuser`, `dbuserpass`.
    pub main: Vec<Field>,
    /// The rest, under "More settings".
    pub more: Vec<Field>,
    /// What the button says: "Create Postgres 17 database".
    pub button: String,
    /// "usually ready in 4 s".
    pub usually: Option<String>,
    /// Whether it is the form with a file.
    pub from_dump: bool,
    /// The file.
    pub upload: Option<Field>,
    /// What stands for a file that was received before, and what its sender calls it.
    pub kept: Option<(String, String)>,
    /// Which database of the dump is wanted.
    pub source: Option<Field>,
    /// The form without, or with, a file.
    pub other_href: String,
    /// What is wrong with the form as a whole.
    pub problem: Option<String>,
}

impl NewPage {
    /// The fields with an error, in the order of the form.
    #[must_use]
    pub fn errors(&self) -> Vec<&Field> {
        with_errors(
            std::iter::once(&self.image).chain(&self.main).chain(&self.more).chain(&self.upload).chain(&self.source),
        )
    }

    /// Whether "More settings" starts open.
    #[must_use]
    pub fn more_open(&self) -> bool {
        !with_errors(&self.more).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_the_fold_opens_it() {
        let mut page = NewPage::default();
        assert!(!page.more_open());
        page.more.push(Field::text("memory", "Memory").error(Some("Too much.".into())));
        assert!(page.more_open());
        assert_eq!(page.errors().len(), 1);
    }
}
