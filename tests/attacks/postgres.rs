//! The traps for PostgreSQL, created by `postgres.sql`.

use reqwest::Method;
use serde_json::json;

use super::well;
use crate::backups::back_up;
use crate::backups::disaster::rebuild::{lost_and_rebuilt, with_recovery_key};
use crate::backups::import::load;
use crate::support::{Client, POSTGRES_15, POSTGRES_17, TestPortal, docker};

const TRAPS: &str = include_str!("postgres.sql");
/// Overrides settings of the traps that would end or change the test's own sessions.
const OWN: &str = "-c search_path=pg_catalog -c role=none -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 \
                   -c idle_in_transaction_session_timeout=0 -c local_preload_libraries= -c client_encoding=UTF8 -c exit_on_error=off \
                   -c default_transaction_read_only=off -c client_min_messages=error -c standard_conforming_strings=on";

/// Runs a query as the administrator of a server.
fn ask(portal: &TestPortal, name: &str, database: &str, statement: &str) -> String {
    let container = portal.container(name);
    let (on, options) = (format!("PGDATABASE={database}"), format!("PGOPTIONS={OWN}"));
    let psql =
        ["exec", "-e", &on, "-e", &options, &container, "psql", "-X", "-At", "-U", "db4sci_admin", "-c", statement];
    docker::docker_ok(&psql)
}

/// Every trap ran with the privileges of ada or a temporary role, and no role has gained privileges.
fn nobody_climbed(portal: &TestPortal, name: &str, database: &str, after: &str) {
    let seen =
        "select string_agg(distinct concat_ws(' ', trap, session_was, current_was, super), ', ') from public.seen
                 where super <> 'off' or current_was <> 'ada' and current_was !~ '^db4sci_as_[0-9a-f]+$'
                    or session_was <> 'ada' and session_was !~ '^db4sci_as_[0-9a-f]+$'";
    assert_eq!(ask(portal, name, database, seen), "", "{after}: {name}");
    assert_ne!(ask(portal, name, database, "select count(*) from public.seen"), "0", "{after}: no trap has run");
    let roles = "select string_agg(rolname, ' ' order by rolname) from pg_roles where rolname !~ '^pg_' and (rolsuper or rolcreaterole or rolreplication or rolname !~ '^(ada|db4sci_admin|db4sci_observer)$')";
    assert_eq!(ask(portal, name, "postgres", roles), "db4sci_admin", "{after}: {name}");
    let members = "select string_agg(roleid::regrole || ' ' || member::regrole, ', ') from pg_auth_members where member::regrole::text !~ '^(pg_|db4sci_observer)'";
    assert_eq!(ask(portal, name, "postgres", members), "", "{after}: {name}");
    nothing_owned(portal, name, database, after);
    let files = docker::docker_ok(&["exec", &portal.container(name), "ls", "/tmp"]);
    assert!(!files.contains("climbed"), "{after}: {name}: {files}");
}

/// Nothing that could run belongs to a role of the portal.
fn nothing_owned(portal: &TestPortal, name: &str, database: &str, after: &str) {
    let owned = "select string_agg(format('%s of %s', oid::regprocedure, proowner::regrole), ', ') from pg_proc p
                  where oid >= 16384 and proowner::regrole::text ~ '^db4sci_' and not exists (select from pg_depend d where d.objid = p.oid and d.deptype in ('e', 'i'))";
    assert_eq!(ask(portal, name, database, owned), "", "{after}: {name}");
}

