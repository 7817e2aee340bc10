//! Lists all pages, including those reached only through a form.

use super::driver::Browser;
use super::fill::{
    DELETING, FAILED, IN_WORK, KEPT_BACK, LONG, OWNER, SAVING, STOPPED, TRASHED, account_of, aside_of, backup_of, fill,
    job_of, quiet_portal,
};
use crate::support::TestPortal;

/// How a page is reached.
pub enum Way {
    /// By its address.
    Open,
    /// By its address, with all folds opened.
    Unfold,
    /// By its address, with this menu opened.
    Menu(&'static str),
    /// By a form on it: fields to fill in, then the button.
    Submit(&'static [(&'static str, &'static str)], &'static str),
}

/// A stop of the tour.
pub struct Stop {
    /// Name of its screenshot.
    pub name: &'static str,
    /// Who opens it.
    pub as_whom: &'static str,
    /// Its path.
    pub path: String,
    /// How it is reached.
    pub way: Way,
    /// Whether the response is an error, which the browser logs.
    pub error: bool,
}

/// A portal with an owner of many databases, one of which has a server, and a user without databases.
pub struct Tour {
    /// The portal.
    pub portal: TestPortal,
    /// The stops, grouped by user.
    pub stops: Vec<Stop>,
}

/// Password of the researchers.
pub const PASSWORD: &str = "researcher-1";
/// The database that has a server.
pub const REAL: &str = "proteomics-atlas";

fn stop(name: &'static str, as_whom: &'static str, path: impl Into<String>) -> Stop {
    Stop { name, as_whom, path: path.into(), way: Way::Open, error: false }
}

fn wrong(name: &'static str, as_whom: &'static str, path: impl Into<String>) -> Stop {
    Stop { error: true, ..stop(name, as_whom, path) }
}

fn of(database: &str, page: &str) -> String {
    format!("/containers/{database}{page}")
}

fn visitors() -> Vec<Stop> {
    let submit = Way::Submit(&[("username", "ada"), ("password", "not-her-password")], "Sign in");
    vec![
        stop("login", "", "/login"),
        Stop { way: submit, ..wrong("login-wrong", "", "/login") },
        stop("docs-signed-out", "", "/docs/first-steps"),
    ]
}

fn newcomers() -> Vec<Stop> {
    let who = "newcomer";
    vec![
        stop("home-empty", who, "/"),
        Stop { way: Way::Unfold, ..stop("new", who, "/containers/new?engine=postgres") },
        stop("new-from-dump", who, "/containers/new/from-dump?engine=postgres"),
        Stop { way: Way::Unfold, ..stop("new-mongodb", who, "/containers/new?engine=mongodb") },
        stop("account-empty", who, "/account"),
        wrong("not-found", who, "/containers/of-somebody-else"),
        wrong("forbidden", who, "/admin"),
    ]
}

fn owners(portal: &TestPortal) -> Vec<Stop> {
    let taken: &[(&str, &str)] =
        &[("name", "Bad Name!"), ("dbname", "postgres"), ("dbuser", "ada"), ("dbuserpass", "short")];
    vec![
        stop("home-full", OWNER, "/"),
        Stop { way: Way::Menu(".who .menu:not(.nav-fold)"), ..stop("home-menu", OWNER, "/") },
        stop("home-no-match", OWNER, "/?q=nothing-like-this"),
        stop("database", OWNER, of(REAL, "")),
        Stop { way: Way::Menu(".content .menu:not(.ask)"), ..stop("database-menu", OWNER, of(REAL, "")) },
        Stop { way: Way::Menu(".content .menu.ask"), ..stop("database-question", OWNER, of(REAL, "")) },
        stop("database-long", OWNER, of(LONG, "")),
        stop("database-failed", OWNER, of(FAILED, "")),
        stop("database-trashed", OWNER, of(TRASHED, "")),
        stop("database-maintenance", OWNER, of(KEPT_BACK, "")),
        stop("database-stopped", OWNER, of(STOPPED, "")),
        stop("database-in-work", OWNER, of(IN_WORK, "")),
        stop("database-password", OWNER, of("waiting", "")),
        Stop { way: Way::Submit(&[], "Show password"), ..stop("password", OWNER, of("waiting", "")) },
        stop("logs", OWNER, of(REAL, "/logs")),
        stop("logs-filtered", OWNER, of(REAL, "/logs?lines=500&text=database&wrap=on")),
        stop("logs-none", OWNER, of(LONG, "/logs")),
        stop("backups", OWNER, of(REAL, "/backups")),
        stop("backups-in-work", OWNER, of(SAVING, "/backups")),
        stop("metrics-in-work", OWNER, of(SAVING, "/metrics")),
        stop("settings-failed", OWNER, of(FAILED, "/settings")),
        stop("left-behind", OWNER, "/backups"),
        Stop {
            way: Way::Unfold,
            ..stop("restore", OWNER, format!("/containers/{REAL}/backups/{}/restore", backup_of(portal, REAL)))
        },
        stop("metrics", OWNER, of(REAL, "/metrics")),
        stop("metrics-week", OWNER, of(REAL, "/metrics?range=week")),
        stop("settings", OWNER, of(REAL, "/settings")),
        Stop {
            way: Way::Submit(&[("memory", "much")], "Save settings"),
            ..wrong("settings-wrong", OWNER, of(LONG, "/settings"))
        },
        stop("extend", OWNER, of(LONG, "/extend")),
        Stop { way: Way::Submit(&[("ttl", "1e3")], "Set expiry"), ..wrong("extend-wrong", OWNER, of(LONG, "/extend")) },
        stop("delete", OWNER, of(LONG, "/delete")),
        Stop {
            way: Way::Submit(&[("confirm", "something")], "Delete database"),
            ..wrong("delete-wrong", OWNER, of(LONG, "/delete"))
        },
        stop("delete-stopped", OWNER, of(STOPPED, "/delete")),
        stop("database-deleting", OWNER, of(DELETING, "")),
        stop("job-deleting", OWNER, format!("/jobs/{}", job_of(portal, DELETING))),
        stop("backups-aside", OWNER, of(LONG, "/backups")),
        stop("restore", OWNER, of(LONG, &format!("/backups/{}/restore", backup_of(portal, LONG)))),
        stop("in-place", OWNER, of(LONG, &format!("/backups/{}/in-place", backup_of(portal, LONG)))),
        Stop {
            way: Way::Submit(&[("confirm", "something")], "Restore in place"),
            ..wrong("in-place-wrong", OWNER, of(LONG, &format!("/backups/{}/in-place", backup_of(portal, LONG))))
        },
        stop("go-back", OWNER, of(LONG, &format!("/snapshots/{}/restore", aside_of(portal, LONG)))),
        stop("snapshots", OWNER, of(LONG, "/snapshots")),
        stop("snapshots-none", OWNER, of(REAL, "/snapshots")),
        Stop {
            way: Way::Submit(&[("days", "0")], "Take snapshot"),
            ..wrong("snapshots-wrong", OWNER, of(REAL, "/snapshots"))
        },
        stop("snapshots-clone", OWNER, of("images-10", "/snapshots")),
        stop("clone", OWNER, of(REAL, "/clone")),
        Stop {
            way: Way::Submit(&[("name", "Not A Name"), ("memory", "much")], "Create clone"),
            ..wrong("clone-wrong", OWNER, of(REAL, "/clone"))
        },
        stop("reset", OWNER, of("images-10", "/reset")),
        stop("refresh", OWNER, of("images-10", "/refresh")),
        stop("promote", OWNER, of("images-10", "/promote")),
        stop("upgrade", OWNER, of(STOPPED, "/upgrade")),
        Stop {
            way: Way::Submit(&[("confirm", "something")], "Upgrade database"),
            ..wrong("upgrade-wrong", OWNER, of(STOPPED, "/upgrade"))
        },
        stop("purge", OWNER, of(TRASHED, "/purge")),
        stop("job-done", OWNER, format!("/jobs/{}", job_of(portal, LONG))),
        stop("job-failed", OWNER, format!("/jobs/{}", job_of(portal, FAILED))),
        stop("job-in-work", OWNER, format!("/jobs/{}", job_of(portal, IN_WORK))),
        Stop {
            way: Way::Submit(taken, "Create PostgreSQL 17 database"),
            ..wrong("new-wrong", OWNER, "/containers/new?engine=postgres")
        },
        stop("templates", OWNER, "/templates"),
        stop("template", OWNER, "/templates/statistics-course-2026"),
        stop("template-new", OWNER, "/templates/new-one"),
        Stop {
            way: Way::Submit(&[("name", "Bad Name!"), ("ttl", "1e3")], "Create database"),
            ..wrong("template-wrong", OWNER, "/templates/production-copy-without-personal-data-of-patients")
        },
        stop("docs-templates", OWNER, "/docs/templates"),
        stop("account", OWNER, "/account"),
        Stop { way: Way::Submit(&[("name", "notebook")], "Create token"), ..stop("account-token", OWNER, "/account") },
        stop("docs", OWNER, "/docs"),
        stop("docs-connecting", OWNER, "/docs/connecting"),
        stop("docs-postgres", OWNER, "/docs/postgres"),
    ]
}

fn admins(portal: &TestPortal) -> Vec<Stop> {
    let who = "admin";
    vec![
        stop("admin", who, "/admin"),
        stop("admin-containers", who, "/admin/containers"),
        stop("admin-states", who, "/admin/states"),
        stop("admin-log", who, "/admin/log"),
        stop("admin-log-no-match", who, "/admin/log?actor=nobody-at-all"),
        stop("admin-jobs", who, "/admin/jobs"),
        stop("admin-users", who, "/admin/users"),
        Stop { way: Way::Unfold, ..stop("admin-users-form", who, "/admin/users") },
        stop("admin-user", who, format!("/admin/users/{}", account_of(portal, OWNER))),
        stop("admin-user-delete", who, format!("/admin/users/{}/delete", account_of(portal, OWNER))),
        Stop { way: Way::Menu(".nav-fold"), ..stop("admin-navigation", who, "/admin") },
        stop("admin-backups", who, "/admin/backups"),
        stop("admin-backup", who, format!("/admin/backups/{}", backup_of(portal, REAL))),
        stop("admin-backups-prune", who, "/admin/backups/prune"),
        stop("admin-templates", who, "/templates"),
        stop("admin-template", who, "/templates/statistics-course-2026"),
        Stop {
            way: Way::Submit(
                &[("settings-name", "../x"), ("settings-users", "Nobody At All"), ("settings-ttl", "soon")],
                "Save",
            ),
            ..wrong("admin-template-wrong", who, "/templates/statistics-course-2026")
        },
        stop("admin-template-import", who, "/templates/production-copy-without-personal-data-of-patients"),
        stop("admin-states-failed", who, "/admin/states?state=failed"),
        stop("admin-jobs-failed", who, "/admin/jobs?status=failed"),
        stop("admin-contents", who, "/admin/contents"),
        stop("admin-storage", who, "/admin/storage"),
        stop("admin-system", who, "/admin/system"),
        stop("admin-settings", who, of(LONG, "/settings")),
    ]
}

impl Tour {
    /// Prepares the portal.
    pub async fn prepare() -> Self {
        let portal = quiet_portal().await;
        portal.user("newcomer").await;
        portal.user("grace").await;
        let ada = portal.user(OWNER).await;
        let described = [
            ("description", "Mass spectrometry runs of the spring campaign"),
            ("contact", "ada@example.org"),
            ("department", "Computational Biology"),
            ("dbname", "runs"),
        ];
        ada.create(REAL, &described).await;
        ada.create("waiting", &[("dbuserpass", "")]).await;
        portal.sql("update container set size_bytes = 48234496, size_at = now()");
        fill(&portal);
        // Five hours old, so that it does not look newly created in the screenshots, but is first in the list.
        portal.sql("update container set created_at = now() - interval '5 hours', started_at = now() - interval '5 hours' where name = 'proteomics-atlas'");
        // Five hours of measurements, for the charts.
        portal.sql(
            "insert into sample (container_id, at, size_bytes, memory_bytes, cpu_us, connections)
             select id, now() - n * interval '1 minute', 48000000 - n * 20000, 60000000 + (n % 37) * 900000,
                    (300 - n) * 4000000::bigint, 2 + n % 5
               from container, generate_series(0, 295) n where name = 'proteomics-atlas'",
        );
        let mut stops = visitors();
        stops.extend(newcomers());
        stops.extend(owners(&portal));
        stops.extend(admins(&portal));
        Self { portal, stops }
    }

    /// Visits a stop. `last` is the user who was signed in before.
    pub async fn visit(&self, browser: &Browser, stop: &Stop, last: &str) {
        if stop.as_whom != last {
            match stop.as_whom {
                "admin" => browser.sign_in_anew("admin", crate::support::ADMIN_PASSWORD).await,
                who => browser.sign_in_anew(who, PASSWORD).await,
            }
        }
        browser.open(&stop.path).await;
        match &stop.way {
            Way::Open => {}
            Way::Unfold => {
                browser.script("document.querySelectorAll('details:not(.menu)').forEach(d => d.open = true);").await;
            }
            Way::Menu(which) => {
                browser.script(&format!("document.querySelector('{which}').open = true")).await;
            }
            Way::Submit(fields, button) => {
                browser.script("document.querySelectorAll('details.fold').forEach(d => d.open = true)").await;
                for (id, text) in *fields {
                    browser.fill_in(id, text).await;
                }
                browser.press_and_go(button).await;
            }
        }
    }
}
