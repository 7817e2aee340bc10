//! Runs the connection snippets of a database's page unchanged, for any engine.

use std::path::{Path, PathBuf};
use std::process::Command;

use mydb::domain::engine::EngineKind;

use crate::support::{Client, TestPortal};

/// Types a password at a prompt, then a question, into a program that reads from a terminal.
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

/// Where dev/drivers/make.sh put the drivers.
fn drivers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("var/tools/drivers")
}

/// Python with the drivers of all engines.
fn python() -> String {
    drivers().join("python/bin/python").display().to_string()
}

/// What a program printed, errors too.
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

/// What is typed into the engine's own shell to see the version and to leave it.
fn question(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Postgres => "select version();\\n\\\\q\\n",
        EngineKind::Mariadb => "select version();\\nexit\\n",
        EngineKind::Mongodb => "db.version()\\nexit\\n",
        EngineKind::Neo4j => "CALL dbms.components() YIELD versions RETURN versions;\\n:exit\\n",
    }
}

/// Runs every line of the page of `lab`, with this password, and fails with all that did not answer the version.
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
    let mut check = |what: &str, said: String| {
        if !said.contains(version) {
            wrong.push(format!("{what}: {said}"));
        }
    };
    let ids = page.all("input[name=way] + label");
    assert!(ids.len() >= 4, "{ids:?}");

    // The shells that are not on this machine are in the image; there they run on the machine's own network.
    let terminal = file("terminal.py", TERMINAL);
    let shell =
        engine.engine().snippets(&mydb::engine::Endpoint { host: "", ports: &[], dbname: "", dbuser: "" })[0].id;
    let line = snippet(shell);
    let line = match engine {
        EngineKind::Postgres | EngineKind::Mariadb => line,
        EngineKind::Mongodb | EngineKind::Neo4j => {
            let image = portal.config.image_reference(image);
            let label = format!("db4sci.instance={}", portal.instance);
            let inside = file("line.sh", &line);
            format!(
                "docker run --rm -it --network host --label {label} -e HOME=/tmp -v {inside}:/line.sh:ro --entrypoint bash {image} /line.sh"
            )
        }
    };
    let typed = ("TYPED", password);
    check(shell, run_program("/usr/bin/python3", &[&terminal, &line, question(engine)], typed, &folder));

    for id in ["python", "sqlalchemy"] {
        if page.all(&format!("#text-{id}")).is_empty() {
            continue;
        }
        let script = file(&format!("with_{id}.py"), &snippet(id));
        check(id, run_program(&python(), &[&script], secret, &folder));
    }
    let script = file("try.R", &snippet("r"));
    match engine {
        // Debian has no mongolite; that the lines are R and the address in them is right can be seen without it.
        EngineKind::Mongodb => {
            let said = run_program("Rscript", &["--vanilla", "-e", &format!("parse('{script}')")], secret, &folder);
            assert!(said.contains("mongolite") && !said.contains("Error"), "{said}");
        }
        _ => check("R", run_program("Rscript", &["--vanilla", &script], secret, &folder)),
    }
    check("URL", run_program(&python(), &[&file("url.py", URL), snippet("url").trim()], secret, &folder));
    let jars = drivers().join("jars").display().to_string();
    match engine {
        EngineKind::Mariadb => {
            file("Try.java", JAVA);
            let path = format!("{jars}/*:.");
            check("JDBC", run_program("java", &["-cp", &path, "Try.java", snippet("jdbc").trim()], secret, &folder));
        }
        EngineKind::Mongodb => {
            file("Try.java", &snippet("java"));
            let path = format!("{jars}/*:.");
            check("Java", run_program("java", &["-cp", &path, "Try.java"], secret, &folder));
        }
        // PostgreSQL's has a test of its own; no registry reached here has Neo4j's.
        EngineKind::Postgres | EngineKind::Neo4j => {}
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Opens an address of any engine, with the password put into it as the help pages say.
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
    # PyMySQL takes a text for Latin-1, bytes as they are.
    with create_engine(url, connect_args={"password": url.password.encode()}).connect() as c:
        print(c.execute(text("select version()")).scalar())
elif parts.scheme == "mongodb":
    from pymongo import MongoClient
    print(MongoClient(with_password("MONGO_PASSWORD")).get_default_database().command("buildInfo")["version"])
else:
    from neo4j import GraphDatabase
    for scheme in ["neo4j", "bolt", "neo4j+ssc"]:
        with GraphDatabase.driver(scheme + url[len("neo4j"):], auth=("neo4j", os.environ["NEO4J_PASSWORD"])) as d:
            print(d.execute_query("CALL dbms.components() YIELD versions RETURN versions[0]").records[0][0])
"#;

const JAVA: &str = r#"
import java.sql.*;
import java.util.Properties;

class Try {
    public static void main(String[] arguments) throws Exception {
        Properties more = new Properties();
        more.setProperty("password", System.getenv("MYSQL_PWD"));
        try (Connection c = DriverManager.getConnection(arguments[0], more);
             ResultSet r = c.createStatement().executeQuery("select version()")) {
            r.next();
            System.out.println(r.getString(1));
        }
    }
}
"#;
