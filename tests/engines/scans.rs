//! Scans of servers: the metrics page and the audit of contents show the results, and a hanging server delays no page.

use std::time::{Duration, Instant};

use mydb::jobs::survey::survey;

use crate::support::{TestPortal, docker::docker};

#[tokio::test(flavor = "multi_thread")]
async fn server_contents_are_shown_and_a_hanging_server_slows_no_page() {
    let portal = TestPortal::start().await;
    let (admin, ada, bob) = (portal.admin().await, portal.user("ada").await, portal.user("bob").await);
    ada.create("lab", &[("extensions", "hstore"), ("extensions", "pg_stat_statements")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("a session");
    db.batch_execute(
        "create table \"=reads\" as select g from generate_series(1, 5000) g;
         create table empty (x int);
         create view \"many=reads\" as select g from \"=reads\";
         create table parts (x int) partition by range (x);
         create table part partition of parts for values from (0) to (9000);
         insert into parts select generate_series(1, 3000);
         analyze",
    )
    .await
    .expect("tables");
    let own = "select count(*) from pg_extension where extname in ('hstore', 'pg_stat_statements')";
    let count: i64 = db.query_one(own, &[]).await.expect("a number").get(0);
    assert_eq!(count, 2, "the extensions are there");
    db.batch_execute("select * from pg_stat_statements limit 1").await.expect("it is loaded");
    db.batch_execute("drop extension hstore").await.expect("the user owns trusted extensions");
    // The portal must not run a function that a search path would find first.
    db.batch_execute(
        "create function public.pg_total_relation_size(regclass) returns bigint language sql as 'select 1/0'",
    )
    .await
    .expect("a trap");

    let empty = ada.get("/containers/lab/metrics").await.expect(200).text();
    assert!(empty.contains("Not scanned yet") && empty.contains("No measurements"), "{empty}");
    for _ in 0..2 {
        let report = survey(&portal.app().app).await.expect("a scan");
        assert_eq!(report["failed"], 0, "{}", portal.sql("select error from survey"));
    }
    let page = ada.get("/containers/lab/metrics").await.expect(200);
    let text = page.text();
    for wanted in [
        "public.=reads",
        "public.empty",
        "public.many=reads",
        "partitioned table",
        "approx. 5,000",
        "of 100",
        "Cache hit rate",
        "db4sci_admin (administrator)",
        "ada",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert_eq!(
        page.all(".chart polyline, .chart .dot").len(),
        4,
        "size, memory, processor and connections have a line"
    );
    assert!(page.body.contains("aria-label=\"Memory: now "), "the charts have a text alternative");
    assert!(ada.get("/containers/lab").await.text().contains("Last 24 hours"));
    bob.get("/containers/lab/metrics").await.expect(404);
    ada.get("/admin/contents").await.expect(403);

    let audit = admin.get("/admin/contents").await.expect(200).text();
    assert!(
        audit.contains("lab") && audit.contains("trial") && audit.contains("8,000"),
        "each row counts once: {audit}"
    );
    assert!(admin.get("/admin/contents?q=nothing").await.text().contains("No databases match"));
    let csv = admin.get("/admin/contents?format=csv").await.expect(200);
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert!(csv.body.starts_with("container,engine,image,owner,seen_at,kind,database,name,"), "{}", csv.body);
    assert!(csv.body.contains(",table,trial,public.=reads,,5000,false,"), "{}", csv.body);
    let json = admin.get("/admin/contents?format=json").await.expect(200);
    let lines: Vec<serde_json::Value> = json.body.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert!(
        lines.iter().any(|l| l["kind"] == "role" && l["name"] == "ada" && l["administrator"] == false),
        "{lines:?}"
    );
    assert!(lines.iter().any(|l| l["kind"] == "table" && l["rows"] == 5000), "{lines:?}");

    // The server hangs: the scan gives up, and pages are as fast as before and show the previous result.
    let container = portal.container("lab");
    // Not paused in the engine: the portal would resume it.
    docker(&["kill", "--signal", "STOP", &container]);
    let report = portal.scan().await;
    assert_eq!(report["failed"], 1);
    let begin = Instant::now();
    let text = ada.get("/containers/lab/metrics").await.expect(200).text();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert!(text.contains("The last scan of the server failed") && text.contains("public.=reads"), "{text}");
    assert!(text.contains("The server did not respond."), "a sentence for people: {text}");
    docker(&["kill", "--signal", "CONT", &container]);

    ada.post("/containers/lab/stop", &[]).await.expect(303);
    ada.wait_for("lab", "stopped").await;
    let page = ada.get("/containers/lab/metrics").await.expect(200);
    let text = page.text();
    assert!(!text.contains("Server uptime") && !text.contains("of 100"), "no current values: {text}");
    let values = page.all("figcaption strong");
    assert!(!values.is_empty() && values.iter().all(|v| v.starts_with("last ")), "{values:?}");
    assert!(text.contains("public.=reads"), "the previous result stays: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_points_are_thinned_with_age() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    portal.sql(
        "insert into sample (container_id, at, memory_bytes)
         select id, now() - n * interval '10 minutes', n from container, generate_series(0, 6 * 24 * 40) n",
    );
    survey(&portal.app().app).await.expect("a scan");
    let counts = portal.sql(
        "select count(*) filter (where at > now() - interval '26 hours') > 6 * 25,
                count(*) filter (where at between now() - interval '8 days' and now() - interval '26 hours')
                    between 24 * 6 and 24 * 7 + 1,
                count(*) filter (where at < now() - interval '8 days 4 hours') between 6 * 23 and 6 * 24 + 1,
                count(*) filter (where at < now() - interval '32 days 1 minute')
           from sample",
    );
    assert_eq!(counts, "t|t|t|0");
    for period in ["hour", "month"] {
        let page = ada.get(&format!("/containers/lab/metrics?range={period}")).await.expect(200);
        assert!(page.body.contains(&format!("?range={period}\" aria-current=\"true\"")), "{period}");
    }
    let week = ada.get("/containers/lab/metrics?range=week").await.expect(200);
    assert!(!week.all("svg").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unused_server_is_not_scanned_again() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("quiet", &[]).await;
    let scan = async || {
        let report = survey(&portal.app().app).await.expect("a scan");
        assert_eq!(report["failed"], 0, "{}", portal.sql("select error from survey"));
        report["idle"].as_i64().expect("a number")
    };
    assert_eq!(scan().await, 0, "a portal that starts scans everything");
    let seen_at = portal.sql("select at from survey");
    // A server that uses no processor time at all counts as hanging and is scanned; an idle one wakes within seconds.
    let (begin, mut scans) = (Instant::now(), 2);
    while scan().await != 1 {
        assert!(begin.elapsed() < Duration::from_secs(60), "the idle server is skipped");
        tokio::time::sleep(Duration::from_secs(1)).await;
        scans += 1;
    }
    assert_ne!(portal.sql("select at from survey"), seen_at, "the previous result is confirmed");
    assert_eq!(portal.sql("select count(*) from sample"), scans.to_string(), "the charts continue");

    let db = portal.connect("quiet", "correct-horse").await.expect("a session");
    db.batch_execute("create table found (x int)").await.expect("a table");
    assert_eq!(scan().await, 0, "the server was used");
    assert_eq!(portal.sql("select count(*) from survey where data::text like '%public.found%'"), "1");
    // The next scan finds what was done during a scan.
    db.batch_execute("create table later (x int)").await.expect("a table");
    assert_eq!(scan().await, 0);
    assert_eq!(portal.sql("select count(*) from survey where data::text like '%public.later%'"), "1");
}
