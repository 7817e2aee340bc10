//! Dumps that consist of several files, as templates and as databases, with real servers.

use std::path::{Path, PathBuf};

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::{dumps, portal, update};
use crate::backups::dump::frozen_copy::place;
use crate::backups::import::load::{named, report, send, shell, staged};
use crate::engines::{Place, sign_in};
use crate::support::docker::docker;
use crate::support::{Client, TestPortal};

/// Hidden directories of loads.
fn scratch(portal: &TestPortal) -> usize {
    let tiers = portal.config.storage.iter().map(|t| t.path.join(&portal.instance));
    let names = tiers.filter_map(|d| std::fs::read_dir(d).ok()).flat_map(|d| d.flatten().map(|e| e.file_name()));
    names.filter(|n| n.to_string_lossy().starts_with(".dump-")).count()
}

/// Writes a file into a directory of dumps of this name.
fn file(portal: &TestPortal, dir: &str, name: &str, content: impl AsRef<[u8]>) {
    let dir = dumps(portal).join(dir);
    std::fs::create_dir_all(&dir).expect("a directory");
    std::fs::write(dir.join(name), content).expect("a file");
}

async fn shown(api: &Client, name: &str) -> Value {
    api.get(&format!("/api/v1/templates/{name}")).await.expect(200).json()
}

/// The error of the latest import.
async fn error(api: &Client, name: &str) -> String {
    let t = shown(api, name).await;
    assert_eq!(t["versions"][0]["status"], json!("failed"), "{t}");
    t["versions"][0]["error"].as_str().expect("an error").to_owned()
}

/// A word in a database made from a template.
async fn word(portal: &TestPortal, api: &Client, engine: EngineKind, template: &str) -> Option<String> {
    let name = format!("{template}-copy");
    let path = format!("/api/v1/templates/{template}/clone");
    let made = api.outcome(Method::POST, &path, &json!({ "name": name })).await.expect(201).json();
    let password = made["password"].as_str().expect("a password");
    let names = (template.to_owned(), template.to_owned());
    let at = Place { dbname: names.0, dbuser: names.1, ..place(portal, engine, &name) };
    let mut session = sign_in(&at, password).await.expect("its user signs in");
    session.put("own", "written").await.expect("its owner writes");
    session.get("word").await.expect("reads")
}

