//! Runs the connection snippets of a database's page unchanged, for any engine.

use std::path::{Path, PathBuf};
use std::process::Command;

use mydb::domain::engine::EngineKind;

use crate::support::{Client, TestPortal};

/// Runs a program that reads from a terminal; types a password at its prompt, then a query.
const TERMINAL: &str = r#"
import os, pty, select, signal, sys, time

line, password, question = sys.argv[1], os.environ["TYPED"], sys.argv[2].encode().decode("unicode_escape")
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "-c", line])
said, typed, asked, begin = b"", False, False, time.time()
while time.time() - begin < 60:
    ready, _, _ = select.select([terminal], [], [], 1.0)
    if ready:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    if not typed and b"assword" in said:
        time.sleep(0.3)
        os.write(terminal, password.encode() + b"\n")
        typed, since, mark = True, time.time(), len(said)
    elif typed and not asked and not ready:
        # Quiet after the password: the program waits for a question.
        os.write(terminal, question.encode())
        asked = True
try:
    os.kill(pid, signal.SIGKILL)
except ProcessLookupError:
    pass
os.waitpid(pid, 0)
sys.stdout.write(said.decode(errors="replace"))
"#;

/// Makes Java use the authorities that the first tab of Neo4j has put into a file.
const STORE: [&str; 2] = ["-Djavax.net.ssl.trustStore=ca.p12", "-Djavax.net.ssl.trustStorePassword=ca-only"];

/// The tabs whose examples this test does not run, and why.
const NOT_RUN: &[(EngineKind, &str, &str)] = &[
    (
        EngineKind::Mongodb,
        "r",
        "mongolite is only in R's own registry, from which the tests install nothing; it is parsed",
    ),
    (EngineKind::Postgres, "jdbc", "run by snippets::every_connection_example_works, with a password that it can use"),
];

/// Where dev/drivers/make.sh put the drivers.
fn drivers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("var/tools/drivers")
}

/// Python with the drivers of all engines.
fn python() -> String {
    drivers().join("python/bin/python").display().to_string()
}

/// The output of a program, including errors.
fn run_program(program: &str, arguments: &[&str], env: (&str, &str), folder: &Path) -> String {
    let said = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env(env.0, env.1)
        .env("PSQLRC", "/dev/null")
        .env("PAGER", "cat")
        .env("LC_ALL", "C.UTF-8")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{program} is installed: {e}"));
    format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr))
}

/// Pastes a line into a terminal, types the password when it is asked for, then the statements. Returns what is shown.
pub fn typed_in_terminal(folder: &Path, line: &str, password: &str, statements: &str) -> String {
    let script = folder.join("terminal.py");
    std::fs::write(&script, TERMINAL).expect("a file");
    let statements = statements.escape_default().to_string();
    run_program("/usr/bin/python3", &[&script.to_string_lossy(), line, &statements], ("TYPED", password), folder)
}

/// What is typed into the engine's own shell to query the version and to exit.
fn question(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Postgres => "select version();\\n\\\\q\\n",
        EngineKind::Mariadb => "select version();\\nexit\\n",
        EngineKind::Mongodb => "db.version()\\nexit\\n",
        EngineKind::Neo4j => "CALL dbms.components() YIELD versions RETURN versions;\\n:exit\\n",
    }
}

/// The query for the version over JDBC.
fn ask(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Neo4j => "CALL dbms.components() YIELD versions RETURN versions[0] AS version",
        _ => "select version()",
    }
}

