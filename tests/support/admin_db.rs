//! One PostgreSQL server for the tables of all test portals, with a separate database for each.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use mydb::admin_db::seeds::Seed;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::portal::prefix;
use super::{PATIENCE, docker::docker};

/// The URL of the server, without a database. It is started once for all tests; the cleanup after the run removes it by
/// its label.
fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        let instance = format!("{}-tables", prefix());
        super::docker::sweep(&instance);
        let label = format!("db4sci.instance={instance}");
        let name = format!("{instance}-server");
        // Its data is in memory and not durable: it is needed only for the minutes of a test run.
        let id = docker(&[
            "run",
            "-d",
            "--name",
            &name,
            "--label",
            &label,
            "--tmpfs",
            "/var/lib/postgresql/data",
            "-e",
            // Only this machine reaches it, and checking passwords takes longer than most queries.
            "POSTGRES_HOST_AUTH_METHOD=trust",
            "db4sci-dev/postgres:17",
            "postgres",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=400",
        ]);
        assert!(!id.is_empty(), "the server for the tables starts");
        // Its own address: a published port would be served by a proxy, for which every query is a detour.
        let address = docker(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &name]);
        let url = format!("postgres://postgres:tables@{address}:5432");
        let begin = Instant::now();
        while psql(&url, "select 1").is_none_or(|said| said != "1") {
            assert!(begin.elapsed() < PATIENCE, "the server for the tables answers");
            std::thread::sleep(Duration::from_millis(100));
        }
        url
    })
}

/// Runs statements and returns their rows in the format of psql, unaligned and without headers. `None` if one failed.
/// Connections are kept open: tests check ten times a second whether something has ended, and a process and a sign-in
/// per query used more processor time than the work being tested.
pub fn psql(url: &str, statement: &str) -> Option<String> {
    static ASKER: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime"));
    static OPEN: LazyLock<std::sync::Mutex<HashMap<String, Connection>>> = LazyLock::new(Default::default);
    let connection = OPEN.lock().expect("no panic while it was held").entry(url.to_owned()).or_default().clone();
    let (url, statement) = (url.to_owned(), statement.to_owned());
    let (tell, told) = std::sync::mpsc::channel();
    let asked = statement.clone();
    ASKER.spawn(async move {
        let answer = async {
            let mut open = connection.lock().await;
            let said = tokio::time::timeout(PATIENCE, ask(&mut open, &url, &asked)).await;
            // A statement that is still running would be in the way of the next one.
            said.unwrap_or_else(|_| {
                *open = None;
                None
            })
        };
        let _ = tell.send(answer.await);
    });
    let begin = Instant::now();
    let said = told.recv_timeout(PATIENCE).ok().flatten();
    assert!(begin.elapsed() < PATIENCE, "mydb_admin did not respond within {} s: {statement}", PATIENCE.as_secs());
    said
}

type Connection = Arc<tokio::sync::Mutex<Option<Client>>>;

async fn ask(open: &mut Option<Client>, url: &str, statement: &str) -> Option<String> {
    let mut answer = None;
    // Twice, because a lost connection is detected only by using it.
    for _ in 0..2 {
        if open.as_ref().is_none_or(Client::is_closed) {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.ok()?;
            tokio::spawn(connection);
            *open = Some(client);
        }
        let said = open.as_ref()?.simple_query(statement).await;
        match said {
            Ok(said) => answer = Some(said),
            Err(e) if e.is_closed() => continue,
            // Closes the connection, so that open transactions do not affect later queries.
            Err(_) => *open = None,
        }
        break;
    }
    let rows = answer?.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let columns: Vec<_> = (0..row.len()).map(|n| row.get(n).unwrap_or_default().to_owned()).collect();
            Some(columns.join("|"))
        }
        _ => None,
    });
    Some(rows.collect::<Vec<_>>().join("\n").trim().to_owned())
}

/// An interval in seconds longer than any test.
pub const NEVER: u32 = 86_400;

/// Creates an empty database and returns its URL.
pub fn empty(name: &str) -> String {
    make(name, "template0")
}

/// Creates a database with all tables and the rows of the lent seeds, and returns its URL.
pub fn from_template(name: &str) -> String {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let rows = super::seeds::rows();
        let name = format!("{}-template", prefix());
        let url = empty(&name);
        let filled = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(fill(&url, &rows));
        });
        filled.join().expect("the template is filled");
        name.replace('-', "_")
    });
    make(name, template)
}

async fn fill(url: &str, rows: &[Seed]) {
    let pool = mydb::admin_db::pool(url, 1, PATIENCE).expect("a pool");
    mydb::admin_db::MIGRATOR.run(&pool).await.expect("the tables are created");
    let mut db = pool.acquire().await.expect("a connection");
    for row in rows {
        mydb::admin_db::seeds::insert(&mut db, row).await.expect("a row");
    }
    // Marks the task as just done.
    let done = mydb::admin_db::backups::schedule::claim(&mut db, "seeds", f64::from(NEVER), "tests").await;
    assert_eq!(done.ok(), Some(true));
    drop(db);
    pool.close().await;
}

fn make(name: &str, template: &str) -> String {
    let database = name.replace('-', "_");
    let statement = format!("create database {database} template {template}");
    psql(&format!("{}/postgres", server()), &statement).expect("a fresh database");
    format!("{}/{database}", server())
}