/// A tar archive of a directory of dumps.
fn packed(portal: &TestPortal, dir: &str, name: &str) -> PathBuf {
    let to = portal.dir.join(name);
    shell(&format!("tar -caf '{}' -C '{}' '{dir}'", to.display(), dumps(portal).display()), Path::new("/"));
    to
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_directory_is_loaded_directly_and_as_a_tar_archive() {
    let portal = portal().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&portal.admin().await).await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute(
        "create table kept (key varchar(80) primary key, value text);
         insert into kept values ('word', 'from the directory');
         create table many as select i, md5(i::text) as body from generate_series(1, 50000) i;
         select lo_from_bytea(7, 'a large object');",
    )
    .await
    .expect("fills");
    let made = docker(&[
        "exec",
        "-u",
        "postgres",
        "-e",
        "PGPASSWORD=correct-horse",
        &portal.container("lab"),
        "sh",
        "-c",
        "pg_dump -h 127.0.0.1 -U ada -Fd -j 2 -f /tmp/shop trial && chmod -R a+rX /tmp/shop && ls /tmp/shop",
    ]);
    assert!(made.contains("toc.dat") && made.contains("blob_7.dat"), "{made}");
    let from = format!("{}:/tmp/shop", portal.container("lab"));
    docker(&["cp", &from, &dumps(&portal).display().to_string()]);

    let done = update(&portal, &api).await;
    assert_eq!(done["importing"], json!(["shop"]), "{done}");
    let shop = shown(&api, "shop").await;
    assert_eq!((&shop["version"], &shop["engine"]), (&json!(1), &json!("postgres")), "{shop}");
    let one = &shop["versions"][0];
    assert_eq!((&one["report"]["rows"], &one["report"]["format"]), (&json!(50001), &json!("pg-directory")), "{shop}");
    assert_eq!(word(&portal, &api, EngineKind::Postgres, "shop").await.as_deref(), Some("from the directory"));
    let done = update(&portal, &api).await;
    assert_eq!(done["unchanged"], json!(["shop"]), "{done}");

    // The same as the dump of a new database.
    let token = portal.token_secret(&ada).await;
    let archive = packed(&portal, "shop", "shop.tar.gz");
    let fields = [("engine", "postgres"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];
    let (_, status, body) = send(&portal, &token, &named("loaded", &fields), &archive, &[]);
    assert_eq!(status, "201", "{body}");
    assert_eq!(
        (report(&portal, "loaded", "'rows'"), report(&portal, "loaded", "'failed'")),
        ("50001".into(), "0".into())
    );
    let db = portal.connect("loaded", "correct-horse").await.expect("signs in");
    let large = db.query_one("select convert_from(lo_get(7), 'utf8')", &[]).await.expect("reads");
    assert_eq!(large.get::<_, &str>(0), "a large object");
    assert_eq!((staged(&portal), scratch(&portal)), (0, 0));
    let left = docker(&["exec", &portal.container("loaded"), "ls", "/tmp"]);
    assert!(!left.contains("tmp."), "{left}");

    // What does not belong to it is named, and a part that is missing fails the import.
    file(&portal, "shop", "run.sh", "touch /tmp/owned\n");
    update(&portal, &api).await;
    assert!(error(&api, "shop").await.contains("run.sh is not a file of pg_dump"));
    std::fs::remove_file(dumps(&portal).join("shop/run.sh")).expect("removed");
    let data = std::fs::read_dir(dumps(&portal).join("shop")).expect("read").flatten().map(|e| e.path());
    let data = data.max_by_key(|path| std::fs::metadata(path).map_or(0, |about| about.len())).expect("a file");
    std::fs::remove_file(&data).expect("removed");
    update(&portal, &api).await;
    let said = error(&api, "shop").await;
    // The tool names it without the ending of its compression.
    let name = data.file_name().expect("a name").to_string_lossy().replace(".gz", "");
    assert!(said.contains(&name), "{name}: {said}");
    let file = packed(&portal, "shop", "cut.tar");
    let whole = std::fs::read(&file).expect("read");
    std::fs::write(&file, whole.get(..whole.len() / 2).expect("half of it")).expect("written");
    let (_, status, body) = send(&portal, &token, &named("cut", &fields), &file, &[]);
    assert!(status == "422" && body.contains("cannot be read to the end"), "{status} {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mydumper_directory_is_loaded_in_the_right_order() {
    let portal = portal().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&portal.admin().await).await;
    let packed_rows = zstd::encode_all(
        b"/*!40101 SET NAMES binary*/;\nINSERT INTO `kept` VALUES ('word','from mydumper'),('a;b','two\\\nlines');\n"
            .as_slice(),
        1,
    );
    for (name, content) in [
        ("metadata", &b"# Started dump at: 2026-11-30 01:00:00\n# Finished dump at: 2026-11-30 01:00:01\n"[..]),
        ("shop-schema-create.sql", b"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;\n"),
        // The child is before its parent, by name.
        (
            "shop.child-schema.sql",
            b"/*!40101 SET NAMES binary*/;\n/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\nCREATE TABLE `child` (`id` int PRIMARY KEY, \
              `parent` varchar(80), CONSTRAINT `c` FOREIGN KEY (`parent`) REFERENCES `kept` (`key`)) ENGINE=InnoDB;\n",
        ),
        ("shop.child.00000.sql", b"INSERT INTO `child` VALUES (1,'word'),(2,'word');\n"),
        ("shop.kept-schema.sql", b"CREATE TABLE `kept` (`key` varchar(80) PRIMARY KEY, `value` longtext) ENGINE=InnoDB;\n"),
        ("shop.kept.00000.sql.zst", &packed_rows.expect("packed")),
        ("shop.seen-schema.sql", b"CREATE TABLE `seen` (`n` int);\n"),
        ("shop.seen-schema-view.sql", b"DROP TABLE IF EXISTS `seen`;\nCREATE VIEW `seen` AS SELECT count(*) AS n FROM `kept`;\n"),
        (
            "shop.child-schema-triggers.sql",
            b"CREATE DEFINER=`root`@`%` TRIGGER `t` BEFORE INSERT ON `child` FOR EACH ROW BEGIN\n  SET NEW.id = NEW.id + 100; \nEND;\n",
        ),
        ("shop-schema-post.sql", b"CREATE PROCEDURE `twice`(IN n int)\nBEGIN\n  SELECT n; \n  SELECT n; \nEND;\n"),
    ] {
        file(&portal, "shop", name, content);
    }
    update(&portal, &api).await;
    let shop = shown(&api, "shop").await;
    assert_eq!((&shop["version"], &shop["engine"]), (&json!(1), &json!("mariadb")), "{shop}");
    let one = &shop["versions"][0]["report"];
    assert_eq!((&one["rows"], &one["format"]), (&json!(4), &json!("maria-directory")), "{shop}");
    assert_eq!(word(&portal, &api, EngineKind::Mariadb, "shop").await.as_deref(), Some("from mydumper"));

    // The same as the dump of a new database, with a statement that fails: it is reported with its file and line.
    file(
        &portal,
        "shop",
        "shop.child.00001.sql",
        "INSERT INTO `child` VALUES (3,'word');\nINSERT INTO `child` VALUES (1,'word');\n",
    );
    let archive = packed(&portal, "shop", "shop.tar");
    let token = portal.token_secret(&ada).await;
    let fields = [("engine", "mariadb"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];
    let (_, status, body) = send(&portal, &token, &named("loaded", &fields), &archive, &[]);
    assert_eq!(status, "201", "{body}");
    assert_eq!(report(&portal, "loaded", "'failed'"), "1");
    assert_eq!(report(&portal, "loaded", "'failures'->0->>'file'"), "shop.child.00001.sql");
    assert_eq!(report(&portal, "loaded", "'failures'->0->'line'"), "2");
    let job = portal.sql("select id from job where kind = 'load' order by created_at desc limit 1");
    let page = ada.get(&format!("/jobs/{job}")).await.expect(200).text();
    assert!(page.contains("shop.child.00001.sql"), "{page}");
    assert_eq!((staged(&portal), scratch(&portal)), (0, 0));

    // A template has no part of its data missing.
    update(&portal, &api).await;
    let said = error(&api, "shop").await;
    assert!(said.starts_with("shop.child.00001.sql, line 2: ") && said.contains("Duplicate entry"), "{said}");
    file(&portal, "shop", "shop.child.00001.sql.gz", b"\x1f\x8bnot gzip at all");
    update(&portal, &api).await;
    assert!(error(&api, "shop").await.contains("shop.child.00001.sql.gz"));
    std::fs::remove_file(dumps(&portal).join("shop/shop.child.00001.sql.gz")).expect("removed");
    file(&portal, "shop", "shop.child.00002.dat", "1\tword\n");
    update(&portal, &api).await;
    assert!(error(&api, "shop").await.contains("shop.child.00002.dat cannot be loaded"));
    assert_eq!(shown(&api, "shop").await["version"], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn mydumper_rows_in_separate_files_are_loaded() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    let tabs = r"FIELDS TERMINATED BY '\t' ENCLOSED BY '' ESCAPED BY '\\' LINES STARTING BY '' TERMINATED BY '\n'";
    let commas = r#"FIELDS TERMINATED BY ',' ENCLOSED BY '"' ESCAPED BY '\\' LINES STARTING BY '' TERMINATED BY '\n'"#;
    let load = |table: &str, how: &str, columns: &str| {
        format!(
            "/*!40101 SET NAMES binary*/;\n/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\nLOAD DATA LOCAL INFILE '/etc/passwd' \
             REPLACE INTO TABLE `{table}` CHARACTER SET binary {how} {columns};\n"
        )
    };
    let forms = "(`id`,@doc,@raw,`at`,`price`)SET `doc`=CONVERT(@doc USING UTF8MB4),`raw`=UNHEX(@raw)";
    let many = (0..2500).map(|n| format!("{n}\t\\N\n")).collect::<Vec<_>>().concat();
    let kinds = "7,\"{\\\"a\\\": 1}\",00FF27,\"2026-11-30 01:02:03\",1.50\n8,\\N,\\N,\\N,\\N\n";
    let text = "varchar(80) CHARACTER SET utf8mb4";
    for (name, content) in [
        ("metadata", "# Finished dump at: 2026-11-30 01:00:01\n".to_owned()),
        ("shop.kept-schema.sql", format!("CREATE TABLE `kept` (`key` {text} PRIMARY KEY, `value` {text});\n")),
        ("shop.kept.00000.sql", load("kept", tabs, "(`key`,`value`)")),
        ("shop.kept.00000.dat", "word\tfrom a file of rows\nCafé\ttwo\\nlines, \\'quoted\\'\n".to_owned()),
        (
            "shop.kinds-schema.sql",
            "CREATE TABLE `kinds` (`id` int, `doc` json, `raw` blob, `at` datetime, `price` decimal(8,2));\n"
                .to_owned(),
        ),
        ("shop.kinds.00000.sql", load("kinds", commas, forms)),
        ("shop.many-schema.sql", "CREATE TABLE `many` (`n` int PRIMARY KEY, `nothing` text);\n".to_owned()),
        ("shop.many.00000.sql", load("many", tabs, "(`n`,`nothing`)")),
        ("shop.many.00000.dat", many.clone()),
    ] {
        file(&portal, "shop", name, content);
    }
    file(&portal, "shop", "shop.kinds.00000.dat.zst", zstd::encode_all(kinds.as_bytes(), 1).expect("packed"));
    // Fails if anything is other than in the files.
    super::write(
        &portal,
        "shop.post.sql",
        "create table checked as select if(
           (select count(*) from kept where hex(`key`) = '436166C3A9'
               and `value` = concat('two', char(10), 'lines, ''quoted''')) = 1
           and (select count(*) from kinds where id = 7 and json_value(doc, '$.a') = 1 and hex(raw) = '00FF27'
               and `at` = '2026-11-30 01:02:03' and price = 1.5) = 1
           and (select count(*) from kinds where id = 8 and doc is null and raw is null and price is null) = 1
           and (select sum(n) from many where nothing is null) = 3123750, 1, (select 1 union select 2)) as ok;\n",
    );
    update(&portal, &api).await;
    let shop = shown(&api, "shop").await;
    assert_eq!((&shop["version"], &shop["versions"][0]["report"]["rows"]), (&json!(1), &json!(2505)), "{shop}");
    assert_eq!(word(&portal, &api, EngineKind::Mariadb, "shop").await.as_deref(), Some("from a file of rows"));

    // What cannot be loaded is named with its file and line.
    for (name, content, words) in [
        ("shop.many.00000.dat", format!("{many}1\t2\t3\n"), "shop.many.00000.dat: line 2501: it has 3 columns"),
        ("shop.many.00000.dat", many.replace("7\t", "seven\t"), "shop.many.00000.dat, line "),
        (
            "shop.many.00000.sql",
            load("many", tabs, "(`n`,@b) SET `nothing`=load_file(@b)"),
            "without --load-data and --csv",
        ),
    ] {
        file(&portal, "shop", name, content);
        update(&portal, &api).await;
        let said = error(&api, "shop").await;
        assert!(said.contains(words), "{name}: {said}");
    }
    assert_eq!(shown(&api, "shop").await["version"], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_as_json_lines_and_csv_are_loaded() {
    let portal = portal().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&portal.admin().await).await;
    let kept =
        "{\"_id\": \"word\", \"value\": \"from JSON\"}\n{\"_id\": \"other\", \"value\": {\"$numberLong\": \"7\"}}\n";
    file(&portal, "lab", "kept.jsonl", kept);
    let rows = (0..3000).map(|n| format!("{n},m{n},{}.5,1,2,3,4,5,6,7\n", n % 40)).collect::<Vec<_>>().concat();
    let header = "id,name,weight,a,b,c,d,e,f,g\n";
    let mice = flate2_of(&format!("{header}{rows}"));
    file(&portal, "lab", "mice.csv.gz", &mice);
    update(&portal, &api).await;
    let lab = shown(&api, "lab").await;
    assert_eq!((&lab["version"], &lab["engine"]), (&json!(1), &json!("mongodb")), "{lab}");
    let one = &lab["versions"][0]["report"];
    assert_eq!(
        (&one["rows"], &one["tables"], &one["format"]),
        (&json!(3002), &json!(2), &json!("mongo-files")),
        "{lab}"
    );
    assert_eq!(word(&portal, &api, EngineKind::Mongodb, "lab").await.as_deref(), Some("from JSON"));

    // 10 columns, then 11.
    file(&portal, "lab", "mice.csv.gz", flate2_of(&format!("{header}{rows}1,2,3,4,5,6,7,8,9,10,11\n")));
    update(&portal, &api).await;
    assert_eq!(error(&api, "lab").await, "mice.csv.gz, line 3002: it has 11 columns, but line 1 has 10.");
    file(&portal, "lab", "mice.csv.gz", &mice);
    file(&portal, "lab", "kept.jsonl", format!("{kept}{{\"_id\": \"word\"}}\n"));
    update(&portal, &api).await;
    let said = error(&api, "lab").await;
    assert!(said.starts_with("kept.jsonl, line 3: ") && said.contains("E11000"), "{said}");
    file(&portal, "lab", "kept.jsonl", format!("{kept}{{\"_id\": \n"));
    update(&portal, &api).await;
    assert!(error(&api, "lab").await.starts_with("kept.jsonl, line 3: "));
    assert_eq!(shown(&api, "lab").await["version"], json!(1));

    // A new database is loaded from one file, and what the server rejects is reported.
    let token = portal.token_secret(&ada).await;
    let one = portal.dir.join("kept.jsonl");
    std::fs::write(&one, format!("{kept}{{\"_id\": \"word\"}}\n")).expect("written");
    let fields = [("engine", "mongodb"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];
    let (_, status, body) = send(&portal, &token, &named("loaded", &fields), &one, &[]);
    assert_eq!(status, "201", "{body}");
    assert_eq!((report(&portal, "loaded", "'rows'"), report(&portal, "loaded", "'failed'")), ("2".into(), "1".into()));
    assert_eq!(report(&portal, "loaded", "'failures'->0->'line'"), "3");
    let mut session = sign_in(&place(&portal, EngineKind::Mongodb, "loaded"), "correct-horse").await.expect("signs in");
    assert_eq!(session.get("word").await, Ok(Some("from JSON".to_owned())));
    assert_eq!((staged(&portal), scratch(&portal)), (0, 0));
}

fn flate2_of(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, text.as_bytes()).expect("packed");
    packer.finish().expect("packed")
}
