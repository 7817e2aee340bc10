//! What stands around every page: brand, navigation, banners, who is signed in.

use crate::web::views::elements::parts::Link;

/// The frame of a page. [`Frame::default`] is that of a page shown to nobody
/// in particular; an error page can use it when nothing else is known.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Name of the portal; empty means "DB4SCI".
    pub brand: String,
    /// Address of the logo from configuration; ours when `None`.
    pub logo: Option<String>,
    /// Whether configuration sets an accent, so that `/branding.css` is linked.
    pub has_accent: bool,
    /// Whom to ask: a mail address or a sentence.
    pub contact: Option<String>,
    /// Links of the footer, from configuration.
    pub links: Vec<Link>,
    /// A sentence for everyone, from configuration.
    pub notice: Option<String>,
    /// Id of this portal among others on the same machine.
    pub instance: String,
    /// `Some("development")` in dev mode, `None` in prod.
    pub mode: Option<String>,
    /// Version of the portal.
    pub version: String,
    /// Changes whenever a static file changes; appended to their addresses.
    pub assets: String,
    /// Who is signed in.
    pub user: Option<String>,
    /// Whether the admin pages are in the navigation.
    pub is_admin: bool,
    /// The current item: `home`, `new`, `docs`, `account`, `admin`,
    /// `admin-containers`, `admin-states`, `admin-backups`, `admin-log`, `admin-jobs`,
    /// `admin-users`, `admin-storage`, `admin-system`.
    pub nav: String,
    /// `auto`, `light` or `dark`; empty means `auto`.
    pub theme: String,
    /// Path and query of this page: where the theme form comes back to.
    pub here: String,
    /// Why nothing can be changed now, while the portal is read-only.
    pub read_only: Option<String>,
    /// The outcome of the last action.
    pub flash: Option<Flash>,
    /// Id of the request, shown small in the footer and large on error pages.
    pub request_id: Option<String>,
}

impl Frame {
    /// The name people see.
    #[must_use]
    pub fn brand_name(&self) -> &str {
        if self.brand.is_empty() { "DB4SCI" } else { &self.brand }
    }

    /// The chosen theme, one of `auto`, `light` and `dark`.
    #[must_use]
    pub fn theme_name(&self) -> &str {
        match self.theme.as_str() {
            "light" => "light",
            "dark" => "dark",
            _ => "auto",
        }
    }

    /// The value of `aria-current` for a navigation item.
    #[must_use]
    pub fn current(&self, item: &str) -> &'static str {
        if self.nav == item { "page" } else { "false" }
    }

    /// Where the theme form comes back to.
    #[must_use]
    pub fn back(&self) -> &str {
        if self.here.is_empty() { "/" } else { &self.here }
    }

    /// Whether the contact is a plain mail address, to be linked as one.
    #[must_use]
    pub fn contact_is_mail(&self) -> bool {
        self.contact.as_deref().is_some_and(|contact| contact.contains('@') && !contact.contains(char::is_whitespace))
    }
}

/// The outcome of the last action, shown once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flash {
    /// `ok`, `warn` or `bad`.
    pub kind: String,
    /// One sentence.
    pub text: String,
}

impl Flash {
    /// Something worked.
    #[must_use]
    pub fn ok(text: impl Into<String>) -> Self {
        Self::new("ok", text)
    }

    /// Something needs a look.
    #[must_use]
    pub fn warn(text: impl Into<String>) -> Self {
        Self::new("warn", text)
    }

    /// Something did not work.
    #[must_use]
    pub fn bad(text: impl Into<String>) -> Self {
        Self::new("bad", text)
    }

    fn new(kind: &str, text: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_frame_still_has_a_name_a_theme_and_a_way_back() {
        let frame = Frame::default();
        assert_eq!(frame.brand_name(), "DB4SCI");
        assert_eq!(frame.theme_name(), "auto");
        assert_eq!(frame.back(), "/");
    }

    #[test]
    fn an_unknown_theme_is_auto() {
        let frame = Frame { theme: "\"><script>".into(), ..Frame::default() };
        assert_eq!(frame.theme_name(), "auto");
    }

    #[test]
    fn only_an_address_is_linked_as_one() {
        let mut frame = Frame { contact: Some("help@example.org".into()), ..Frame::default() };
        assert!(frame.contact_is_mail());
        frame.contact = Some("write to help@example.org".into());
        assert!(!frame.contact_is_mail());
    }
}
