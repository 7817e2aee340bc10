//! Examples of how to connect to MariaDB.

use crate::engine::connect::{Authority, Endpoint, Snippet, Tls, snippet as s};

const CLIENT: &[(&str, &str)] = &[
    ("Debian, Ubuntu", "sudo apt install mariadb-client"),
    ("macOS", "brew install mariadb"),
    ("Windows", "winget install MariaDB.Server"),
    ("conda", "conda install -c conda-forge mariadb"),
];
const PYMYSQL: &[(&str, &str)] = &[("pip", "pip install pymysql"), ("conda", "conda install -c conda-forge pymysql")];
const SQLALCHEMY: &[(&str, &str)] =
    &[("pip", "pip install sqlalchemy pymysql"), ("conda", "conda install -c conda-forge sqlalchemy pymysql")];
const R: &[(&str, &str)] =
    &[("R", "install.packages(c(\"DBI\", \"RMariaDB\"))"), ("conda", "conda install -c conda-forge r-dbi r-rmariadb")];
const JDBC: &[(&str, &str)] = &[("Maven", "org.mariadb.jdbc:mariadb-java-client")];

/// The options of a URL.
pub(super) fn options(tls: Tls<'_>) -> &'static str {
    tls.pick("?ssl_ca=ca.pem", "")
}

/// The examples. `url` is the URL of the database without a password.
pub(super) fn snippets(e: &Endpoint<'_>, tls: Tls<'_>, url: &str) -> Vec<Snippet> {
    let (host, port, db, user) = (e.host, e.port("mariadb"), e.dbname, e.dbuser);
    // The C library connects "localhost" to the socket of a server on the same machine and ignores the port.
    let not_the_socket = if host == "localhost" { "127.0.0.1" } else { host };
    let fetch = |text: fn(&Authority) -> String| tls.authority().map(text).unwrap_or_default();
    let (shell, python, r) = (fetch(Authority::shell), fetch(Authority::python), fetch(Authority::r));
    let flags = tls.pick("--ssl-ca=ca.pem --ssl-verify-server-cert", "--skip-ssl-verify-server-cert");
    let context = tls.pick("{\"ca\": \"ca.pem\"}", "{\"check_hostname\": False}");
    let sslmode = tls.pick("sslMode=verify-full&serverSslCert=ca.pem", "sslMode=trust");
    let file = tls.pick(
        "writeLines(c(\"[client]\", \"ssl-ca=ca.pem\", \"ssl-verify-server-cert\"), \"tls.cnf\")\n",
        "writeLines(c(\"[client]\", \"ssl\"), \"tls.cnf\")\n",
    );
    vec![
        s(
            "mariadb",
            "mariadb",
            "sh",
            "Run in a terminal. It prompts for the password.",
            format!(
                "{shell}mariadb --host={host} --port={port} --protocol=tcp --ssl {flags} --user={user} --password {db}"
            ),
        )
        .install(CLIENT),
        s(
            "url",
            "URL",
            "url",
            "For programs that take a connection URL. Add the password after the user name, percent-encoded. Programs \
             differ in how they are told to use TLS; ssl_ca is SQLAlchemy’s option.",
            url.to_owned(),
        ),
        s(
            "python",
            "Python",
            "python",
            "Uses the package PyMySQL. Reads the password from the environment variable MYSQL_PWD.",
            format!(
                "{python}import os\nimport pymysql\n\nconnection = pymysql.connect(\n    host=\"{host}\", port={port}, user=\"{user}\", database=\"{db}\",\n    password=os.environ[\"MYSQL_PWD\"].encode(), charset=\"utf8mb4\",\n    ssl={context},\n)\nwith connection.cursor() as cursor:\n    cursor.execute(\"select version()\")\n    print(cursor.fetchone()[0])\n"
            ),
        )
        .install(PYMYSQL),
        s(
            "sqlalchemy",
            "SQLAlchemy",
            "python",
            "Uses SQLAlchemy and PyMySQL. Reads the password from the environment variable MYSQL_PWD.",
            format!(
                "{python}import os\nfrom sqlalchemy import create_engine, text\n\nengine = create_engine(\n    \"mysql+pymysql://{user}@{host}:{port}/{db}?charset=utf8mb4\",\n    connect_args={{\"password\": os.environ[\"MYSQL_PWD\"].encode(), \"ssl\": {context}}},\n)\nwith engine.connect() as connection:\n    print(connection.execute(text(\"select version()\")).scalar())\n"
            ),
        )
        .install(SQLALCHEMY),
        s(
            "r",
            "R",
            "r",
            "Uses the packages DBI and RMariaDB (or the older RMySQL). Reads the password from the environment \
             variable MYSQL_PWD.",
            format!(
                "{r}library(DBI)\n\n{file}driver <- if (requireNamespace(\"RMariaDB\", quietly = TRUE)) RMariaDB::MariaDB() else RMySQL::MySQL()\nconnection <- dbConnect(\n  driver,\n  host = \"{not_the_socket}\", port = {port}, dbname = \"{db}\", user = \"{user}\",\n  password = Sys.getenv(\"MYSQL_PWD\"), default.file = \"tls.cnf\", groups = \"client\"\n)\nprint(dbGetQuery(connection, \"select version()\"))\ndbDisconnect(connection)\n"
            ),
        )
        .install(R),
        s(
            "jdbc",
            "JDBC",
            "java",
            "For Java and for tools such as DBeaver. They prompt for the password.",
            format!("jdbc:mariadb://{host}:{port}/{db}?user={user}&{sslmode}"),
        )
        .install(JDBC),
    ]
}
