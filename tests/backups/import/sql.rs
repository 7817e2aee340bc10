//! Uploaded SQL dumps: with several databases, in any encoding and compression, and loads that are retried.

use serde_json::Value;

use crate::backups::import::load::{named, report, send, shell, staged, token, untouched, written};
use crate::support::{TestPortal, docker};

const POSTGRES: [(&str, &str); 4] =
    [("engine", "postgres"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];
pub const MARIADB: [(&str, &str); 4] =
    [("engine", "mariadb"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];

/// A `COPY` whose table is refused, with rows that would do harm if they were read as statements.
const REFUSED: &str = "create table kept (a text);
create table lost (a geometry);
copy lost (a) from stdin;
O'Brien
\\! touch /tmp/owned
\\connect rats
\\.
copy kept from stdin;
it's
\\\\connect rats
\\.
insert into kept values ('after')  ; insert into nowhere values (1);
load 'x'; copy kept to program 'touch /tmp/owned';
";

fn case(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))).expect("the case exists")
}

/// The id of the kept file in a refusal.
fn upload(said: &str) -> String {
    let (_, rest) = said.split_once("upload=").expect("the file is kept");
    rest.chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').collect()
}

fn psql(portal: &TestPortal, name: &str, database: &str, statement: &str) -> String {
    let container = portal.container(name);
    let ask = "PGPASSWORD=correct-horse exec psql -X -A -t -h 127.0.0.1 -U ada -d \"$1\" -c \"$2\"";
    docker::docker(&["exec", &container, "sh", "-c", ask, "sh", database, statement])
}

fn mariadb(portal: &TestPortal, name: &str, statement: &str) -> String {
    let container = portal.container(name);
    let ask = "exec mariadb --protocol=tcp --host=127.0.0.1 --skip-ssl -N -B -uada -pcorrect-horse -e \"$1\"";
    docker::docker(&["exec", &container, "sh", "-c", ask, "sh", statement])
}

