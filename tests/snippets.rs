//! Runs the connection snippets of a database's page unchanged, with a password of unusual characters.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Client, TestPortal};

/// All characters of a keyboard that a shell, a URL, SQL or a connection string might interpret.
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

/// The output of a program, including errors.
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
        .unwrap_or_else(|e| panic!("{program} could not be run: {e}"));
    format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr))
}

/// Creates a file with this text.
fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("a file");
    file
}

async fn page(ada: &Client) -> impl Fn(&str) -> String {
    let page = ada.get("/containers/lab").await.expect(200);
    move |id| page.all(&format!("#text-{id}")).pop().unwrap_or_else(|| panic!("the page does not offer {id}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_example_works() {
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
    // A user would type the statement after pasting the line; here it comes from standard input.
    let psql = format!("{} <<< '{ask}'", snippet("psql"));
    check("psql", run("bash", &["-c", &psql], &folder));
    check("URL", run("psql", &[snippet("url").trim(), "-c", ask], &folder));
    let script = file(&folder, "with_psycopg.py", &snippet("python"));
    check("Python", run("/usr/bin/python3", &[&script.to_string_lossy()], &folder));
    let script = file(&folder, "with_sqlalchemy.py", &snippet("sqlalchemy"));
    // Debian's SQLAlchemy is too old for psycopg 3.
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/var/tools/drivers/python/bin/python");
    check("SQLAlchemy", run(python, &[&script.to_string_lossy()], &folder));
    let script = file(&folder, "try.R", &snippet("r"));
    check("R", run("Rscript", &["--vanilla", &script.to_string_lossy()], &folder));

    // The driver for Java follows RFC 4013 strictly, which allows no character added after Unicode 3.2 (2002). It
    // cannot use a password with an emoji, on any server. The help page says so.
    let older = PASSWORD.replace('💧', "");
    let db = portal.connect("lab", PASSWORD).await.expect("the user signs in");
    db.batch_execute(&format!("alter role ada password '{}'", older.replace('\'', "''")))
        .await
        .expect("another password");
    file(&folder, "Try.java", JAVA);
    let path = "/usr/share/java/postgresql.jar:.";
    for id in ["jdbc", "jdbc-unverified"] {
        check(id, run_with(&older, "java", &["-cp", path, "Try.java", snippet(id).trim()], &folder));
    }
    db.batch_execute(&format!("alter role ada password '{}'", PASSWORD.replace('\'', "''")))
        .await
        .expect("the first password again");

    // Without verification too; and with other authorities, verification fails.
    check("URL, unverified", run("psql", &[snippet("url-unverified").trim(), "-c", ask], &folder));
    let script = file(&folder, "plain.R", &snippet("r-unverified"));
    check("R, unverified", run("Rscript", &["--vanilla", &script.to_string_lossy()], &folder));
    let plain = format!("{} <<< '{ask}'", snippet("psql-unverified"));
    check("psql, unverified", run("bash", &["-c", &plain], &folder));
    for (id, program) in [("python-unverified", "/usr/bin/python3"), ("sqlalchemy-unverified", python)] {
        let script = file(&folder, &format!("{id}.py"), &snippet(id));
        check(id, run(program, &[&script.to_string_lossy()], &folder));
    }
    let psql = psql.replace("sslrootcert=ca.pem", "sslrootcert=/etc/ssl/certs/ca-certificates.crt");
    let other = run("bash", &["-c", &psql], &folder);
    assert!(other.contains("certificate verify failed"), "another authority must not be trusted: {other}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The file is written as the help says.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_file_works_as_documented() {
    use std::os::unix::fs::PermissionsExt;
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let password = "a:b\\c d e";
    ada.create("lab", &[("dbuserpass", password)]).await;
    let help = ada.get("/docs/connecting").await.expect(200);
    let line = help.all("td code").into_iter().find(|code| code.ends_with(":PORT:DATABASE:USER:PASSWORD"));
    let line = line.expect("the help describes the line");
    let port = portal.port("lab").to_string();
    let written = password.replace('\\', "\\\\").replace(':', "\\:");
    let line = line.replace("PORT", &port).replace("DATABASE", "trial").replace("USER", "ada");
    let pass = file(&portal.dir, ".pgpass", &line.replace("PASSWORD", &written));
    std::fs::set_permissions(&pass, std::fs::Permissions::from_mode(0o600)).expect("only its owner reads it");
    let connection = format!("host=localhost port={port} dbname=trial user=ada sslmode=require");
    let psql = || {
        let said = Command::new("psql")
            .args(["-X", "-w", "-A", "-t", "-c", "select 'signed in'", &connection])
            .env("HOME", &portal.dir)
            .env("PGPASSFILE", &pass)
            .env_remove("PGPASSWORD")
            .output()
            .expect("psql is installed");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    };
    assert_eq!(psql(), "signed in");
    // Nothing else has opened it.
    file(&portal.dir, ".pgpass", &line.replace("PASSWORD", "another"));
    assert_eq!(psql(), "");
}
