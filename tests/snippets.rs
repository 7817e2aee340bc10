//! Runs the connection snippets of a database's page unchanged, with a password of unusual characters.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Client, TestPortal};

/// Everything a keyboard has that a shell, a URL, SQL or a connection string might take for itself.
const PASSWORD: &str = r#" p'a"s\s $HOME %41 w&o#r;d:/?@[x]{y}<z>|~`id`^*()!+=,.é ß💧 "#;

const JAVA: &str = r#"
import java.sql.*;
import java.util.Properties;

class Try {
    public static void main(String[] arguments) throws Exception {
        Properties more = new Properties();
        more.setProperty("password", System.getenv("PGPASSWORD"));
        try (Connection c = DriverManager.getConnection(arguments[0], more);
             ResultSet r = c.createStatement().executeQuery("select version()")) {
            r.next();
            System.out.println(r.getString(1));
        }
    }
}
"#;

/// What a program printed, errors too.
fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    run_with(PASSWORD, program, arguments, folder)
}

fn run_with(password: &str, program: &str, arguments: &[&str], folder: &Path) -> String {
    let said = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("PGPASSWORD", password)
        .env("PSQLRC", "/dev/null")
        .env("LC_ALL", "C.UTF-8")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{program} is installed: {e}"));
    format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr))
}

/// A file with this text.
fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("a file");
    file
}

async fn page(ada: &Client) -> impl Fn(&str) -> String {
    let page = ada.get("/containers/lab").await.expect(200);
    move |id| page.all(&format!("#text-{id}")).pop().unwrap_or_else(|| panic!("the page offers {id}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_snippet_works_as_it_stands_there() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("dbuserpass", PASSWORD)]).await;
    let snippet = page(&ada).await;
    let folder = portal.dir.join("snippets");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut wrong = Vec::new();
    let mut check = |what: &str, said: String| {
        if !said.contains("PostgreSQL 17") {
            wrong.push(format!("{what}: {said}"));
        }
    };

    let ask = "select version()";
    // Whoever pastes the line types the rest; here it is on standard input.
    let psql = format!("{} <<< '{ask}'", snippet("psql"));
    check("psql", run("bash", &["-c", &psql], &folder));
    check("URL", run("psql", &[snippet("url").trim(), "-c", ask], &folder));
    let script = file(&folder, "with_psycopg.py", &snippet("python"));
    check("Python", run("/usr/bin/python3", &[&script.to_string_lossy()], &folder));
    let script = file(&folder, "with_sqlalchemy.py", &snippet("sqlalchemy"));
    check("SQLAlchemy", run("/usr/bin/python3", &[&script.to_string_lossy()], &folder));
    let script = file(&folder, "try.R", &snippet("r"));
    check("R", run("Rscript", &["--vanilla", &script.to_string_lossy()], &folder));

    // The driver for Java follows RFC 4013 to the letter, which knows no character younger than 2002 (Unicode 3.2):
    // a password with an emoji is beyond it, on every server. The help page says so.
    let older = PASSWORD.replace('💧', "");
    let db = portal.connect("lab", PASSWORD).await.expect("the user signs in");
    db.batch_execute(&format!("alter role ada password '{}'", older.replace('\'', "''")))
        .await
        .expect("another password");
    file(&folder, "Try.java", JAVA);
    let path = "/usr/share/java/postgresql.jar:.";
    check("JDBC", run_with(&older, "java", &["-cp", path, "Try.java", snippet("jdbc").trim()], &folder));
    db.batch_execute(&format!("alter role ada password '{}'", PASSWORD.replace('\'', "''")))
        .await
        .expect("the first again");

    // With the portal's certificate the server's identity is checked too, and without it that fails.
    let authority = portal.nobody().get("/ca.pem").await.expect(200).body;
    let authority = file(&folder, "ca.pem", &authority);
    let strict = |root: &str| psql.replace("sslmode=require", &format!("sslmode=verify-full sslrootcert={root}"));
    check("psql with verify-full", run("bash", &["-c", &strict(&authority.to_string_lossy())], &folder));
    let other = run("bash", &["-c", &strict("/etc/ssl/certs/ca-certificates.crt")], &folder);
    assert!(other.contains("certificate verify failed"), "another authority is not believed: {other}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
