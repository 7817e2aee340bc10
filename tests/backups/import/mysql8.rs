//! A MySQL 8 dump loaded into MariaDB: collations, definers and replication statements are converted or omitted, and
//! reported.

use mysql_async::prelude::Queryable;

use crate::backups::dump::mariadb::connect;
use crate::backups::import::load::{named, report, send, token};
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_mysql_8_loads_completely() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let token = token(&ada).await;
    let file = std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/mysql8-dump/dump.sql"));
    for (name, image) in [("late", "docker.io/library/mariadb:11.8"), ("early", "docker.io/library/mariadb:10.11")] {
        let fields = [
            ("engine", "mariadb"),
            ("image", image),
            ("dbname", "trial"),
            ("dbuser", "ada"),
            ("dbuserpass", "correct-horse"),
        ];
        let (_, status, said) = send(&portal, &token, &named(name, &fields), &file, &[]);
        assert_eq!(status, "201", "{name}: {said}");
        assert_eq!(report(&portal, name, "'failed'"), "0", "{name}: {}", report(&portal, name, "'failures'"));
        let told = report(&portal, name, "'told'");
        for words in ["definer of 3 views", "utf8mb4_0900_ai_ci by", "4 server-wide statements"] {
            assert!(told.contains(words), "{name}: {words}: {told}");
        }
        let mut db = connect(&portal, name, "ada", "correct-horse").await.expect("signs in");
        let rows: Vec<(i64, String)> = db.query("select id, name from customer order by id").await.expect("rows");
        assert_eq!(rows, [(1, "Ä one".to_owned()), (2, "two 🐘".to_owned())]);
        let seen: Option<i64> = db.query_first("select count(*) from names").await.expect("the view");
        assert_eq!(seen, Some(2));
        db.query_drop("call count_them()").await.expect("the procedure");
        db.query_drop("insert into customer (name) values (' three ')").await.expect("writes");
        let trimmed: Option<String> = db.query_first("select name from customer where id = 3").await.expect("reads");
        assert_eq!(trimmed.as_deref(), Some("three"), "the trigger works");
    }
}
