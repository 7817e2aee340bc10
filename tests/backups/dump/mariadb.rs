//! MariaDB: backup and restore of everything that makes its dumps difficult.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use crate::backups::back_up;
use crate::backups::restore::definitions;
use crate::backups::restore::restore_script;
use crate::support::{Client, TestPortal, docker};

const ODD: &str = "`it's \"odd\" ``t`` 50%-x`";

/// Statements of the user.
const FILL: &[&str] = &[
    "create table `it's \"odd\" ``t`` 50%-x` (id bigint auto_increment primary key, body text, d double, f float, b blob, bits bit(9), at timestamp(6) default current_timestamp(6), u uuid, p point, e enum('a','ü'), j json, l varchar(20) character set latin1, g varchar(20) as (left(body, 20)) stored, v int as (id * 2) virtual, h int invisible default 7)",
    "insert into `it's \"odd\" ``t`` 50%-x` (body, d, f, b, bits, u, p, e, j, l) select concat('row 🐘 ', seq, '\\n\\\\t'), seq / 3, seq, unhex('00ff27225c0a1a'), b'101010101', uuid(), point(seq, 2), 'ü', '{\"a\": 1}', 'é' from seq_1_to_3000",
    "insert into `it's \"odd\" ``t`` 50%-x` (f) values (16777217), (null)",
    "create sequence numbers start with 5",
    "do nextval(numbers)",
    "create table plain_text (a int primary key, b varchar(10)) engine = MyISAM",
    "insert into plain_text values (1, 'x'), (2, null)",
    "create table parent (id int primary key)",
    "create table child (p int, foreign key (p) references parent (id) on delete cascade)",
    "insert into parent select seq from seq_1_to_100",
    "insert into child select seq from seq_1_to_100",
    "create view z_first as select id from parent",
    "create view a_second as select count(*) as n from z_first",
    "create table gone (x int)",
    "create view leads_nowhere as select x from gone",
    "drop table gone",
    "create table versions (x int) with system versioning",
    "insert into versions values (1)",
    "update versions set x = 2",
    "create table parts (id int) partition by hash (id) partitions 3",
    "insert into parts values (1), (2), (3)",
    "create function twice(i int) returns int deterministic return i * 2",
    "create procedure double_it() begin /* why */ select twice(2); # and how\n end",
    "create trigger keeps before insert on child for each row set new.p = /* the same */ new.p",
    "create event cleans on schedule every 1 day do /* old ones */ delete from parent where id > 100000",
    "create database `trial_an empty-one` character set latin1 collate latin1_german1_ci",
];

/// Alters one object of each kind.
const ALTERED: &[&str] = &[
    "alter table parent comment 'another'",
    "alter table child drop foreign key child_ibfk_1",
    "create or replace view a_second as select 1 as n",
    "create or replace function twice(i int) returns int deterministic return i + i + 0",
    "drop procedure double_it",
    "create or replace trigger keeps before insert on child for each row set new.p = 1",
    "alter event cleans disable",
    "alter sequence numbers increment 7",
    "alter database `trial_an empty-one` character set utf8mb4",
];

/// The differences reported for these alterations.
const DIFFERENCES: &[&str] = &[
    "Database trial_an empty-one in trial_an empty-one differs.",
    "Event cleans in trial differs.",
    "Function twice in trial differs.",
    "Procedure double_it in trial is missing.",
    "Rights of o'hara@% differ.",
    "Rights of readers are missing.",
    "Sequence numbers in trial differs.",
    "Table child in trial differs.",
    "Table parent in trial differs.",
    "Trigger keeps in trial differs.",
    "View a_second in trial differs.",
];

/// Statements of an administrator in the container: the owner may not create users.
const USERS: &str = "create user 'o''hara'@'%' identified by 'her-password'; grant select (id) on trial.parent to 'o''hara'@'%'; \
    grant execute on function trial.twice to 'o''hara'@'%'; create role readers; grant select on trial.* to readers; \
    grant readers to 'o''hara'@'%'; set default role readers for 'o''hara'@'%'";

pub async fn connect(portal: &TestPortal, name: &str, user: &str, password: &str) -> mysql_async::Result<Conn> {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(portal.port(name))
        .db_name(Some("trial"))
        .user(Some(user))
        .pass(Some(password))
        .prefer_socket(false);
    Conn::new(options).await
}

/// Runs statements as the portal's administrator.
pub fn as_admin(portal: &TestPortal, name: &str, statements: &str) -> String {
    let script = "MYSQL_PWD=$(cat /etc/db4sci/admin_password) exec mariadb --no-defaults -h127.0.0.1 --skip-ssl -uroot -N -e \"$1\"";
    let container = portal.container(name);
    docker::docker(&["exec", "--user", "mysql", &container, "sh", "-c", script, "sh", statements])
}

pub async fn lab(image: &str) -> (TestPortal, Client, Conn) {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("engine", "mariadb"), ("image", image)]).await;
    let db = connect(&portal, "lab", "ada", "correct-horse").await.expect("signs in");
    (portal, ada, db)
}