/// Creates a database with all traps set.
async fn trapped(portal: &TestPortal, ada: &Client, image: &str) {
    ada.create("lab", &[("image", image), ("extensions", "hstore")]).await;
    let container = portal.container("lab");
    let mut psql = std::process::Command::new("docker")
        .args(["exec", "-i", "-e", "PGPASSWORD=correct-horse", &container, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"])
        .args(["-U", "ada", "-d", "trial", "-f", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("docker is installed");
    let input = psql.stdin.take().expect("it reads");
    std::io::Write::write_all(&mut &input, TRAPS.as_bytes()).expect("it reads");
    drop(input);
    assert!(psql.wait().expect("psql ends").success(), "a trap could not be set");
    nobody_climbed(portal, "lab", "trial", "setting the traps");
}

/// Dumps the traps by hand, loads the dump into a new database, and deletes that database.
async fn load(portal: &TestPortal, ada: &Client) {
    let (lab, options) = (portal.container("lab"), format!("PGOPTIONS={OWN}"));
    let dump = docker::docker(&["exec", "-e", &options, &lab, "pg_dump", "-U", "db4sci_admin", "trial"]);
    let file = load::written(portal, "traps.sql", format!("{dump}\n").as_bytes());
    let fields = [("engine", "postgres"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];
    let token = load::token(ada).await;
    let (_, status, said) = load::send(portal, &token, &load::named("loaded", &fields), &file, &[]);
    assert_eq!(status, "201", "{said}");
    nobody_climbed(portal, "loaded", "trial", "load of a dump");
    ada.post("/containers/loaded/delete", &[("confirm", "loaded"), ("no_backup", "on")]).await.expect(303);
    ada.wait_for("loaded", "in the trash").await;
}

/// Scans every server now; the scan of `lab` succeeds.
async fn look(portal: &TestPortal) {
    let before = portal.sql("select now()");
    portal.scan().await;
    let scan = portal.sql(&format!(
        "select s.at > '{before}', s.error from survey s join container c on c.id = s.container_id where c.name = 'lab'"
    ));
    assert_eq!(scan, "t|", "a scan of this moment without an error");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_17_owners_never_gain_privileges() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    let token = portal.token(&ada).await;
    trapped(&portal, &ada, POSTGRES_17).await;
    // The server records the text of statements; it loads a library for that.
    let kept =
        docker::docker(&["exec", &portal.container("lab"), "grep", "-raFl", "correct-horse", "/var/lib/postgresql"]);
    assert_eq!(kept, "", "a password is in a file of the server");

    let id = back_up(&portal, &ada, "lab").await;
    nobody_climbed(&portal, "lab", "trial", "backup");
    let forged = format!(
        "select count(*) from backup_log, jsonb_array_elements(manifest->'counts') c where id = '{id}' and c->>'kind' ~ 'id;'"
    );
    assert_eq!(portal.sql(&forged), "0", "the text of a warning must not forge a count");
    well(&portal, "drill").await;
    let form = format!("/containers/lab/backups/{id}/restore");
    ada.post(&form, &[("name", "copy")]).await.expect(303);
    well(&portal, "restore").await;
    nobody_climbed(&portal, "copy", "trial", "restore into a new database");
    let setting = "select string_agg(c, ' ' order by c) from pg_db_role_setting s, unnest(setconfig) c where c ~ 'search_path|temp_tablespaces|DateStyle'";
    assert_eq!(ask(&portal, "copy", "postgres", setting), ask(&portal, "lab", "postgres", setting));
    let named = "select count(*) from pg_database where datname = 'db4sci_restore_abc123'";
    assert_eq!(
        ask(&portal, "copy", "postgres", named),
        "1",
        "a database with a name like the portal's own is in the backup"
    );

    let path = format!("/api/v1/backups/{id}/restore");
    let tables = ["public.computed", "public.parted_by_1"];
    let tables = tables.map(|table| json!({ "database": "trial", "table": table }));
    for only in [json!({ "database": "trial" })].iter().chain(&tables) {
        token.json(Method::POST, &path, &json!({ "beside": true, "only": only })).await.expect(202);
        well(&portal, "restore-beside").await;
        nobody_climbed(&portal, "lab", "trial", "a partial restore as a copy");
    }
    let beside = ask(&portal, "lab", "postgres", "select datname from pg_database where datname ~ '^trial_restored'");
    nobody_climbed(&portal, "lab", &beside, "a database restored as a copy");
    for (n, only) in tables.iter().enumerate() {
        let name = format!("part-{n}");
        token.json(Method::POST, &path, &json!({ "name": name, "only": only })).await.expect(202);
        well(&portal, "restore").await;
        nothing_owned(&portal, &name, "trial", "restore of a table into a new database");
        let roles = "select string_agg(rolname, ' ') from pg_roles where rolname !~ '^pg_' and (rolsuper or rolname ~ '^db4sci_e')";
        assert_eq!(ask(&portal, &name, "postgres", roles), "db4sci_admin");
    }

    ada.post("/containers/lab/rotate-password", &[]).await.expect(303);
    well(&portal, "rotate-password").await;
    nobody_climbed(&portal, "lab", "trial", "new password");
    look(&portal).await;
    nobody_climbed(&portal, "lab", "trial", "a scan");

    ada.post(&form, &[("in_place", "true"), ("confirm", "lab")]).await.expect(303);
    well(&portal, "restore-in-place").await;
    ada.wait_for("lab", "running").await;
    nobody_climbed(&portal, "lab", "trial", "restore in place");

    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    well(&portal, "drill").await;
    ada.post("/containers/lab/undelete", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    nobody_climbed(&portal, "lab", "trial", "a final backup");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn postgres_owners_never_gain_privileges_in_an_upgrade_load_or_rebuild() {
    let (mut portal, key) = with_recovery_key().await;
    let ada = portal.user("ada").await;
    trapped(&portal, &ada, POSTGRES_15).await;
    ada.post("/containers/lab/upgrade", &[("image", POSTGRES_17), ("confirm", "lab")]).await.expect(303);
    well(&portal, "upgrade").await;
    ada.wait_for("lab", "running").await;
    nobody_climbed(&portal, "lab", "trial", "upgrade");
    load(&portal, &ada).await;
    back_up(&portal, &ada, "lab").await;
    lost_and_rebuilt(&mut portal, &key, "lab").await;
    portal.admin().await.wait_for("lab", "running").await;
    nobody_climbed(&portal, "lab", "trial", "rebuild from the bucket");
    assert_eq!(ask(&portal, "lab", "trial", "select count(*) from public.loot"), "50");
}
