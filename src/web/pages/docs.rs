//! `/docs/{page}`: user help, written in Markdown under `docs/user/`.

use axum::extract::Path;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::config::Config;
use crate::web::api::openapi::reference;
use crate::web::context::{Context, page, to};
use crate::web::error::AppError;
use crate::web::urls;
use crate::web::views::docs::DocsPage;
use crate::web::views::elements::format::every_text;
use crate::web::views::{Frame, Link};

#[derive(rust_embed::RustEmbed)]
#[folder = "docs/user/"]
struct Texts;

/// The pages, in the order of the list. A test checks that every file is included.
const PAGES: &[&str] = &[
    "first-steps",
    "connecting",
    "postgres",
    "mariadb",
    "mongodb",
    "neo4j",
    "backups",
    "copies",
    "templates",
    "limits",
    "api",
    "deleting",
    "questions",
];

/// The page that says what has changed in the portal, after all others.
const CHANGES: &str = "changes";

/// All pages, in the order of the list.
fn pages() -> impl Iterator<Item = &'static str> {
    PAGES.iter().copied().chain([CHANGES])
}

/// The Markdown of a page, if it exists.
fn text(name: &str) -> Option<String> {
    if name == CHANGES {
        return Some(include_str!("../../../CHANGELOG.md").to_owned());
    }
    PAGES.contains(&name).then_some(())?;
    let file = Texts::get(&format!("{name}.md"))?;
    let text = String::from_utf8_lossy(&file.data).into_owned();
    Some(if name == "api" { with_reference(&text) } else { text })
}

/// The page of the API with its operations and objects.
fn with_reference(text: &str) -> String {
    text.replace("@OPERATIONS@", &reference::operations()).replace("@OBJECTS@", &reference::objects())
}

/// The values of the placeholders (`@NAME@`) in the pages, taken from the configuration of this portal.
fn values(config: &Config, portal: &str) -> [(&'static str, String); 12] {
    let limits = &config.limits;
    [
        ("@PORTAL@", portal.to_owned()),
        ("@API@", api_command(config.mode.makes_own_secrets()).to_owned()),
        ("@HOST@", config.databases.host.clone()),
        ("@TRASH_DAYS@", config.trash_days.to_string()),
        ("@MEMORY_DEFAULT@", limits.memory_default.to_string()),
        ("@MEMORY_MAX@", limits.memory_max.to_string()),
        ("@CPUS_DEFAULT@", limits.cpus_default.to_string()),
        ("@CPUS_MAX@", limits.cpus_max.to_string()),
        ("@PIDS@", limits.pids.to_string()),
        ("@PER_USER@", limits.containers_per_user.to_string()),
        ("@USAGE_EVERY@", every_text(config.jobs.usage.as_secs().div_ceil(60))),
        ("@SURVEY_EVERY@", every_text(config.jobs.survey.as_secs().div_ceil(60))),
    ]
}

/// The shell function of the examples for the API. `own`: the portal's certificate is issued by its own authority, which
/// clients do not know.
fn api_command(own: bool) -> &'static str {
    if own {
        "curl -fsSk \"$PORTAL/ca.pem\" -o ca.pem\napi() { curl -sS --cacert ca.pem -H \"Authorization: Bearer $TOKEN\" \"$@\"; }"
    } else {
        "api() { curl -sS -H \"Authorization: Bearer $TOKEN\" \"$@\"; }"
    }
}

fn fill(mut text: String, values: &[(&str, String)]) -> String {
    for (name, value) in values {
        text = text.replace(name, value);
    }
    text
}

/// Converts Markdown to a title and HTML. The title is the `h1`, which the HTML omits. HTML tags in the Markdown are
/// escaped, never passed through.
fn render(markdown: &str) -> (String, String) {
    let (mut title, mut in_title) = (String::new(), false);
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    let events = Parser::new_ext(markdown, options).filter_map(|event| match event {
        Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => {
            in_title = true;
            None
        }
        Event::End(TagEnd::Heading(HeadingLevel::H1)) => {
            in_title = false;
            None
        }
        Event::Text(part) | Event::Code(part) if in_title => {
            title.push_str(&part);
            None
        }
        _ if in_title => None,
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        other => Some(other),
    });
    let mut body = String::new();
    html::push_html(&mut body, events);
    // Otherwise a long line or a wide table cannot be scrolled with the keyboard.
    let body = body.replace("<pre><code", "<pre tabindex=\"0\" role=\"group\" aria-label=\"Example\"><code");
    let table = "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table>";
    (title, body.replace("<table>", table).replace("</table>", "</table></div>"))
}