/// The error with which the server refuses a statement, or `accepted`.
fn mariadb_error(portal: &TestPortal, name: &str, statement: &str) -> String {
    let container = portal.container(name);
    let ask = "if mariadb --protocol=tcp --host=127.0.0.1 --skip-ssl -N -B -uada -pcorrect-horse -e \"$1\" 2>&1; then echo accepted; fi";
    docker::docker_ok(&["exec", &container, "sh", "-c", ask, "sh", statement])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_several_databases_asks_which_to_load() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let token = token(&ada).await;
    let before = portal.containers().len();

    // PostgreSQL: a dump of the whole server.
    let cluster = written(&portal, "cluster.sql", &case("pg-dumpall/cluster.sql"));
    let (_, status, said) = send(&portal, &token, &named("one", &POSTGRES), &cluster, &[]);
    assert!(status == "422" && said.contains("the databases mice, rats"), "{status} {said}");
    assert_eq!(
        (portal.containers().len(), staged(&portal)),
        (before, 1),
        "no container is created and the file is kept"
    );
    let stands = upload(&said);
    let mine = [&POSTGRES[..], &[("upload", stands.as_str()), ("source", "mice")]].concat();
    // Another user cannot use the file.
    let eve = portal.user("eve").await;
    let theirs = crate::backups::import::load::token(&eve).await;
    let (_, status, said) = crate::backups::import::load::send_fields(&portal, &theirs, &named("theirs", &mine));
    assert!(status == "422" && said.contains("no longer kept"), "{status} {said}");
    let (_, status, said) = crate::backups::import::load::send_fields(&portal, &token, &named("one", &mine));
    assert_eq!(status, "201", "{said}");
    assert_eq!(psql(&portal, "one", "trial", "select sum(weight) from samples"), "63");
    let told = report(&portal, "one", "'told'");
    for words in [
        "also contains rats",
        "into the database “trial”",
        "Skipped because they apply to the whole server",
        "CREATE ROLE postgres",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!((report(&portal, "one", "'failed'"), staged(&portal)), ("0".to_owned(), 0));

    // All databases of the dump.
    let all = [&POSTGRES[..], &[("source", "*")]].concat();
    let (_, status, said) = send(&portal, &token, &named("all", &all), &cluster, &[]);
    assert_eq!(status, "201", "{said}");
    assert_eq!(psql(&portal, "all", "mice", "select sum(weight) from samples"), "63");
    assert_eq!(psql(&portal, "all", "rats", "select sum(weight) from samples"), "610");
    let owner = "select pg_get_userbyid(datdba) from pg_database where datname = 'rats'";
    assert_eq!(
        (psql(&portal, "all", "rats", owner), report(&portal, "all", "'rows'")),
        ("ada".to_owned(), "5".to_owned())
    );

    // MariaDB.
    let two = written(&portal, "two.sql", &case("two-databases/dump.sql"));
    let (_, status, said) = send(&portal, &token, &named("maria", &MARIADB), &two, &[]);
    assert!(status == "422" && said.contains("the databases mice, rats"), "{status} {said}");
    let fields = [&MARIADB[..], &[("source", "*")]].concat();
    let (_, status, said) = send(&portal, &token, &named("maria", &fields), &two, &[]);
    assert_eq!(status, "201", "{said}");
    assert_eq!(mariadb(&portal, "maria", "select sum(weight) from trial_mice.samples"), "63");
    assert_eq!(mariadb(&portal, "maria", "select sum(weight) from trial_rats.samples"), "610");
    let fields = [&MARIADB[..], &[("source", "rats")]].concat();
    let (_, status, said) = send(&portal, &token, &named("rats", &fields), &two, &[]);
    assert_eq!(status, "201", "{said}");
    assert_eq!(mariadb(&portal, "rats", "select sum(weight) from trial.samples"), "610");
}

/// Databases whose statements name each other and themselves, as some programs write them.
const ENTANGLED: &str = "CREATE DATABASE `mice`; USE `mice`;
CREATE TABLE `mice`.`parents` (`id` int PRIMARY KEY);
INSERT INTO `mice`.`parents` VALUES (1),(2);
CREATE TABLE `rats`.`early` (`id` int);
CREATE VIEW `seen` AS SELECT `rats`.`children`.`id` FROM `rats`.`children`;
CREATE DATABASE `rats`; USE `rats`;
CREATE TABLE `children` (`id` int, `mouse` int, FOREIGN KEY (`mouse`) REFERENCES `mice`.`parents` (`id`));
INSERT INTO `rats`.`children` VALUES (10,1),(11,2);
INSERT INTO `rats`.`early` VALUES (7);
";

#[tokio::test(flavor = "multi_thread")]
async fn database_names_in_statements_are_changed_with_the_databases() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let token = token(&ada).await;
    let file = written(&portal, "entangled.sql", ENTANGLED.as_bytes());
    let all = [&MARIADB[..], &[("source", "*")]].concat();
    let (_, status, said) = send(&portal, &token, &named("all", &all), &file, &[]);
    assert_eq!(status, "201", "{said}");
    let sums = "select (select sum(id) from trial_mice.parents), (select sum(id) from trial_rats.children), (select id from trial_rats.early)";
    assert_eq!(mariadb(&portal, "all", sums), "3\t21\t7");
    // Its foreign key refers to the renamed database.
    let said = mariadb_error(&portal, "all", "insert into trial_rats.children values (12, 3)");
    assert!(said.contains("a foreign key constraint fails") && said.contains("REFERENCES `trial_mice`"), "{said}");
    // In a view, anything may have the name of the database, so the view is not changed.
    let told = report(&portal, "all", "'told'");
    assert!(told.contains("1 statement names a database of the dump") && told.contains("CREATE VIEW `seen`"), "{told}");
    assert_eq!(report(&portal, "all", "'failed'"), "1");

    // If only one database is loaded, statements that name the other are quoted with the server's error.
    let one = [&MARIADB[..], &[("source", "mice")]].concat();
    let (_, status, said) = send(&portal, &token, &named("one", &one), &file, &[]);
    assert_eq!(status, "201", "{said}");
    assert_eq!(mariadb(&portal, "one", "select sum(id) from trial.parents"), "3");
    let told = report(&portal, "one", "'told'");
    assert!(
        told.contains("2 statements name a database of the dump") && told.contains("CREATE TABLE `rats`.`early`"),
        "{told}"
    );
    assert_eq!(report(&portal, "one", "'failed'"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn encodings_compressions_and_rejected_rows_are_handled() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let token = token(&ada).await;

    // A refused statement affects no other, and is reported with its error.
    let file = written(&portal, "refused.sql", REFUSED.as_bytes());
    let (_, status, said) = send(&portal, &token, &named("refused", &POSTGRES), &file, &[]);
    assert_eq!(status, "201", "{said}");
    untouched(&portal, "refused");
    assert_eq!(
        psql(&portal, "refused", "trial", "select count(*), count(*) filter (where a = '\\connect rats') from kept"),
        "3|1"
    );
    let failures: Vec<Value> = serde_json::from_str(&report(&portal, "refused", "'failures'")).expect("a list");
    let found: Vec<_> =
        failures.iter().map(|f| (f["line"].as_u64(), f["statement"].as_str().unwrap_or_default())).collect();
    assert_eq!(
        found,
        [
            (Some(2), "create table lost (a geometry)"),
            (Some(3), "copy lost (a) from stdin"),
            (Some(12), "insert into nowhere values (1)"),
            (Some(13), "load 'x'"),
            (Some(13), "copy kept to program 'touch /tmp/owned'"),
        ],
        "{failures:?}"
    );
    let detail = failures[1]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("Its 3 rows were skipped."), "{failures:?}");
    let job = portal.sql("select id from job where kind = 'load' order by created_at desc limit 1");
    let page = ada.get(&format!("/jobs/{job}")).await.expect(200).text();
    assert!(page.contains("copy lost (a) from stdin") && page.contains("Its 3 rows were skipped"), "{page}");

    // UTF-16 in a zip archive, as a desktop makes it; a byte order mark in xz; carriage returns in bzip2.
    std::fs::write(portal.dir.join("utf16.sql"), case("bom-utf16/utf16.sql")).expect("written");
    shell("zip -q utf16.zip utf16.sql", &portal.dir);
    let mut n = 0;
    for (case_name, pack) in [("utf16.sql", "zip -q - $f"), ("bom.sql", "xz -c $f"), ("crlf.sql", "bzip2 -c $f")] {
        std::fs::write(portal.dir.join("x.sql"), case(&format!("bom-utf16/{case_name}"))).expect("written");
        shell(&format!("f=x.sql; {pack} > packed"), &portal.dir);
        n += 1;
        let name = format!("packed{n}");
        let (_, status, said) = send(&portal, &token, &named(&name, &POSTGRES), &portal.dir.join("packed"), &[]);
        assert_eq!(status, "201", "{case_name}: {said}");
        let rows = if case_name == "crlf.sql" { "2" } else { "1" };
        assert_eq!(psql(&portal, &name, "trial", "select count(*) from t"), rows, "{case_name}");
    }
    assert!(report(&portal, "packed1", "'told'").contains("converted from UTF-16"));
    shell("zip -q two.zip x.sql utf16.sql", &portal.dir);
    let (_, status, said) = send(&portal, &token, &named("two", &POSTGRES), &portal.dir.join("two.zip"), &[]);
    assert!(status == "422" && said.contains("several files (“x.sql”, “utf16.sql”)"), "{status} {said}");

    // A byte order mark for MariaDB, and a statement that makes the client read a local file.
    let mark = written(&portal, "bom-mysql.sql", &case("bom-utf16/bom-mysql.sql"));
    let (_, status, said) = send(&portal, &token, &named("marked", &MARIADB), &mark, &[]);
    assert_eq!(status, "201", "{said}");
    let local =
        "create table t (a text);\ninsert into t values ('x');\nload data local infile '/etc/passwd' into table t;\n";
    let file = written(&portal, "local.sql", local.as_bytes());
    let (_, status, said) = send(&portal, &token, &named("local", &MARIADB), &file, &[]);
    assert_eq!(status, "201", "{said}");
    assert_eq!(mariadb(&portal, "local", "select count(*) from trial.t"), "1");
    let failures = report(&portal, "local", "'failures'");
    assert!(failures.contains("load data local infile") && failures.contains("\"line\": 3"), "{failures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_load_can_be_retried() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let token = token(&ada).await;
    let text = "select no_such_function();\n";
    let file = written(&portal, "bad.sql", text.as_bytes());
    let (_, status, said) = send(&portal, &token, &named("again", &POSTGRES), &file, &[]);
    assert!(status == "500" && said.contains("Nothing was loaded"), "{status} {said}");
    assert_eq!(staged(&portal), 1, "the uploaded file is kept");
    // The content of the kept file is replaced by statements that succeed; for the portal it is the same file.
    let kept = portal
        .config
        .storage
        .iter()
        .map(|t| t.path.join(&portal.instance))
        .flat_map(|d| std::fs::read_dir(d).into_iter().flatten().flatten());
    let kept = kept.map(|e| e.path()).find(|p| p.to_string_lossy().contains(".upload-")).expect("kept");
    std::fs::write(&kept, "create table t (a int);\ninsert into t values (7);\n").expect("written");
    ada.post("/containers/again/start", &[]).await.expect(303);
    ada.wait_for("again", "running").await;
    assert_eq!((psql(&portal, "again", "trial", "select a from t"), staged(&portal)), ("7".to_owned(), 0));

    // If the file is missing, the load says so, and no empty database results.
    let (_, status, _) = send(&portal, &token, &named("gone", &POSTGRES), &file, &[]);
    assert_eq!((status.as_str(), staged(&portal)), ("500", 1));
    std::fs::remove_file(
        kept.parent()
            .expect("a directory")
            .read_dir()
            .expect("read")
            .flatten()
            .map(|e| e.path())
            .find(|p| p.to_string_lossy().contains(".upload-"))
            .expect("kept"),
    )
    .expect("removed");
    ada.post("/containers/gone/start", &[]).await.expect(303);
    let (status, error) = portal.ended("load").await;
    assert!(status == "failed" && error.contains("no longer available"), "{status} {error}");
    assert_eq!(ada.state("gone").await, "failed");
}
