//! Examples of how to connect to PostgreSQL.

use crate::engine::connect::{Authority, Endpoint, Snippet, Tls, snippet as s};

const PSQL: &[(&str, &str)] = &[
    ("Debian, Ubuntu", "sudo apt install postgresql-client"),
    ("macOS", "brew install libpq && brew link --force libpq"),
    ("Windows", "winget install PostgreSQL.PostgreSQL.17"),
    ("conda", "conda install -c conda-forge postgresql"),
];
const PSYCOPG: &[(&str, &str)] =
    &[("pip", "pip install \"psycopg[binary]\""), ("conda", "conda install -c conda-forge psycopg")];
const SQLALCHEMY: &[(&str, &str)] = &[
    ("pip", "pip install sqlalchemy \"psycopg[binary]\""),
    ("conda", "conda install -c conda-forge sqlalchemy psycopg"),
];
const R: &[(&str, &str)] = &[
    ("R", "install.packages(c(\"DBI\", \"RPostgres\"))"),
    ("conda", "conda install -c conda-forge r-dbi r-rpostgres"),
];
const JDBC: &[(&str, &str)] = &[("Maven", "org.postgresql:postgresql")];

/// The options of a URL.
pub(super) fn options(tls: Tls<'_>) -> &'static str {
    tls.pick("sslmode=verify-full&sslrootcert=ca.pem", "sslmode=require")
}

/// The examples. `url` is the URL of the database without a password.
pub(super) fn snippets(e: &Endpoint<'_>, tls: Tls<'_>, url: &str) -> Vec<Snippet> {
    let (host, port, db, user) = (e.host, e.port("postgres"), e.dbname, e.dbuser);
    let fetch = |text: fn(&Authority) -> String| tls.authority().map(text).unwrap_or_default();
    let (shell, python, r) = (fetch(Authority::shell), fetch(Authority::python), fetch(Authority::r));
    let conninfo = tls.pick("sslmode=verify-full sslrootcert=ca.pem", "sslmode=require");
    let query = options(tls);
    let arguments = tls.pick("sslmode=\"verify-full\", sslrootcert=\"ca.pem\"", "sslmode=\"require\"");
    let variables = tls.pick("PGSSLMODE = \"verify-full\", PGSSLROOTCERT = \"ca.pem\"", "PGSSLMODE = \"require\"");
    vec![
        s(
            "psql",
            "psql",
            "sh",
            "Run in a terminal. It prompts for the password.",
            format!("{shell}psql \"host={host} port={port} dbname={db} user={user} {conninfo}\""),
        )
        .install(PSQL),
        s(
            "url",
            "URL",
            "url",
            "For programs that take a connection URL. Add the password after the user name: user:password@host.",
            url.to_owned(),
        ),
        s(
            "python",
            "Python",
            "python",
            "Uses psycopg 3. Reads the password from the environment variable PGPASSWORD, so that scripts don’t \
             contain it.",
            format!(
                "{python}import psycopg\n\nwith psycopg.connect(\n    host=\"{host}\", port={port}, dbname=\"{db}\", user=\"{user}\", {arguments},\n) as connection:\n    print(connection.execute(\"select version()\").fetchone()[0])\n"
            ),
        )
        .install(PSYCOPG),
        s(
            "sqlalchemy",
            "SQLAlchemy",
            "python",
            "Uses SQLAlchemy 2 and psycopg 3. Reads the password from the environment variable PGPASSWORD.",
            format!(
                "{python}from sqlalchemy import create_engine, text\n\nengine = create_engine(\"postgresql+psycopg://{user}@{host}:{port}/{db}?{query}\")\nwith engine.connect() as connection:\n    print(connection.execute(text(\"select version()\")).scalar())\n"
            ),
        )
        .install(SQLALCHEMY),
        s(
            "r",
            "R",
            "r",
            "Uses the packages DBI and RPostgres (or the older RPostgreSQL). Reads the password from the \
             environment variable PGPASSWORD.",
            format!(
                "{r}library(DBI)\n\nSys.setenv({variables})\ndriver <- if (requireNamespace(\"RPostgres\", quietly = TRUE)) RPostgres::Postgres() else RPostgreSQL::PostgreSQL()\nconnection <- dbConnect(\n  driver,\n  host = \"{host}\", port = {port}, dbname = \"{db}\", user = \"{user}\",\n  password = Sys.getenv(\"PGPASSWORD\")\n)\nprint(dbGetQuery(connection, \"select version()\"))\ndbDisconnect(connection)\n"
            ),
        )
        .install(R),
        s(
            "jdbc",
            "JDBC",
            "java",
            "For Java and for tools such as DBeaver. They prompt for the password.",
            format!("jdbc:postgresql://{host}:{port}/{db}?user={user}&{query}"),
        )
        .install(JDBC),
    ]
}
