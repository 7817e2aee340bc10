//! MariaDB: views, functions, triggers, events, defaults and names that try to gain the administrator's privileges.

use mysql_async::prelude::Queryable;

use super::password;
use crate::backups::back_up;
use crate::backups::disaster::rebuild::{lost_and_rebuilt, with_recovery_key};
use crate::backups::dump::mariadb::{as_admin, connect};
use crate::backups::import::load;
use crate::support::{Client, TestPortal, docker};

/// Names that do harm if they are put into a shell, an option or a statement without quoting.
const NAMES: &[&str] = &[
    "a\n'; GRANT ALL ON *.* TO ada; --",
    "`; CREATE USER evil@'%'; -- `",
    "$(touch /tmp/owned)",
    "-c touch",
    "--ignore-table=trial.t",
    "x\tlooked 1 0 0",
    "\\n\\! touch /tmp/owned",
    "db4sci: {\"sum\":{\"code\":0}}",
    "broken 41",
    "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢",
    "DELIMITER x",
    "%s%n{}\"'",
];

/// Statements of the owner. A trap records who ran it and with whose privileges, and tries to gain more.
const TRAPS: &[&str] = &[
    "create table sprung (what varchar(64), by_whom varchar(200), rights varchar(200)) engine = MyISAM",
    "create table t (id int primary key auto_increment, x varchar(200))",
    "create function climb(what varchar(64)) returns int begin
       declare continue handler for sqlexception begin end;
       insert into trial.sprung values (what, user(), current_user());
       update mysql.global_priv set Priv = json_set(Priv, '$.access', 1099511627775) where User = 'ada';
       insert into mysql.db select * from mysql.db;
       set global max_connections = 7;
       set global general_log = 1;
       set @database = 'mysql', @admin = 'x', @name = 'root', @holder = 0, @fingerprints = 0;
       return 1;
     end",
    "create function climb_as_caller(what varchar(64)) returns int sql security invoker begin
       declare continue handler for sqlexception begin end;
       insert into trial.sprung values (what, user(), current_user());
       update mysql.global_priv set Priv = json_set(Priv, '$.access', 1099511627775) where User = 'ada';
       set global max_connections = 7;
       return 1;
     end",
    "create function climb_once(what varchar(64)) returns int deterministic sql security invoker begin
       declare continue handler for sqlexception begin end;
       insert into trial.sprung values (what, user(), current_user());
       set global max_connections = 7;
       return 1;
     end",
    "create procedure leap() sql security invoker begin
       declare continue handler for sqlexception begin end;
       insert into trial.sprung values ('procedure', user(), current_user());
       execute immediate 'grant all privileges on *.* to ada with grant option';
       execute immediate 'create user evil@''%''';
       execute immediate 'select 1 into outfile ''/tmp/owned''';
     end",
    "create sql security invoker view seen_by_caller as select climb_as_caller('invoker view') as c, id from t",
    "create sql security invoker view seen_at_once as select id from t where climb_once('constant') = 1",
    "create sql security invoker view seen_below as select id from t where id = (select climb_as_caller('subquery')) limit 1",
    "create sql security definer view seen as select climb('definer view') as c, id from t",
    "create algorithm = temptable view kept as select max(climb('temptable')) as m from t group by x having climb('having') = 1",
    "create view above as select * from seen",
    "create view slow as select sleep(100) as s, benchmark(100000000000, md5('x')) as b from t",
    "create table gone (x int)",
    "create view leads_nowhere as select x from gone",
    "drop table gone",
    "create trigger on_insert before insert on t for each row set new.x = concat(new.x, climb('trigger'))",
    "create trigger on_update after update on t for each row do climb_as_caller('trigger')",
    // A reader of the dump must not take this for a setting: it would parse the following statements differently.
    "create table `misleads` (a varchar(99) default 'set sql_mode' comment 'set sql_mode = NO_BACKSLASH_ESCAPES')",
    "insert into `misleads` values ('it\\'s; \\\\'), (';\\n')",
    "create event ticks on schedule every 1 second do call leap()",
    "create sequence counts start with 3",
    "create table numbered (id bigint default (nextval(counts)), who varchar(200) default (current_user()), made varchar(99) as (concat('x', who)) virtual, kept varchar(99) as (left(who, 9)) stored, check (length(who) > 0))",
    "create table looks (id int, who varchar(200) as (concat(current_user(), user())) virtual)",
    "insert into numbered () values (), ()",
    "insert into looks (id) values (1)",
    "insert into t (x) values ('one'), ('two')",
    "create table outside (id int) data directory = '/tmp' engine = MyISAM",
    "insert into outside values (1)",
];