/// Only the title, for the list of pages.
fn title(markdown: &str) -> String {
    markdown.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default().trim().to_owned()
}

/// `GET /docs`
pub async fn index() -> Response {
    to(&format!("/docs/{}", PAGES.first().unwrap_or(&"")), None)
}

/// `GET /docs/{page}`
pub async fn show(ctx: Context, Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Result<Response, AppError> {
    let config = &ctx.app().config;
    let portal = urls::portal(config.server.public_url.as_deref(), &uri, &headers);
    let markdown = fill(text(&name).ok_or(AppError::NotFound)?, &values(config, &portal));
    let (title_here, body) = render(&markdown);
    let pages = pages().filter_map(|p| Some(Link::new(title(&text(p)?), urls::docs(p)).current(p == name)));
    let frame = Frame { parent: Some(Link::new(&title_here, "")), ..ctx.frame("docs") };
    page(&DocsPage { frame, title: title_here, pages: pages.collect(), body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::engine::EngineKind;
    use crate::web::routes::ROUTES;

    /// All link and image URLs of a text.
    fn links(markdown: &str) -> Vec<String> {
        Parser::new_ext(markdown, Options::ENABLE_TABLES)
            .filter_map(|event| match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn every_help_file_is_listed_and_every_page_exists() {
        let mut files: Vec<_> = Texts::iter().map(std::borrow::Cow::into_owned).collect();
        let mut listed: Vec<_> = PAGES.iter().map(|p| format!("{p}.md")).collect();
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
        for page in PAGES {
            let markdown = text(page).unwrap();
            let (shown, body) = render(&markdown);
            assert_eq!(shown, title(&markdown), "{page}");
            assert!(!shown.is_empty() && !body.contains("<h1"), "{page}");
            assert!(!markdown.contains('!'), "{page}: no exclamation marks");
        }
    }

    #[test]
    fn every_engine_has_a_page() {
        for engine in EngineKind::ALL {
            assert!(text(engine.as_str()).is_some(), "{engine}");
        }
    }

    /// Whether a page has a heading with this anchor.
    fn page_has(page: &str, anchor: &str) -> bool {
        text(page).is_some_and(|markdown| render(&markdown).1.contains(&format!(" id=\"{anchor}\"")))
    }

    #[test]
    fn every_link_leads_somewhere() {
        for page in PAGES {
            for link in links(&text(page).unwrap()) {
                let known = match link.strip_prefix("/docs/") {
                    Some(name) => PAGES.contains(&name),
                    None if link.starts_with('#') => page_has(page, link.trim_start_matches('#')),
                    None if link.starts_with('/') => ROUTES.iter().any(|r| r.method == "GET" && r.path == link),
                    None => link.starts_with("https://"),
                };
                assert!(known, "{page} links to {link}");
            }
        }
    }

    #[test]
    fn every_placeholder_has_a_value() {
        let env = [("DB4SCI_MODE".to_owned(), "dev".to_owned())];
        let config = Config::load(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), &env).unwrap();
        for page in PAGES {
            let filled = fill(text(page).unwrap(), &values(&config, "https://portal.example.org"));
            let left = filled
                .split('@')
                .find(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
            assert_eq!(left, None, "{page}");
        }
    }

    #[test]
    fn tags_in_markdown_are_text() {
        let (title, body) = render(
            "# A `b` c\n\n## D {#d}\n\n<script>alert(1)</script>\n\nx <b>y</b>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        );
        assert_eq!(title, "A b c");
        let code = render("```\nx\n```").1;
        assert!(
            code.starts_with("<pre tabindex=\"0\" role=\"group\" aria-label=\"Example\"><code>"),
            "it can be scrolled"
        );
        assert!(!body.contains("<script") && !body.contains("<b>"), "{body}");
        assert!(body.contains("<h2 id=\"d\">D</h2>"), "a heading can be linked to: {body}");
        assert!(body.contains("&lt;script&gt;") && body.contains("<table>"), "{body}");
    }

    #[test]
    fn the_last_page_is_the_change_log() {
        assert_eq!(pages().last(), Some(CHANGES));
        let (shown, body) = render(&text(CHANGES).unwrap());
        assert_eq!(shown, "Changes");
        assert!(body.contains("<h2>Unreleased</h2>") && !body.contains("<h1"), "{body}");
    }
}
