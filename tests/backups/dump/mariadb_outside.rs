//! A MariaDB created by a portal that still allowed tables outside the data directory: such tables and partitions are
//! reported.

use mysql_async::prelude::Queryable;

use crate::backups::back_up;
use crate::backups::dump::mariadb::{as_admin, connect};
use crate::support::{TestPortal, docker};

/// Tables with files outside the data directory, and tables that only look as if they had some.
const TABLES: &[&str] = &[
    "create table far (id int) data directory = '/tmp/far'",
    "create table far_index (id int) engine = MyISAM index directory = '/tmp/far'",
    "create table ranged (id int) partition by range (id) (partition p0 values less than (10) data directory = '/tmp/far', partition p1 values less than (20))",
    "create table `sub ``é''` (id int) engine = Aria partition by range (id) subpartition by hash (id)
       (partition p0 values less than (10) (subpartition s0 data directory = '/tmp/far', subpartition s1),
        partition p1 values less than (20) (subpartition s2, subpartition s3))",
    "create table listed (a varchar(99), `DATA DIRECTORY = '` int) comment = 'it''s \\\\ '' DATA DIRECTORY = '
       partition by list columns (a) (partition p0 values in ('x\\' DATA DIRECTORY = ', '\\\\'), partition p1 values in (' INDEX DIRECTORY = '''))",
    "create table near (id int) partition by hash (id) partitions 2",
    "insert into ranged values (1), (11)",
    "insert into `sub ``é''` values (1), (11)",
];

#[tokio::test(flavor = "multi_thread")]
async fn partitions_outside_the_data_directory_are_reported() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    for (name, image) in [("late", "docker.io/library/mariadb:11.8"), ("early", "docker.io/library/mariadb:10.11")] {
        ada.create(name, &[("engine", "mariadb"), ("image", image), ("backup_freq", "Never")]).await;
        let container = portal.container(name);
        let script = "mkdir -p /tmp/far && chmod 777 /tmp/far && sed -i 's/^symbolic-links *= *0/symbolic-links = 1/' $(grep -rl '^symbolic-links' /etc)";
        docker::docker(&["exec", "-u", "0", &container, "sh", "-c", script]);
        docker::docker(&["restart", &container]);
        ada.wait_for(name, "running").await;
        let mut db = None;
        for _ in 0..100 {
            db = connect(&portal, name, "ada", "correct-horse").await.ok();
            if db.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        let mut db = db.expect("signs in");
        assert_eq!(as_admin(&portal, name, "select @@have_symlink").trim(), "YES");
        for statement in TABLES {
            db.query_drop(*statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
        let id = back_up(&portal, &ada, name).await;
        let notes = portal.sql(&format!("select string_agg(n, ' | ') from backup_log, jsonb_array_elements_text(manifest->'notes') n where id = '{id}'"));
        assert!(notes.contains("These tables of trial are outside the data directory, so snapshots and copies do not contain them: far, far_index."), "{notes}");
        assert!(notes.contains("Partitions of these tables of trial are outside the data directory, so snapshots and copies do not contain them: ranged, sub `é''."), "{notes}");
        // The location of the files is not compared: a restored server keeps them inside the data directory.
        assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()), "{name}");
        assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
        drop(db);
        docker::docker(&["stop", &container]);
    }
}
