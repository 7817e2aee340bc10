//! Imports: what becomes a version, and what does not.

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::json;

use super::myaas::place;
use super::{Scripts, dumps, portal, settled, sql, update, write};
use crate::backups::dump::frozen_copy;
use crate::backups::{cli, nothing_left};
use crate::engines::sign_in;

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_import_the_previous_version_stays_in_use() {
    let portal = portal().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\ninsert into mice values (1), (2);\n"));
    update(&portal, &api).await;
    let one = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&one["version"], &one["versions"][0]["report"]["rows"]), (&json!(1), &json!(2)), "{one}");

    // An unchanged dump is not imported again.
    let done = update(&portal, &api).await;
    assert_eq!((&done["importing"], &done["unchanged"]), (&json!([]), &json!(["shop"])), "{done}");

    // An error in the last line fails the import, and is shown with its line, its statement and the server's message.
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\ninsert into mices values (1);\n"));
    update(&portal, &api).await;
    let two = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&two["version"], &two["versions"][0]["status"]), (&json!(1), &json!("failed")), "{two}");
    let error = two["versions"][0]["error"].as_str().expect("an error");
    assert!(error.starts_with("shop.sql, line 3: ") && error.contains("\"mices\" does not exist"), "{error}");
    let page = admin.get("/templates/shop").await.expect(200).text();
    for text in ["The last import failed.", "shop.sql, line 3", "The previous version is still in use.", "current"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let list = admin.get("/templates").await.expect(200).text();
    assert!(list.contains("import failed") && list.contains("version 1 is in use"), "{list}");
    let notice = "Import of the template shop failed";
    let told = admin.get("/admin").await.expect(200).text();
    assert!(told.contains(notice) && told.contains("Version 1 is still in use."), "{told}");
    let made = api.outcome(Method::POST, "/api/v1/templates/shop/clone", &json!({ "name": "copy" })).await;
    let made = made.expect(201).json();
    assert!(made["password"].is_string(), "{made}");

    // A script next to the dump runs before the version is complete. Old versions are removed.
    write(&portal, "shop.post.sql", "delete from mice where id > 1;\n");
    write(
        &portal,
        "shop.sql",
        sql("create table mice (id int primary key);\ninsert into mice values (1), (2), (3);\n"),
    );
    update(&portal, &api).await;
    let three = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&three["version"], &three["versions"][0]["report"]["rows"]), (&json!(3), &json!(1)), "{three}");
    let told = admin.get("/admin").await.expect(200).text();
    assert!(!told.contains(notice), "{told}");
    write(&portal, "shop.post.sql", "delete from mice;\n");
    update(&portal, &api).await;
    portal.sql("update schedule set next_run = now() where name = 'template versions'");
    portal.until("select count(*) from template_version where removed_at is null", |said| said == "2").await;
    let four = api.get("/api/v1/templates/shop").await.expect(200).json();
    let states: Vec<_> = four["versions"].as_array().expect("versions").iter().map(|v| v["status"].clone()).collect();
    assert_eq!(json!(states), json!(["complete", "complete", "failed", "removed"]), "{four}");

    // If the script fails, so does the import.
    write(&portal, "shop.post.sql", "delete from mice;\ndrop table rats;\n");
    update(&portal, &api).await;
    let five = api.get("/api/v1/templates/shop").await.expect(200).json();
    let error = five["versions"][0]["error"].as_str().expect("an error");
    assert!(error.starts_with("shop.post.sql, line 2: ") && error.contains("rats"), "{error}");
    assert_eq!(five["version"], json!(4));

    // The same on the command line.
    let (code, said) = cli(&portal, &["template", "ls"]);
    assert!(
        code == 0 && said.lines().nth(1).is_some_and(|row| row.starts_with("shop  postgres  4        failed")),
        "{said}"
    );
    write(&portal, "shop.post.sql", "delete from mice;\n");
    let (code, said) = cli(&portal, &["template", "update"]);
    assert!(code == 0 && said.contains("importing shop\n1 being imported, 0 unchanged\n"), "{code} {said}");
    settled(&portal).await;
    let (code, said) = cli(&portal, &["template", "show", "shop"]);
    assert!(code == 0 && said.contains("6        complete, current"), "{said}");
    let (code, said) = cli(&portal, &["template", "import", "nothing.sql"]);
    assert!(code == 1 && said.contains("nothing.sql is not a dump in "), "{said}");

    // When the template is deleted, its directories are removed; databases made from it stay.
    let gone = api.json(Method::DELETE, "/api/v1/templates/shop?confirm=shop", &json!({})).await;
    gone.expect(200);
    portal.sql("update schedule set next_run = now() where name = 'template versions'");
    portal.until("select count(*) from template_version where removed_at is null", |said| said == "0").await;
    admin.get("/containers/copy").await.expect(200);
    nothing_left(&portal, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_files_are_named_and_a_missing_dump_keeps_its_template() {
    let portal = portal().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    write(&portal, "empty.sql", "");
    write(&portal, "short.sql", "select 1;");
    write(&portal, "notes.txt", "x".repeat(200));
    write(&portal, "-x.sql", sql("select 1;"));
    write(&portal, ".partial.sql", sql("select 1;"));
    std::os::unix::fs::symlink("/etc/passwd", dumps(&portal).join("link.sql")).expect("a link");
    write(&portal, "picture.sql", [&b"\x89PNG\r\n"[..], &[0; 200]].concat());
    let utf16: Vec<u8> =
        format!("\u{feff}{}", sql("create table t (i int);\n")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    write(&portal, "wide.sql", utf16);
    write(&portal, "marked.sql", format!("\u{feff}{}", sql("create table t (i int);\ninsert into t values (1);\n")));
    let done = update(&portal, &api).await;
    assert_eq!(done["importing"], json!(["marked", "wide"]), "{done}");
    let mut problems: Vec<_> =
        done["problems"].as_array().expect("problems").iter().map(|p| p["what"].as_str().expect("a file")).collect();
    problems.sort_unstable();
    assert_eq!(problems, ["-x.sql", "empty.sql", "link.sql", "notes.txt", "picture", "short.sql"], "{done}");
    let marked = api.get("/api/v1/templates/marked").await.expect(200).json();
    assert_eq!(marked["version"], json!(1), "{marked}");
    let wide = api.get("/api/v1/templates/wide").await.expect(200).json();
    assert_eq!(wide["version"], json!(1), "{wide}");
    let page = admin.get("/templates").await.expect(200).text();
    assert!(
        page.contains("It has only 9 bytes, so it is not a dump.") && page.contains("It is not a regular file."),
        "{page}"
    );

    // The directory is not mounted: templates keep working, and the reason is shown.
    std::fs::rename(dumps(&portal), dumps(&portal).with_extension("away")).expect("renamed");
    let said = api.json(Method::POST, "/api/v1/templates/update", &json!({})).await.expect(409).text();
    assert!(said.contains("cannot be read"), "{said}");
    api.json(Method::POST, "/api/v1/templates/wide/refresh", &json!({})).await.expect(202);
    settled(&portal).await;
    let wide = api.get("/api/v1/templates/wide").await.expect(200).json();
    assert_eq!((&wide["version"], &wide["versions"][0]["status"]), (&json!(1), &json!("failed")), "{wide}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_dumps_do_nothing_outside_their_database() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    let told = async |what: &str| {
        api.get(&format!("/api/v1/templates/{what}")).await.expect(200).json()["versions"][0].clone()
    };
    for (name, statements) in [
        ("shell", "create table t (i int);\n\\! touch /tmp/owned\n"),
        ("copyout", "create table t (i int);\n\\copy t to program 'touch /tmp/owned'\n"),
        ("program", "create table t (i int);\ncopy t from program 'touch /tmp/owned';\n"),
        ("other", "create table t (i int);\ndrop database other;\n"),
        ("file", "create table t (l text);\ncopy t from '/etc/passwd';\n"),
    ] {
        write(&portal, &format!("{name}.sql"), sql(statements));
    }
    update(&portal, &api).await;
    for name in ["shell", "copyout", "program", "file"] {
        let version = told(name).await;
        assert_eq!(version["status"], json!("failed"), "{name}: {version}");
    }
    // A statement for another database is left out, as when a dump is uploaded.
    let other = told("other").await;
    assert_eq!(other["status"], json!("complete"), "{other}");
    assert!(!std::path::Path::new("/tmp/owned").exists());
}

/// A template of each engine, with a script that is run before it is complete.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn each_engine_has_templates() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    write(
        &portal,
        "maria.sql",
        sql("create table `kept` (`key` varchar(80) primary key, `value` longtext) engine=InnoDB;\n\
             insert into `kept` values ('word', 'from a dump'), ('secret', 'a name');\n"),
    );
    write(&portal, "maria.post.sql", "delete from kept where `key` = 'secret';\n");
    let comment = "// a comment that makes the file large enough to be a script ".repeat(3);
    write(
        &portal,
        "mongo.js",
        format!(
            "{comment}\ndb.kept.insertMany([{{_id: 'word', value: 'from a dump'}}, {{_id: 'secret', value: 'a name'}}]);\n"
        ),
    );
    write(&portal, "mongo.post.js", "db.kept.deleteOne({_id: 'secret'});\n");
    write(
        &portal,
        "graph.cypher",
        format!(
            "{comment}\nCREATE (:Kept {{key: 'word', value: 'from a dump'}});\nCREATE (:Kept {{key: 'secret', value: 'a name'}});\n"
        ),
    );
    write(&portal, "graph.post.cypher", "MATCH (n:Kept {key: 'secret'}) DELETE n;\n");
    let done = update(&portal, &api).await;
    assert_eq!(done["importing"], json!(["graph", "maria", "mongo"]), "{done}");
    let scripts = Scripts::of(&portal, None);
    for (engine, template) in
        [(EngineKind::Mariadb, "maria"), (EngineKind::Mongodb, "mongo"), (EngineKind::Neo4j, "graph")]
    {
        let t = api.get(&format!("/api/v1/templates/{template}")).await.expect(200).json();
        assert_eq!((&t["engine"], &t["version"]), (&json!(engine.as_str()), &json!(1)), "{t}");
        assert_eq!(t["versions"][0]["report"]["rows"], json!(1), "{t}");
        let made = scripts.call(Method::POST, &format!("/db/{template}/ci"), &[], 201).await;
        let password = made["password"].as_str().expect("a password");
        // Neo4j has two ports, and the interface for scripts names one.
        let at = match engine {
            EngineKind::Neo4j => frozen_copy::place(&portal, engine, "graph-ci"),
            _ => place(engine, &made),
        };
        let mut session = sign_in(&at, password).await.expect("its user signs in");
        assert_eq!(session.get("word").await.expect("reads").as_deref(), Some("from a dump"), "{engine}");
        assert_eq!(session.get("secret").await.expect("reads"), None, "{engine}");
        session.put("own", "written").await.expect("its owner writes");
    }

    // Scripts that fail name themselves and say where.
    write(&portal, "mongo.post.js", "db.kept.deleteOne({_id: 'secret'});\nthrow new Error('no such mouse');\n");
    write(&portal, "graph.post.cypher", "MATCH (n:Kept) DELETE n;\nMATCH (n:Kept RETURN n;\n");
    update(&portal, &api).await;
    for (template, script, words) in
        [("mongo", "mongo.post.js: ", "no such mouse"), ("graph", "graph.post.cypher: ", "line 1")]
    {
        let t = api.get(&format!("/api/v1/templates/{template}")).await.expect(200).json();
        assert_eq!((&t["version"], &t["versions"][0]["status"]), (&json!(1), &json!("failed")), "{t}");
        let error = t["versions"][0]["error"].as_str().expect("an error");
        assert!(error.starts_with(script) && error.contains(words), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_shows_how_far_it_is_by_the_time_that_the_last_one_took() {
    let portal = portal().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    update(&portal, &api).await;
    let bar = async || {
        let shown = admin.get("/templates/shop").await.expect(200);
        shown.all("progress + span").concat()
    };
    assert_eq!(bar().await, "", "nothing is being imported");
    portal.sql("update job set started_at = finished_at - interval '80 s' where kind = 'import-template'");
    // The next one takes long enough to be seen.
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\nselect pg_sleep(4);\n"));
    api.json(Method::POST, "/api/v1/templates/update", &json!({})).await.expect(200);
    let begun = "select count(*) from job where kind = 'import-template' and status = 'running'";
    portal.until(begun, |said| said == "1").await;
    let said = bar().await;
    assert!(said.contains(" % · about 1 min") && said.ends_with(" left"), "{said}");
    let job = portal.sql("select id from job where kind = 'import-template' and status = 'running'");
    let page = admin.get(&format!("/jobs/{job}")).await.expect(200);
    assert!(page.all("progress + span").concat().contains(" % · about "), "the page of the job shows it too");
    settled(&portal).await;
}