async fn there_and_back(image: &str, by_hand: bool) {
    let (portal, ada, mut db) = lab(image).await;
    for statement in FILL {
        db.query_drop(*statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/maria-sequence-default/setup.sql");
    for statement in std::fs::read_to_string(case).expect("the case").split(";\n").filter(|s| !s.trim().is_empty()) {
        db.query_drop(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    as_admin(&portal, "lab", USERS);
    let id = back_up(&portal, &ada, "lab").await;
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    let notes = portal.sql(&format!("select manifest->>'notes' from backup_log where id = '{id}'"));
    for piece in ["leads_nowhere is not in this backup", "plain_text (MyISAM)", "rounded to six digits"] {
        assert!(notes.contains(piece), "{piece}: {notes}");
    }
    let fingerprints = portal.sql(&format!(
        "select count(*) || ' ' || count(c->>'fingerprint') from backup_log, jsonb_array_elements(manifest->'counts') c where id = '{id}' and c->>'kind' = 'table'"
    ));
    assert_eq!(fingerprints, "7 7");

    // A restore must not contain changes made after the backup.
    db.query_drop("delete from parent where id <= 50").await.expect("changes the data");
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "lab-2")]).await.expect(303);
    let (status, error) = portal.ended("restore").await;
    assert_eq!(status, "succeeded", "{error}");
    let shown = ada.post("/containers/lab-2/password", &[]).await.expect(200);
    let password = shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown");
    let mut again = connect(&portal, "lab-2", "ada", &password).await.expect("the new password opens the new database");
    let said: Option<(i64, i64, i64, i64)> = again
        .query_first(format!(
            "select (select sum(p) from child), (select n from a_second), twice(4), (select count(*) from {ODD} where body like '%🐘%' and h = 7 and v = id * 2 and hex(b) = '00FF27225C0A1A')"
        ))
        .await
        .expect("the copy is complete");
    assert_eq!(said, Some((5050, 100, 8, 3000)));
    let history: Option<i64> =
        again.query_first("select count(*) from versions for system_time all").await.expect("read");
    assert_eq!(history, Some(2), "with its history");
    let kept: Option<String> = again
        .query_first("select concat(default_collation_name, (select count(*) from information_schema.events), (select count(*) from information_schema.triggers)) from information_schema.schemata where schema_name = 'trial_an empty-one'")
        .await
        .expect("read");
    assert_eq!(kept.as_deref(), Some("latin1_german1_ci11"));
    again.query_drop("insert into child values (1)").await.expect("the user owns the copy");
    again
        .query_drop("insert into usesq (x) values (2)")
        .await
        .expect("its default takes the next number of the sequence");
    assert!(
        connect(&portal, "lab-2", "ada", "correct-horse").await.is_err(),
        "the old password does not open the copy"
    );
    let mut hers = connect(&portal, "lab-2", "o'hara", "her-password").await.expect("other users are restored");
    let may: Option<i64> = hers.query_first("select twice(count(id)) from parent").await.expect("with their rights");
    assert_eq!(may, Some(200));
    assert!(hers.query_drop("delete from parent").await.is_err(), "and without other rights");

    if by_hand {
        let image = docker::docker(&["inspect", "-f", "{{.Image}}", &portal.container("lab")]);
        let made = ["MARIADB_ROOT_PASSWORD=by-hand"];
        let plain = restore_script::restored(&portal, &id, &image, &made, "root", "MYSQL_PWD=by-hand", "3306");
        let query = "select (select sum(p) from trial.child), trial.twice(4), (select count(*) from mysql.user where user like 'o%hara')";
        let client = ["exec", "-e", "MYSQL_PWD=by-hand", &plain.name, "mariadb", "-uroot", "-N", "-e", query];
        assert_eq!(docker::docker(&client), "5050\t8\t1");
        restore_script::refuses_damage(&plain, "database-1.sql.zst");
    }

    for statement in ALTERED {
        db.query_drop(*statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    as_admin(&portal, "lab", "revoke readers from 'o''hara'@'%'; drop role readers");
    definitions::names_what_is_altered(&portal, &ada, "lab", &id, DIFFERENCES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_is_restored_unchanged_with_and_without_the_portal() {
    Box::pin(there_and_back("docker.io/library/mariadb:11.8", true)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn an_older_mariadb_is_restored_unchanged() {
    Box::pin(there_and_back("docker.io/library/mariadb:10.11", false)).await;
}

/// Databases of one server that depend on each other, whichever is restored first.
const ENTANGLED: &[&str] = &[
    "create database trial_b",
    "create table trial_b.tb (id int primary key)",
    "insert into trial_b.tb values (1), (2)",
    "create function trial_b.fb(i int) returns int return i * 2",
    "create sequence trial_b.sb",
    "create view trial_b.vb as select id from trial_b.tb",
    "create table ta (id int primary key, b int, foreign key (b) references trial_b.tb (id))",
    "insert into ta values (1, 1)",
    "create table tseq (id bigint default (nextval(trial_b.sb)), x int)",
    "insert into tseq (x) values (1)",
    "create view va as select * from trial_b.vb",
    "create view vf as select trial_b.fb(id) as f from ta",
    "create function usesv() returns int return (select max(id) from va)",
    "create view vv as select usesv() as x",
    "create trigger tg before insert on ta for each row set new.b = trial_b.fb(new.b)",
    "create view trial_b.vback as select * from trial.va",
];

#[tokio::test(flavor = "multi_thread")]
async fn databases_with_cross_references_and_other_definers_are_restored() {
    let (portal, ada, mut db) = lab("docker.io/library/mariadb:11.8").await;
    for statement in ENTANGLED {
        db.query_drop(*statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    as_admin(
        &portal,
        "lab",
        "create user 'o''hara'@'%' identified by 'x'; grant super, select on *.* to 'o''hara'@'%';
         create definer = 'o''hara'@'%' view trial.hers as select id from trial.ta;
         create definer = root@localhost procedure trial.roots() select current_user();
         create view trial.spy as select User from mysql.user; grant select on trial.spy to 'o''hara'@'%';
         create database elsewhere; create table elsewhere.e (id int); insert into elsewhere.e values (7)",
    );
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "4");
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "lab-2")]).await.expect(303);
    let (status, error) = portal.ended("restore").await;
    assert_eq!(status, "succeeded", "{error}");
    let said = portal.sql(
        "select string_agg(detail, ' ') from job_step where job_id in (select id from job where kind = 'restore')",
    );
    for piece in [
        "second attempt",
        "SUPER",
        "definer of 3 views",
        "Not rebuilt: CREATE ",
        "VIEW `spy` AS select",
        "(error 1142)",
    ] {
        assert!(said.contains(piece), "{piece}: {said}");
    }
    let shown = ada.post("/containers/lab-2/password", &[]).await.expect(200);
    let password = shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown");
    let mut again = connect(&portal, "lab-2", "ada", &password).await.expect("signs in");
    let all: Option<(i64, i64, i64, i64, i64)> = again
        .query_first("select (select count(*) from va), (select f from vf), (select x from vv), (select count(*) from trial_b.vback), (select count(*) from hers)")
        .await
        .expect("the copy is complete");
    assert_eq!(all, Some((2, 2, 2, 2, 1)), "{said}");
    again
        .query_drop("insert into tseq (x) values (2)")
        .await
        .expect("its default takes the next number of the sequence");
    let definers = as_admin(
        &portal,
        "lab-2",
        "select group_concat(distinct definer) from (select definer from information_schema.views where table_schema like 'trial%' union select definer from information_schema.routines where routine_schema like 'trial%') d",
    );
    assert_eq!(definers.trim(), "ada@%");
    let mighty = as_admin(
        &portal,
        "lab-2",
        "select concat((select id from elsewhere.e), group_concat(User order by User)) from mysql.user where Super_priv = 'Y' and User <> 'mariadb.sys'",
    );
    assert_eq!(mighty.trim(), "7root,root", "o'hara is not an administrator of the copy");
    let grants = as_admin(&portal, "lab-2", "show grants for ada@'%'");
    assert!(!grants.contains("db4sci") && !grants.contains("elsewhere"), "{grants}");
    assert!(told(&portal, "lab-2").contains("View spy in trial is missing."), "{}", told(&portal, "lab-2"));

    // A partial restore has a second attempt too, and contains nothing of the other databases.
    let part = [("name", "part"), ("only_database", "trial")];
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &part).await.expect(303);
    assert_eq!(portal.ended("restore").await, ("succeeded".to_owned(), String::new()));
    let said = told(&portal, "part");
    for piece in ["`spy`", "View va in trial is missing.", "tseq"] {
        assert!(said.contains(piece), "{piece}: {said}");
    }
    let kept = as_admin(
        &portal,
        "part",
        "select concat((select count(*) from trial.ta), ' ', group_concat(schema_name)) from information_schema.schemata where schema_name like 'trial%' or schema_name = 'elsewhere'",
    );
    assert_eq!(kept.trim(), "1 trial");
    // If rows cannot be restored, the test restore fails, and a restored database carries a notice about them.
    as_admin(
        &portal,
        "lab",
        "create sequence mysql.sq; create table trial.numbered (id bigint default nextval(mysql.sq), x int); insert into trial.numbered (x) values (1), (2)",
    );
    let id = back_up(&portal, &ada, "lab").await;
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    let (status, error) = portal.ended("drill").await;
    assert!(status == "failed" && error.contains("numbered in trial is missing; it had 2"), "{status} {error}");
    assert!(error.contains("Not rebuilt: ") && error.contains("mysql.sq"), "the reason is missing: {error}");
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "lab-3")]).await.expect(303);
    assert_eq!(portal.ended("restore").await, ("succeeded".to_owned(), String::new()));
    assert!(told(&portal, "lab-3").contains("numbered in trial is missing; it had 2"), "{}", told(&portal, "lab-3"));
    assert_eq!(as_admin(&portal, "lab-3", "select count(*) from trial_b.vback").trim(), "2");
}

/// The notice for the owner of a restored database about its differences.
fn told(portal: &TestPortal, name: &str) -> String {
    portal.sql(&format!(
        "select text from notice join container c on c.id = container_id where c.name = '{name}' and kind = 'restore_differs'"
    ))
}
