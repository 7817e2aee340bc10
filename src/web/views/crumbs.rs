//! Breadcrumbs: the way from the start page to a page, shown above its title and derived from its URL.

use crate::web::urls;
use crate::web::views::elements::parts::Link;

/// What the parts of a URL are called. Other parts, such as ids, are not shown.
const WORDS: [(&str, &str); 28] = [
    ("backups", "Backups"),
    ("snapshots", "Snapshots"),
    ("metrics", "Metrics"),
    ("logs", "Logs"),
    ("settings", "Settings"),
    ("restore", "Restore"),
    ("in-place", "Restore in place"),
    ("delete", "Delete"),
    ("purge", "Delete permanently"),
    ("rotate-password", "New password"),
    ("password", "Password"),
    ("clone", "Clone"),
    ("reset", "Reset"),
    ("refresh", "Refresh"),
    ("promote", "Promote"),
    ("upgrade", "Upgrade"),
    ("extend", "Extend"),
    ("from-dump", "From a dump"),
    ("prune", "Removal preview"),
    ("find", "Unregistered backups"),
    ("users", "Users"),
    ("containers", "All databases"),
    ("jobs", "Jobs"),
    ("states", "States"),
    ("contents", "Contents"),
    ("log", "Log"),
    ("storage", "Storage"),
    ("system", "System"),
];

/// Parts of a URL that are pages themselves, with pages below them.
const PAGES: [&str; 3] = ["backups", "snapshots", "users"];

/// The way to the page at `here`. `nav` is its item in the navigation, which tells one's own databases from those of
/// others; `parent` is a page that the URL does not name, such as the database of a job, or the title of a help page.
pub(super) fn crumbs(here: &str, nav: &str, parent: Option<&Link>) -> Vec<Link> {
    let path = here.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let own = Link::new("My databases", "/");
    let admin = Link::new("Administration", "/admin");
    let databases = match nav {
        "home" => vec![own.clone()],
        _ => vec![admin.clone(), Link::new("All databases", "/admin/containers")],
    };
    let templates = Link::new("Templates", urls::TEMPLATES);
    let left = Link::new("Backups of deleted databases", "/backups");
    match parts.as_slice() {
        ["containers"] | ["containers", "new"] => ended(vec![own], "New database"),
        ["containers", "new", ..] => ended(vec![own, Link::new("New database", "/containers/new")], "From a dump"),
        ["containers", name] => ended(databases, name),
        // They belong to the backups, although they have the URL of a snapshot.
        ["containers", name, "snapshots", ..] if parent.is_some() => {
            let way = [databases, vec![Link::new(*name, urls::database(name))]].concat();
            ended(way.into_iter().chain(parent.cloned()).collect(), "Previous data")
        }
        ["containers", name, rest @ ..] => {
            let base = urls::database(name);
            words([databases, vec![Link::new(*name, &base)]].concat(), &base, rest)
        }
        ["templates", "from-dump"] => ended(vec![templates], "From a dump"),
        ["templates", name] => ended(vec![templates], name),
        ["templates", name, rest @ ..] => words(vec![templates, Link::new(*name, urls::template(name))], "", rest),
        ["backups"] => ended(vec![own], &left.label),
        ["backups", rest @ ..] => words(vec![own, left], "", rest),
        ["jobs", ..] if nav == "templates" => ended([templates].into_iter().chain(parent.cloned()).collect(), "Job"),
        ["jobs", ..] => ended(databases.into_iter().chain(parent.cloned()).collect(), "Job"),
        ["docs", _] => {
            let here = parent.map_or("", |page| page.label.as_str());
            ended(vec![Link::new("Help", urls::docs("first-steps"))], here)
        }
        ["admin", "users", _, rest @ ..] => {
            let users = vec![admin, Link::new("Users", "/admin/users")];
            match (rest, parent) {
                ([], Some(account)) => ended(users, &account.label),
                ([], None) => ended(users, "Account"),
                (rest, account) => words(users.into_iter().chain(account.cloned()).collect(), "", rest),
            }
        }
        ["admin", "backups", id] if word(id).is_none() => {
            ended(vec![admin, Link::new("Backups", "/admin/backups")], "Backup")
        }
        ["admin", first, rest @ ..] => words(vec![admin], "/admin", &[&[*first][..], rest].concat()),
        _ => Vec::new(),
    }
}