/// Runs every snippet on the page of `lab` with this password, and fails with all those that did not print the version.
pub(super) async fn run(
    client: &Client,
    portal: &TestPortal,
    engine: EngineKind,
    image: &str,
    version: &str,
    password: &str,
) {
    let page = client.get("/containers/lab").await.expect(200);
    let snippet = |id: &str| page.all(&format!("#text-{id}")).pop().unwrap_or_else(|| panic!("the page offers {id}"));
    let folder = portal.dir.join("snippets");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).expect("a file");
        file.display().to_string()
    };
    let secret = (engine.engine().password_variable(), password);
    let mut wrong = Vec::new();
    // Not just the digits, which could be part of a port or an address in an error.
    let start = format!("{version}.");
    let printed = |said: &str| match engine {
        EngineKind::Postgres => said.contains(&format!("PostgreSQL {start}")),
        _ => said.split(|c: char| !c.is_ascii_digit() && c != '.').any(|number| number.starts_with(&start)),
    };
    let mut check = |what: &str, said: String| {
        if !printed(&said) {
            wrong.push(format!("{what}: {said}"));
        }
    };
    let ids = page.all("input[name=way] + label");
    assert!(ids.len() >= 4, "{ids:?}");

    // Shells that are not installed on this machine run from the image, in the machine's own network.
    let terminal = file("terminal.py", TERMINAL);
    let shell = ids.first().map(|label| label.trim().to_owned()).expect("a tab");
    let typed = ("TYPED", password);
    for id in [shell.clone(), format!("{shell}-unverified")] {
        let text = snippet(&id);
        let text = match engine {
            EngineKind::Postgres | EngineKind::Mariadb => text,
            EngineKind::Mongodb | EngineKind::Neo4j => {
                let image = portal.config.image_reference(image);
                let label = format!("db4sci.instance={}", portal.instance);
                // The lines before it run here: the image has no curl.
                let (before, line) = text.trim_end().rsplit_once('\n').unwrap_or(("", &text));
                let inside = file("line.sh", line);
                let files = folder.display();
                format!(
                    "{before}\ndocker run --rm -it --network host --label {label} -e HOME=/tmp -v {inside}:/line.sh:ro -v {files}:/files:ro -w /files --entrypoint bash {image} /line.sh"
                )
            }
        };
        check(&id, run_program("/usr/bin/python3", &[&terminal, &text, question(engine)], typed, &folder));
    }

    for id in ["python", "sqlalchemy", "python-unverified", "sqlalchemy-unverified"] {
        if page.all(&format!("#text-{id}")).is_empty() {
            continue;
        }
        let script = file(&format!("with_{id}.py"), &snippet(id));
        check(id, run_program(&python(), &[&script], secret, &folder));
    }
    let not_run = |tab: &str| NOT_RUN.iter().any(|(kind, id, _)| *kind == engine && *id == tab);
    for id in ["r", "r-unverified"] {
        let script = file(&format!("{id}.R"), &snippet(id));
        if not_run("r") {
            let said = run_program("Rscript", &["--vanilla", "-e", &format!("parse('{script}')")], secret, &folder);
            assert!(said.contains("mongolite") && !said.contains("Error"), "{said}");
        } else {
            check(id, run_program("Rscript", &["--vanilla", &script], secret, &folder));
        }
    }
    for id in ["url", "url-unverified"] {
        // A URL that says nothing about verification is the same without it.
        let text = page.all(&format!("#text-{id}")).pop().unwrap_or_else(|| snippet("url"));
        check(id, run_program(&python(), &[&file("url.py", URL), text.trim()], secret, &folder));
    }
    let path = format!("{}/*:.", drivers().join("jars").display());
    for id in ["jdbc", "jdbc-unverified", "java", "java-unverified"] {
        let tab = id.trim_end_matches("-unverified");
        if page.all(&format!("#text-{tab}")).is_empty() || not_run(tab) {
            continue;
        }
        let text = snippet(id);
        file("Try.java", if tab == "java" { &text } else { JAVA });
        // Neo4j's driver takes the authorities from Java, as the note says; the first tab has made the store of them.
        let mut options = vec!["-cp", path.as_str()];
        if (engine, id) == (EngineKind::Neo4j, "jdbc") {
            options.extend(STORE);
        }
        options.push("Try.java");
        if tab == "jdbc" {
            options.extend([text.trim(), secret.0, ask(engine)]);
        }
        check(id, run_program("java", &options, secret, &folder));
    }
    let run = [shell.as_str(), "python", "sqlalchemy", "r", "url", "jdbc", "java"];
    let tabs = page.all(".tabs .panel > h3").len();
    let known = run.iter().filter(|id| !page.all(&format!("#text-{id}")).is_empty()).count();
    assert_eq!(tabs, known, "this test knows every tab");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Opens a connection URL of any engine, with the password inserted as the help pages describe.
const URL: &str = r#"
import os, sys
from urllib.parse import quote, unquote, urlsplit

url = sys.argv[1]
parts = urlsplit(url)
def with_password(variable):
    return url.replace("@", ":" + quote(os.environ[variable], safe="") + "@", 1)
if parts.scheme == "postgresql":
    import psycopg
    with psycopg.connect(with_password("PGPASSWORD")) as c:
        print(c.execute("select version()").fetchone()[0])
elif parts.scheme == "mysql":
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url
    url = make_url(with_password("MYSQL_PWD").replace("mysql:", "mysql+pymysql:", 1))
    assert url.query.get("ssl_ca", "ca.pem") == "ca.pem", url
    # PyMySQL takes a text for Latin-1, bytes as they are.
    with create_engine(url, connect_args={"password": url.password.encode()}).connect() as c:
        print(c.execute(text("select version()")).scalar())
elif parts.scheme == "mongodb":
    from pymongo import MongoClient
    print(MongoClient(with_password("MONGO_PASSWORD")).get_default_database().command("buildInfo")["version"])
else:
    from neo4j import GraphDatabase, TrustCustomCAs
    rest = url[len(parts.scheme):]
    assert parts.scheme in ("neo4j+s", "neo4j+ssc"), url
    trusted = {"encrypted": True, "trusted_certificates": TrustCustomCAs("ca.pem")}
    for scheme, more in [("neo4j", trusted) if parts.scheme == "neo4j+s" else (parts.scheme, {}), ("bolt", {})]:
        with GraphDatabase.driver(scheme + rest, auth=("neo4j", os.environ["NEO4J_PASSWORD"]), **more) as d:
            print(d.execute_query("CALL dbms.components() YIELD versions RETURN versions[0]").records[0][0])
"#;

const JAVA: &str = r#"
import java.sql.*;
import java.util.Properties;

class Try {
    public static void main(String[] arguments) throws Exception {
        Properties more = new Properties();
        more.setProperty("password", System.getenv(arguments[1]));
        try (Connection c = DriverManager.getConnection(arguments[0], more);
             ResultSet r = c.createStatement().executeQuery(arguments[2])) {
            r.next();
            System.out.println(r.getString(1));
        }
    }
}
"#;
