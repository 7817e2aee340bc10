//! Uploaded dumps: loaded into new databases, with a report of failed statements; and files that are not dumps.

use std::path::{Path, PathBuf};
use std::process::Command;

use mydb::domain::quantity::{ByteSize, MIB};
use reqwest::Method;

use crate::backups::nothing_left;
use crate::support::{Client, Options, TestPortal, docker};

const FILL: &str = "
create table parent (id int primary key, at timestamptz default now());
create table child (parent int references parent, body text);
insert into parent select generate_series(1, 100);
insert into child select i, 'row ' || i || E'\\n\\\\ 🐘' from generate_series(1, 100) i;
create function twice(i int) returns int language plpgsql as $$ begin return i * 2; end $$;
create view odd as select count(*) as n from child;
";

/// Commands that must not run, and statements that the server refuses.
const STRANGE: &str = r"
\! touch /tmp/owned
select 1 \g |touch /tmp/owned
grant select on public.parent to nobody_there;
copy public.parent from program 'touch /tmp/owned';
create role intruder superuser;
insert into public.parent values (1);
";

const MARIA: &str = r"
CREATE TABLE `t` (`id` int NOT NULL AUTO_INCREMENT, `body` text, PRIMARY KEY (`id`)) ENGINE=InnoDB;
INSERT INTO `t` (`body`) VALUES ('a'), ('b\\! touch /tmp/owned'), ('🐘');
\! touch /tmp/owned
system touch /tmp/owned
;
CREATE TABLE `t` (`id` int);
CREATE DATABASE other;
INSERT INTO `t` (`body`) VALUES ('after');
";

/// Sends a dump with curl, as a user would. Returns curl's exit code, the HTTP status and the body.
pub fn send(
    portal: &TestPortal,
    token: &str,
    fields: &[(&str, &str)],
    file: &Path,
    more: &[&str],
) -> (i32, String, String) {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-k", "-w", "\n%{http_code}", "-H", &format!("Authorization: Bearer {token}")]).args(more);
    for (name, value) in fields {
        curl.arg("-F").arg(format!("{name}={value}"));
    }
    if !file.as_os_str().is_empty() {
        curl.arg("-F").arg(format!("dump=@{}", file.display()));
    }
    let said = curl.arg(format!("{}/api/v1/containers/from-dump?wait=300", portal.base)).output().expect("curl");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap_or(("", ""));
    (said.status.code().unwrap_or(-1), status.to_owned(), body.to_owned())
}

/// The same with a file that was uploaded before.
pub fn send_fields(portal: &TestPortal, token: &str, fields: &[(&str, &str)]) -> (i32, String, String) {
    send(portal, token, fields, Path::new(""), &[])
}

/// Fields of a form.
type Form<'a> = &'a [(&'a str, &'a str)];

const POSTGRES: [(&str, &str); 4] =
    [("engine", "postgres"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];

pub fn named<'a>(name: &'a str, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("name", name)], fields].concat()
}

/// Number of uploaded files that the portal keeps.
pub fn staged(portal: &TestPortal) -> usize {
    let tiers = portal.config.storage.iter().map(|t| t.path.join(&portal.instance));
    let names = tiers.filter_map(|d| std::fs::read_dir(d).ok()).flat_map(|d| d.flatten().map(|e| e.file_name()));
    names.filter(|n| n.to_string_lossy().starts_with(".upload")).count()
}

pub fn written(portal: &TestPortal, name: &str, content: &[u8]) -> PathBuf {
    let file = portal.dir.join(name);
    std::fs::write(&file, content).expect("written");
    file
}

pub fn shell(script: &str, dir: &Path) {
    let done = Command::new("bash").args(["-c", script]).current_dir(dir).output().expect("bash");
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
}

pub fn report(portal: &TestPortal, name: &str, what: &str) -> String {
    portal.sql(&format!(
        "select report->{what} from dump_upload d join container c on c.id = d.container_id where c.name = '{name}'"
    ))
}

/// No command hidden in the dump has run in the database's container.
pub fn untouched(portal: &TestPortal, name: &str) {
    let said = docker::docker(&["exec", &portal.container(name), "sh", "-c", "ls /tmp; echo end"]);
    assert!(said.ends_with("end") && !said.contains("owned"), "{said}");
}