/// The way with the current page at its end.
fn ended(mut way: Vec<Link>, here: &str) -> Vec<Link> {
    way.push(Link { label: here.to_owned(), href: String::new(), current: true });
    way
}

/// The way with the pages that these parts of a URL below `base` name.
fn words(mut way: Vec<Link>, base: &str, parts: &[&str]) -> Vec<Link> {
    let named: Vec<(&str, &str)> = parts.iter().filter_map(|part| Some((*part, word(part)?))).collect();
    let Some(((_, here), before)) = named.split_last() else { return way };
    let pages = before.iter().filter(|(part, _)| PAGES.contains(part));
    way.extend(pages.map(|(part, word)| Link::new(*word, format!("{base}/{part}"))));
    ended(way, here)
}

fn word(part: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| *known == part).map(|(_, word)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(here: &str, nav: &str) -> String {
        let one = |l: &Link| if l.current { l.label.clone() } else { format!("{} <{}>", l.label, l.href) };
        crumbs(here, nav, None).iter().map(one).collect::<Vec<_>>().join(" › ")
    }

    #[test]
    fn breadcrumbs_lead_from_the_list_to_the_page() {
        let id = "00000000-0000-7000-8000-000000000000";
        for (here, nav, way) in [
            ("/", "home", String::new()),
            ("/admin?x=1", "admin", String::new()),
            ("/account", "account", String::new()),
            ("/containers", "new", "My databases </> › New database".to_owned()),
            ("/containers/new?engine=neo4j", "new", "My databases </> › New database".to_owned()),
            (
                "/containers/new/from-dump",
                "new",
                "My databases </> › New database </containers/new> › From a dump".to_owned(),
            ),
            // The name of a database is not a word.
            ("/containers/logs", "home", "My databases </> › logs".to_owned()),
            ("/containers/lab", "home", "My databases </> › lab".to_owned()),
            ("/containers/lab/logs?lines=100", "home", "My databases </> › lab </containers/lab> › Logs".to_owned()),
            (
                "/containers/lab",
                "admin-containers",
                "Administration </admin> › All databases </admin/containers> › lab".to_owned(),
            ),
            ("/templates/shop", "templates", "Templates </templates> › shop".to_owned()),
            ("/templates", "templates", String::new()),
            ("/admin/users", "admin-users", "Administration </admin> › Users".to_owned()),
            ("/nothing/here", "", String::new()),
        ] {
            assert_eq!(told(here, nav), way, "{here}");
        }
        let help = crumbs("/docs/backups", "docs", Some(&Link::new("Backups", "")));
        assert_eq!(help.iter().map(|l| l.label.as_str()).collect::<Vec<_>>(), ["Help", "Backups"]);
        assert_eq!(
            told(&format!("/containers/lab/backups/{id}/restore"), "home"),
            "My databases </> › lab </containers/lab> › Backups </containers/lab/backups> › Restore"
        );
        let below = |here: &str, nav: &str, parent: Link| {
            crumbs(here, nav, Some(&parent)).iter().map(|l| l.label.clone()).collect::<Vec<_>>().join(" › ")
        };
        let ada = || Link::new("ada", "/x");
        assert_eq!(below(&format!("/admin/users/{id}"), "admin-users", ada()), "Administration › Users › ada");
        assert_eq!(
            below(&format!("/admin/users/{id}/delete"), "admin-users", ada()),
            "Administration › Users › ada › Delete"
        );
        let previous = format!("/containers/lab/snapshots/{id}/restore");
        assert_eq!(
            below(&previous, "home", Link::new("Backups", "/x")),
            "My databases › lab › Backups › Previous data"
        );
        assert_eq!(
            told(&previous, "home"),
            "My databases </> › lab </containers/lab> › Snapshots </containers/lab/snapshots> › Restore"
        );
    }
}
