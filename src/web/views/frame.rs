//! The frame of all pages: brand, navigation, banners, signed-in user.

use crate::web::urls;
use crate::web::views::crumbs::crumbs;
use crate::web::views::elements::parts::Link;

/// The frame of a page. [`Frame::default`] is the frame of a page for an anonymous user; an error page can use it if
/// nothing else is known.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Name of the portal; empty means "DB4SCI".
    pub brand: String,
    /// URL of the configured logo; `None` for the default logo.
    pub logo: Option<String>,
    /// URL of the configured icon; `None` for the default icon.
    pub favicon: Option<String>,
    /// Whether an accent colour is configured, so that `/branding.css` is linked.
    pub has_accent: bool,
    /// Contact for questions: an e-mail address or a sentence.
    pub contact: Option<String>,
    /// Configured footer links.
    pub links: Vec<Link>,
    /// Configured notice for all users.
    pub notice: Option<String>,
    /// Instance id, which distinguishes portals on the same host.
    pub instance: String,
    /// `Some("development")` in dev mode, `None` in prod.
    pub mode: Option<String>,
    /// Version of the portal.
    pub version: String,
    /// Version of the static files; appended to their URLs.
    pub assets: String,
    /// The signed-in user.
    pub user: Option<String>,
    /// Whether the navigation includes the administration pages.
    pub is_admin: bool,
    /// The current navigation item: `home`, `new`, `templates`, `docs`, `account`, `admin`, `admin-containers`, `admin-states`,
    /// `admin-backups`, `admin-contents`, `admin-log`, `admin-jobs`, `admin-users`, `admin-storage`, `admin-system`. Empty on
    /// the page of an error.
    pub nav: String,
    /// `auto`, `light` or `dark`; empty means `auto`.
    pub theme: String,
    /// A page that belongs to the way here but not to the URL; on help pages their title.
    pub parent: Option<Link>,
    /// Path and query of this page, to which the theme form returns.
    pub here: String,
    /// Whether this page answers a form. Its address cannot be fetched again.
    pub is_answer: bool,
    /// Why nothing can be changed, if the portal is read-only.
    pub read_only: Option<String>,
    /// Result of the last action.
    pub flash: Option<Flash>,
    /// Request id, small in the footer and large on error pages.
    pub request_id: Option<String>,
}

impl Frame {
    /// The displayed name.
    #[must_use]
    pub fn brand_name(&self) -> &str {
        if self.brand.is_empty() { "DB4SCI" } else { &self.brand }
    }

    /// The selected theme: `auto`, `light` or `dark`.
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

    /// The path to which the theme form returns.
    #[must_use]
    pub fn back(&self) -> &str {
        if self.here.is_empty() { "/" } else { &self.here }
    }

    /// The way from the start page to this one; empty for pages of the navigation and errors, and for visitors except on
    /// help pages.
    #[must_use]
    pub fn crumbs(&self) -> Vec<Link> {
        if self.nav.is_empty() || (self.user.is_none() && self.nav != "docs") {
            return Vec::new();
        }
        crumbs(&self.here, &self.nav, self.parent.as_ref())
    }

    /// The stream that says when this page has changed; `None` for pages that do not change by themselves.
    #[must_use]
    pub fn live(&self) -> Option<String> {
        let path = self.here.split(['?', '#']).next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if self.nav.is_empty() || self.user.is_none() || self.is_answer {
            return None;
        }
        match parts.as_slice() {
            [] => Some(urls::LIST_EVENTS.to_owned()),
            ["containers", name, ..] if *name != "new" => Some(urls::database_events(name)),
            ["templates"] => Some(urls::TEMPLATES_EVENTS.to_owned()),
            ["templates", name] if *name != "from-dump" => Some(urls::TEMPLATES_EVENTS.to_owned()),
            ["admin", ..] => Some(urls::PORTAL_EVENTS.to_owned()),
            _ => None,
        }
    }

    /// The list in which the field at the top searches.
    #[must_use]
    pub fn databases(&self) -> &'static str {
        if self.is_admin { "/admin/containers" } else { "/" }
    }

    /// Whether the contact is a plain e-mail address, which is then linked.
    #[must_use]
    pub fn contact_is_mail(&self) -> bool {
        self.contact.as_deref().is_some_and(|contact| contact.contains('@') && !contact.contains(char::is_whitespace))
    }
}

/// The result of the last action, shown once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flash {
    /// `ok`, `warn` or `bad`.
    pub kind: String,
    /// One sentence.
    pub text: String,
}

impl Flash {
    /// The action succeeded.
    #[must_use]
    pub fn ok(text: impl Into<String>) -> Self {
        Self::new("ok", text)
    }

    /// The action succeeded, but something needs attention.
    #[must_use]
    pub fn warn(text: impl Into<String>) -> Self {
        Self::new("warn", text)
    }

    /// The action failed.
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
    fn a_default_frame_has_a_name_a_theme_and_a_return_path() {
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
    fn a_page_listens_to_matching_events() {
        let live = |here: &str| {
            let (user, nav) = (Some("ada".to_owned()), "home".to_owned());
            Frame { user, nav, here: here.to_owned(), ..Frame::default() }.live()
        };
        assert_eq!(live("/?sort=loss").as_deref(), Some("/events"));
        assert_eq!(live("/containers/lab/backups?x").as_deref(), Some("/containers/lab/events"));
        assert_eq!(live("/admin/jobs").as_deref(), Some("/admin/events"));
        assert_eq!(live("/templates?database=lab").as_deref(), Some("/events/templates"));
        assert_eq!(live("/templates/shop").as_deref(), Some("/events/templates"));
        for still in
            ["/containers/new", "/containers/new/from-dump", "/templates/from-dump", "/docs/backups", "/account"]
        {
            assert_eq!(live(still), None, "{still}");
        }
        assert_eq!(Frame { here: "/".to_owned(), ..Frame::default() }.live(), None, "for visitors");
        let (user, nav, here) = (Some("ada".to_owned()), "home".to_owned(), "/".to_owned());
        assert_eq!(Frame { user, nav, here, is_answer: true, ..Frame::default() }.live(), None, "for answers to forms");
    }

    #[test]
    fn only_an_email_address_is_linked_as_one() {
        let mut frame = Frame { contact: Some("help@example.org".into()), ..Frame::default() };
        assert!(frame.contact_is_mail());
        frame.contact = Some("write to help@example.org".into());
        assert!(!frame.contact_is_mail());
    }
}