pub async fn token(client: &Client) -> String {
    let reply = client.post("/account/tokens", &[("name", "curl"), ("days", "1")]).await.expect(200);
    reply.all("code, pre").iter().map(|t| t.trim().to_owned()).find(|t| t.len() == 64).expect("the token is shown")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_becomes_a_database_and_failures_are_reported() {
    let configure = Box::new(|c: &mut mydb::config::Config| c.backups.upload_max = ByteSize(4 * MIB));
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute(FILL).await.expect("filled");
    let lab = portal.container("lab");
    let superuser = "create extension file_fdw";
    docker::docker(&["exec", &lab, "psql", "-X", "-q", "-U", "db4sci_admin", "-d", "trial", "-c", superuser]);
    let dump = |more: &str, file: &str| {
        shell(&format!("docker exec {lab} pg_dump -U db4sci_admin {more} trial > {file}"), &portal.dir);
        portal.dir.join(file)
    };
    let (custom, plain) = (dump("-Fc", "lab.pgdump"), dump("", "lab.sql"));
    let token = token(&ada).await;

    let (_, status, said) = send(&portal, &token, &named("custom", &POSTGRES), &custom, &[]);
    assert_eq!(status, "201", "{said}");
    // Statements that need an administrator are left out and reported.
    let failures = report(&portal, "custom", "'failures'");
    assert!(failures.contains("file_fdw") && report(&portal, "custom", "'failed'") == "2", "{failures}");
    let row = "select (select count(*) from child), (select n from odd), twice(4)";
    let new = portal.connect("custom", "correct-horse").await.expect("signs in");
    let read = new.query_one(row, &[]).await.expect("the data is complete");
    assert_eq!((read.get::<_, i64>(0), read.get::<_, i64>(1), read.get::<_, i32>(2)), (100, 100, 8));
    new.batch_execute("drop table child cascade").await.expect("the user owns the data");

    // A compressed SQL dump with hostile and invalid statements in it.
    let text = std::fs::read_to_string(&plain).expect("the dump");
    let end = text.rfind("--\n-- PostgreSQL database dump complete").expect("its end");
    let strange = format!("{}{STRANGE}{}", &text[..end], &text[end..]);
    let first = strange[..strange.find("\\! touch").expect("there")].lines().count() + 1;
    let file = written(&portal, "strange.sql", strange.as_bytes());
    shell("gzip -f strange.sql", &portal.dir);
    let (_, status, said) = send(&portal, &token, &named("plain", &POSTGRES), &file.with_extension("sql.gz"), &[]);
    assert_eq!(status, "201", "{said}");
    untouched(&portal, "plain");
    let failures = report(&portal, "plain", "'failures'");
    for words in ["nobody_there", "permission denied", "duplicate key"] {
        assert!(failures.contains(words), "{words}: {failures}");
    }
    assert!(failures.contains(&format!("\"line\": {first}")), "no failure in line {first}: {failures}");
    let new = portal.connect("plain", "correct-horse").await.expect("signs in");
    let read = new.query_one(row, &[]).await.expect("the data is complete");
    assert_eq!((read.get::<_, i64>(0), read.get::<_, i32>(2)), (100, 8));
    assert!(new.query_one("select from pg_roles where rolname = 'intruder'", &[]).await.is_err());
    let job = portal.sql("select id from job where kind = 'load' order by created_at desc limit 1");
    let page = ada.get(&format!("/jobs/{job}")).await.expect(200).text();
    assert!(page.contains("Loaded 2 tables with 200 rows") && page.contains("Server message"), "{page}");
    // The API returns the same report in the response to the waiting call and with the job.
    let api = portal.token(&ada).await;
    let seen = api.get(&format!("/api/v1/jobs/{job}")).await.expect(200).json();
    let answered: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(seen["report"], answered["report"], "{said}");
    let told = &seen["report"];
    assert_eq!((told["tables"].as_u64(), told["rows"].as_u64()), (Some(2), Some(200)), "{told}");
    let failures = told["failures"].as_array().expect("a list");
    assert!(!failures.is_empty() && told["failed"].as_u64() >= Some(failures.len() as u64), "{told}");
    assert!(failures.iter().any(|f| f["line"].as_u64() == Some(first as u64)), "{told}");
    assert!(
        failures.iter().any(|f| {
            f["statement"].as_str().is_some_and(|s| s.contains("nobody_there"))
                && f["text"].as_str().is_some_and(|t| t.contains("does not exist"))
        }),
        "a failure is reported with its statement: {told}"
    );

    maria(&portal, &token);
    refused(&portal, &ada, &token, &custom, &text).await;
    assert_eq!(staged(&portal), 0);
    nothing_left(&portal, 4);
}

fn maria(portal: &TestPortal, token: &str) {
    let fields = [("engine", "mariadb"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];
    let file = written(portal, "maria.sql", MARIA.as_bytes());
    let (_, status, said) = send(portal, token, &named("maria", &fields), &file, &[]);
    assert_eq!(status, "201", "{said}");
    untouched(portal, "maria");
    assert_eq!(report(portal, "maria", "'rows'"), "4", "{}", report(portal, "maria", "'failures'"));
    let failures = report(portal, "maria", "'failures'");
    assert!(failures.contains("already exists"), "{failures}");
    assert!(
        report(portal, "maria", "'told'").contains("CREATE DATABASE other"),
        "a server-wide statement is left out and reported"
    );
}

/// Files that are not dumps, or that this server cannot load, are refused with a reason, and nothing is left behind.
async fn refused(portal: &TestPortal, ada: &Client, token: &str, custom: &Path, plain: &str) {
    let containers = portal.containers();
    let archive = std::fs::read(custom).expect("the dump");
    let mut noise = vec![0x2d; 5 * 1024 * 1024];
    noise[..14].copy_from_slice(b"create table a");
    let old =
        [("engine", "postgres"), ("image", "docker.io/library/postgres:15"), ("dbname", "trial"), ("dbuser", "ada")];
    let maria = [("engine", "mariadb"), ("dbname", "trial"), ("dbuser", "ada")];
    let mongo = [("engine", "mongodb"), ("dbname", "trial"), ("dbuser", "ada")];
    let pg = &POSTGRES[..];
    let cases: [(&str, &[u8], Form, &str); 9] = [
        ("empty", b"", pg, "The file is empty"),
        ("words", b"name,age\nada,36\n", pg, "File format not recognised"),
        ("cut", &archive[..3], pg, "File format not recognised"),
        ("other", b"-- MariaDB dump 10.19\nCREATE TABLE `t` (i int) ENGINE=InnoDB;", pg, "cannot load"),
        ("archive", &archive, &maria, "cannot load"),
        ("newer", &archive, &old, "Choose the version of the dump or a later one"),
        ("mongo", b"\x6d\xe2\x99\x81", &mongo, "the rest is damaged"),
        ("graph", b"DZV1", &mongo, "a neo4j-admin dump, which MongoDB cannot load"),
        ("large", &noise, pg, "larger than 4 MiB"),
    ];
    for (name, content, fields, words) in cases {
        let file = written(portal, name, content);
        let (_, status, said) = send(portal, token, &named(name, fields), &file, &[]);
        assert!(status == "422" && said.contains(words), "{name}: {status} {said}");
        assert_eq!(staged(portal), 0, "{name}");
    }
    let form = "--x\r\ncontent-disposition: form-data; name=\"name\"\r\n\r\nBad Name\r\n--x\r\n\
                content-disposition: form-data; name=\"dump\"; filename=\"a.txt\"\r\n\r\nhello\r\n--x--\r\n";
    let page = ada
        .send(Method::POST, "/containers/new/from-dump", |r| {
            r.header("sec-fetch-site", "same-origin")
                .header("content-type", "multipart/form-data; boundary=x")
                .body(form)
        })
        .await
        .expect(422)
        .text();
    assert!(page.contains("File format not recognised") && page.contains("Use lower-case letters only"), "{page}");

    // The connection is closed in the middle of the upload.
    let file = written(portal, "slow", &[plain.as_bytes(), &vec![b'\n'; 3 * 1024 * 1024]].concat());
    let (code, ..) = send(portal, token, &named("slow", pg), &file, &["--limit-rate", "200k", "--max-time", "2"]);
    assert_eq!(code, 28, "curl gave up");
    for tries in 0.. {
        if staged(portal) == 0 {
            break;
        }
        assert!(tries < 6000, "the incomplete file was not removed in time");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    // Files whose fault shows only at their end.
    let cut = &plain[..plain.rfind("dump complete").expect("its end")];
    let file = written(portal, "truncated", cut.as_bytes());
    let (_, status, said) = send(portal, token, &named("truncated", pg), &file, &[]);
    assert!(status == "422" && said.contains("truncated"), "{status} {said}");
    shell("(echo 'select 1;'; yes -- '-- nothing' | head -c 120000000) | gzip -1 > bomb", &portal.dir);
    let (_, status, said) = send(portal, token, &named("bomb", pg), &portal.dir.join("bomb"), &[]);
    assert!(status == "422" && said.contains("The decompressed dump is larger than 80 MiB"), "{status} {said}");
    assert_eq!(portal.containers(), containers, "no container was created for any of them");
}