fn name(n: &str) -> String {
    format!("`{}`", n.replace('`', "``"))
}

async fn set_traps(portal: &TestPortal, container: &str) {
    let mut db = connect(portal, container, "ada", "correct-horse").await.expect("signs in");
    for statement in TRAPS {
        db.query_drop(*statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    for n in NAMES {
        let quoted = name(n);
        for statement in [
            format!("create table {quoted} ({quoted} int, key {quoted} ({quoted})) comment = '\\n-- `'"),
            format!("insert into {quoted} values (1)"),
            format!(
                "create sql security invoker view {} as select climb_as_caller('a name') as {quoted}",
                name(&format!("v {n}"))
            ),
            format!("create trigger {quoted} before delete on {quoted} for each row do climb('a name')"),
            format!("create function {quoted}() returns int return climb('a name')"),
            format!("create event {quoted} on schedule every 1 day do do climb('a name')"),
        ] {
            db.query_drop(&statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
    }
    // Some traps ran while they were set.
    db.query_drop("truncate table sprung").await.expect("cleans");
}

/// Every trap ran with the owner's privileges, and no account has gained privileges.
fn nothing_climbed(portal: &TestPortal, container: &str, after: &str) {
    let ask = |query: &str| as_admin(portal, container, query);
    let others =
        "select group_concat(distinct what, ' ', by_whom, ' ', rights) from trial.sprung where rights <> 'ada@%'";
    assert_eq!(ask(others).trim(), "NULL", "{after}: a trap ran with the privileges of another account");
    let ran = "select group_concat(distinct what, ' ', by_whom) from trial.sprung where by_whom not like 'ada@%'";
    assert_eq!(ask(ran).trim(), "NULL", "{after}: a trap ran in a session of the portal");
    let mighty = "select group_concat(distinct User) from mysql.user where User not in ('root', 'mariadb.sys') and 'Y' in (Super_priv, Grant_priv, Create_user_priv, File_priv, Insert_priv, Update_priv)";
    assert_eq!(ask(mighty).trim(), "NULL", "{after}: an account has gained privileges");
    let changed = "select concat(@@global.max_connections, @@global.general_log, (select count(*) from mysql.user where User = 'evil'), (select count(*) from mysql.user where User = 'db4sci_rebuild'), (select count(*) from information_schema.TABLES where TABLE_SCHEMA = 'mysql' and TABLE_NAME like 'db4sci%'))";
    assert_eq!(ask(changed).trim(), "100OFF000", "{after}: the server was changed");
    let script = "ls /tmp | grep -x -e owned -e x; true";
    let left = docker::docker_ok(&["exec", &portal.container(container), "sh", "-c", script]);
    assert_eq!(left.trim(), "", "{after}: a file was written");
}

async fn done(portal: &TestPortal, kind: &str) {
    let (status, error) = portal.ended(kind).await;
    assert_eq!(status, "succeeded", "{kind}: {error}");
}

/// Everything that was set is there and works.
async fn works(portal: &TestPortal, container: &str, password: &str) {
    let mut db = connect(portal, container, "ada", password).await.expect("signs in");
    for n in NAMES {
        let rows: Option<i64> =
            db.query_first(format!("select count(*) from {}", name(n))).await.expect("the table is there");
        assert_eq!(rows, Some(1), "{n}");
    }
    let views: Option<i64> = db
        .query_first("select count(*) from information_schema.views where table_schema = 'trial'")
        .await
        .expect("reads");
    assert_eq!(views, Some(7 + 12), "every view except the one with a dropped table");
    let numbers: Option<i64> = db.query_first("select count(distinct id) from numbered").await.expect("reads");
    assert_eq!(numbers, Some(2));
    db.query_drop("insert into numbered () values ()").await.expect("its default works");
    db.query_drop("delete from numbered order by id desc limit 1").await.expect("deletes");
    let seen: Vec<(i64, i64)> = db.query("select c, id from seen order by id").await.expect("views work");
    assert_eq!(seen.len(), 2);
    db.query_drop("truncate table sprung").await.expect("cleans");
}

/// Dumps the traps by hand and loads the dump into a new database.
async fn load(portal: &TestPortal, ada: &Client) {
    let script = "MYSQL_PWD=$(cat /etc/db4sci/admin_password) exec mariadb-dump --no-defaults -h127.0.0.1 --skip-ssl -uroot \
                  --routines --events --triggers --force trial";
    let container = portal.container("lab");
    let dump = docker::docker(&["exec", &container, "sh", "-c", &format!("{script}; true")]);
    // A failed statement is quoted in the report, which cannot contain a zero byte.
    let dump = format!("{dump}\nCREATE TABLE refused (a '\0');\n");
    let file = load::written(portal, "traps.sql", dump.as_bytes());
    let fields = [("engine", "mariadb"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];
    let token = load::token(ada).await;
    let (_, status, said) = load::send(portal, &token, &load::named("loaded", &fields), &file, &[]);
    assert_eq!(status, "201", "{said}");
    nothing_climbed(portal, "loaded", "a load of a dump");
    ada.post("/containers/loaded/delete", &[("confirm", "loaded"), ("no_backup", "on")]).await.expect(303);
    ada.wait_for("loaded", "in the trash").await;
}

async fn trapped(image: &str, later: Option<&str>) {
    let (mut portal, key) = with_recovery_key().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("engine", "mariadb"), ("image", image)]).await;
    set_traps(&portal, "lab").await;

    let report = portal.scan().await;
    assert_eq!(report["failed"], 0, "{}", portal.sql("select error from survey"));
    nothing_climbed(&portal, "lab", "a scan");

    let id = back_up(&portal, &ada, "lab").await;
    nothing_climbed(&portal, "lab", "a backup");
    done(&portal, "drill").await;

    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "lab-2")]).await.expect(303);
    done(&portal, "restore").await;
    nothing_climbed(&portal, "lab-2", "a restore");
    works(&portal, "lab-2", &password(&ada, "lab-2").await).await;

    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "one"), ("only_database", "trial")])
        .await
        .expect(303);
    done(&portal, "restore").await;
    nothing_climbed(&portal, "one", "a restore of one database");

    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("in_place", "true"), ("confirm", "lab")])
        .await
        .expect(303);
    done(&portal, "restore-in-place").await;
    ada.wait_for("lab", "running").await;
    nothing_climbed(&portal, "lab", "a restore in place");
    works(&portal, "lab", "correct-horse").await;

    if let Some(later) = later {
        ada.post("/containers/lab/upgrade", &[("image", later), ("confirm", "lab")]).await.expect(303);
        done(&portal, "upgrade").await;
        ada.wait_for("lab", "running").await;
        nothing_climbed(&portal, "lab", "an upgrade");
        works(&portal, "lab", "correct-horse").await;
    }

    // The dump of a routine ends at a zero byte within quotes, so that everything after it would be part of the string.
    let mut db = connect(&portal, "lab", "ada", "correct-horse").await.expect("signs in");
    db.query_drop("create procedure zero() select 'a\0b'").await.expect("the server takes it");
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let (status, error) = portal.ended("backup").await;
    assert!(status == "failed" && error.contains("The procedure trial.zero has a zero byte"), "{status}: {error}");
    db.query_drop("drop procedure zero").await.expect("drops");
    drop(db);

    ada.post("/containers/lab/rotate-password", &[]).await.expect(303);
    done(&portal, "rotate-password").await;
    nothing_climbed(&portal, "lab", "a new password");
    works(&portal, "lab", &password(&ada, "lab").await).await;

    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    done(&portal, "delete").await;
    ada.post("/containers/lab/undelete", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    nothing_climbed(&portal, "lab", "a deletion with a final backup");

    if later.is_none() {
        load(&portal, &ada).await;
        lost_and_rebuilt(&mut portal, &key, "lab").await;
        portal.admin().await.wait_for("lab", "running").await;
        nothing_climbed(&portal, "lab", "a rebuild from the bucket");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_owners_never_gain_privileges() {
    Box::pin(trapped("docker.io/library/mariadb:11.8", None)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn mariadb_owners_never_gain_privileges_in_an_older_version_or_upgrade() {
    Box::pin(trapped("docker.io/library/mariadb:10.11", Some("docker.io/library/mariadb:11.8"))).await;
}
