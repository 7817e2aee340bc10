//! Databases of PostgreSQL and routines of MariaDB whose encoding is not UTF-8, and dumps of them.

use std::process::Command;

use crate::backups::back_up;
use crate::backups::import::load::{named, report, send, token};
use crate::backups::import::sql::MARIADB;
use crate::support::{TestPortal, docker};

/// Runs statements in the server of `name` as its administrator, in this database, with text as it is stored.
fn as_admin(portal: &TestPortal, name: &str, database: &str, statements: &str) -> String {
    let run = "PGCLIENTENCODING=SQL_ASCII exec psql -U \"$POSTGRES_USER\" -d \"$0\" -XAtqc \"$1\"";
    docker::docker_ok(&["exec", &portal.container(name), "sh", "-c", run, database, statements])
}

/// Rows with text in Latin-1, in UTF-8, and with bytes that are neither.
const ROWS: &str = "create table t (id int primary key, body text);
    insert into t values (1, E'caf\\xe9'), (2, E'caf\\xc3\\xa9'), (3, E'\\xff\\xfe\\x80');
    comment on table t is E'na\\xefve'";
const SUM: &str = "select string_agg(id || ' ' || encode(body::bytea, 'hex'), ', ' order by id) from t";
const STORED: &str = "1 636166e9, 2 636166c3a9, 3 fffe80";

#[tokio::test(flavor = "multi_thread")]
async fn a_sql_ascii_database_is_backed_up_verified_and_restored_unchanged() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    for (name, encoding) in [("ascii", "SQL_ASCII"), ("latin", "LATIN1")] {
        let made = format!("create database {name} owner ada encoding '{encoding}' locale 'C' template template0");
        as_admin(&portal, "lab", "postgres", &made);
    }
    as_admin(&portal, "lab", "ascii", &format!("set role ada; {ROWS}"));
    // A name that is no text in UTF-8.
    let named = "printf 'set role ada; create table \"gr\\366\\337e\" as select 1 as i' | \
        PGCLIENTENCODING=SQL_ASCII psql -U \"$POSTGRES_USER\" -d ascii -Xq -v ON_ERROR_STOP=1";
    docker::docker_ok(&["exec", &portal.container("lab"), "sh", "-c", named]);
    as_admin(
        &portal,
        "lab",
        "latin",
        "set role ada; set client_encoding = 'LATIN1'; create table l as select E'caf\\xe9' as body",
    );
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "copy")]).await.expect(303);
    assert_eq!(portal.ended("restore").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(as_admin(&portal, "copy", "ascii", SUM).trim(), STORED);
    let name = "select encode(relname::text::bytea, 'hex') from pg_class where relname ~ '^gr' and relkind = 'r'";
    assert_eq!(as_admin(&portal, "copy", "ascii", name).trim(), "6772f6df65");
    let kept = "select encode(convert_to(body, 'UTF8'), 'hex') from l";
    assert_eq!(as_admin(&portal, "copy", "latin", kept).trim(), "636166c3a9");

    // Dumps of it in both formats: every loaded row can be read again, and conversions are reported.
    let token = token(&ada).await;
    for (name, form, rows) in [("sql", "plain", "3 café"), ("archive", "custom", "0 -")] {
        let file = portal.dir.join(name);
        let dump = format!("exec pg_dump -U \"$POSTGRES_USER\" --format={form} ascii");
        let made = Command::new("docker")
            .args(["exec", "-e", "PGCLIENTENCODING=SQL_ASCII", &portal.container("lab"), "sh", "-c", &dump])
            .stdout(std::fs::File::create(&file).expect("created"))
            .status();
        assert!(made.expect("docker is installed").success());
        let fields = [
            ("name", name),
            ("engine", "postgres"),
            ("dbname", "trial"),
            ("dbuser", "ada"),
            ("dbuserpass", "correct-horse"),
        ];
        let (_, status, said) = send(&portal, &token, &fields, &file, &[]);
        assert_eq!(status, "201", "{said}");
        let told = report(&portal, name, "'told'");
        assert!(told.contains("SQL_ASCII"), "{told}");
        let db = portal.connect(name, "correct-horse").await.expect("signs in");
        let read = "select count(*) || ' ' || coalesce(max(body) filter (where id = 1), '-') from t";
        let said: String = db.query_one(read, &[]).await.expect("every row can be read").get(0);
        assert_eq!(said, rows, "{name}");
    }
}

/// Character sets in which the second byte of a character can be a backslash: a text with such a character, in `printf`'s
/// octal digits, and in UTF-8 in hexadecimal ones.
const AMBIGUOUS: &[(&str, &str, &str)] = &[
    ("sjis", r"\225\134", "E8A1A8"),
    ("cp932", r"\225\134", "E8A1A8"),
    ("gbk", r"\325\134", "E8AAA0"),
    ("big5", r"\245\134", "E58A9F"),
];

/// Runs a client of MariaDB as the administrator.
const SIGNED_IN: &str = "export MYSQL_PWD=$(cat /etc/db4sci/admin_password)
client() { c=$1; shift; \"$c\" --no-defaults -h127.0.0.1 --skip-ssl -uroot \"$@\"; }
";

#[tokio::test(flavor = "multi_thread")]
async fn routines_whose_characters_contain_a_backslash_are_backed_up_restored_and_loaded() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("engine", "mariadb"), ("image", "docker.io/library/mariadb:11.8"), ("backup_freq", "Never")])
        .await;
    let client = |server: &str, script: &str| {
        let run = format!("{SIGNED_IN}{script}");
        docker::docker_ok(&["exec", "--user", "mysql", &portal.container(server), "sh", "-c", &run])
    };
    for (charset, text, _) in AMBIGUOUS {
        let made = format!(
            "\\\\\\\\C {charset}\\nCREATE DEFINER=ada PROCEDURE p_{charset}() SELECT HEX(CONVERT('{text}' USING utf8mb4)), 'a;b';\\n"
        );
        client("lab", &format!("printf \"{made}\" | client mariadb --binary-mode trial"));
    }
    let called = |server: &str| {
        for (charset, _, expected) in AMBIGUOUS {
            let said =
                client(server, &format!("client mariadb --batch --skip-column-names -e 'call p_{charset}' trial"));
            assert_eq!(said.trim(), format!("{expected}\ta;b"), "{server}, {charset}");
        }
    };
    called("lab");
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    let details = portal
        .sql("select string_agg(detail, ' ') from job_step s join job j on j.id = s.job_id where j.kind = 'drill'");
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5", "{details}");
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "copy")]).await.expect(303);
    assert_eq!(portal.ended("restore").await, ("succeeded".to_owned(), String::new()));
    called("copy");

    let (token, file) = (token(&ada).await, portal.dir.join("routines.sql"));
    let made = Command::new("docker")
        .args(["exec", "--user", "mysql", &portal.container("lab"), "sh", "-c"])
        .arg(format!("{SIGNED_IN}client mariadb-dump --routines trial"))
        .stdout(std::fs::File::create(&file).expect("created"))
        .status();
    assert!(made.expect("docker is installed").success());
    let (_, status, said) = send(&portal, &token, &named("loaded", &MARIADB), &file, &[]);
    assert_eq!(status, "201", "{said}");
    assert_eq!(report(&portal, "loaded", "'failed'"), "0", "{}", report(&portal, "loaded", "'failures'"));
    called("loaded");
}
