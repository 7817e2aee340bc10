//! Examples of how to connect to Neo4j.

use crate::engine::connect::{Authority, Endpoint, Snippet, Tls, snippet as s};

const SHELL: &[(&str, &str)] = &[
    ("Debian, Ubuntu", "sudo apt install cypher-shell  # from Neo4j’s repository: debian.neo4j.com"),
    ("macOS", "brew install cypher-shell"),
    ("Windows", "winget install Microsoft.OpenJDK.21  # then unpack Cypher Shell from neo4j.com/deployment-center"),
];
const PYTHON: &[(&str, &str)] =
    &[("pip", "pip install neo4j"), ("conda", "conda install -c conda-forge neo4j-python-driver")];
const R: &[(&str, &str)] = &[
    ("R", "install.packages(c(\"httr\", \"jsonlite\"))"),
    ("conda", "conda install -c conda-forge r-httr r-jsonlite"),
];
const JDBC: &[(&str, &str)] = &[("Maven", "org.neo4j:neo4j-jdbc")];

/// The scheme of a URL.
pub(super) fn scheme(tls: Tls<'_>) -> &'static str {
    tls.pick("neo4j+s://", "neo4j+ssc://")
}

/// The examples. `plain` is the URL of the database without TLS, `url` that with it.
pub(super) fn snippets(e: &Endpoint<'_>, tls: Tls<'_>, plain: &str, url: &str) -> Vec<Snippet> {
    let (host, https, user) = (e.host, e.port("http"), e.dbuser);
    let fetch = |text: fn(&Authority) -> String| tls.authority().map(text).unwrap_or_default();
    let (shell, python, r) = (fetch(Authority::shell), fetch(Authority::python), fetch(Authority::r));
    let checks = tls.pick("config(cainfo = \"ca.pem\")", "config(ssl_verifypeer = FALSE, ssl_verifyhost = FALSE)");
    // Java cannot read PEM files, so the certificate goes into its own store.
    let store = tls.pick(
        "rm -f ca.p12\nkeytool -importcert -noprompt -alias db4sci -file ca.pem -keystore ca.p12 -storetype PKCS12 -storepass ca-only\nJAVA_OPTS=\"-Djavax.net.ssl.trustStore=ca.p12 -Djavax.net.ssl.trustStorePassword=ca-only\" ",
        "",
    );
    let (names, driver) = match tls {
        Tls::Verified(_) => (
            "GraphDatabase, TrustCustomCAs",
            format!("\"{plain}\", encrypted=True, trusted_certificates=TrustCustomCAs(\"ca.pem\"),\n   "),
        ),
        Tls::Unverified => ("GraphDatabase", format!("\"{url}\",")),
    };
    vec![
        s(
            "cypher-shell",
            "cypher-shell",
            "sh",
            "Run in a terminal. It prompts for the password.",
            format!("{shell}{store}cypher-shell --address={url} --username={user}"),
        )
        .install(SHELL),
        s(
            "url",
            "URL",
            "url",
            "For drivers and for Neo4j Desktop or Browser, which ask for the user name and password separately. To \
             verify the server, your machine or driver must trust ca.pem.",
            url.to_owned(),
        ),
        s(
            "python",
            "Python",
            "python",
            "Uses the package neo4j. Reads the password from the environment variable NEO4J_PASSWORD.",
            format!(
                "{python}import os\nfrom neo4j import {names}\n\nwith GraphDatabase.driver(\n    {driver} auth=(\"{user}\", os.environ[\"NEO4J_PASSWORD\"]),\n) as driver:\n    records, _, _ = driver.execute_query(\"CALL dbms.components() YIELD name, versions RETURN name, versions[0] AS version\")\n    print(records[0][\"name\"], records[0][\"version\"])\n"
            ),
        )
        .install(PYTHON),
        s(
            "r",
            "R",
            "r",
            "Uses HTTPS with the packages httr and jsonlite. Reads the password from the environment variable \
             NEO4J_PASSWORD.",
            format!(
                "{r}library(httr)\n\nanswer <- POST(\n  \"https://{host}:{https}/db/neo4j/tx/commit\", {checks},\n  authenticate(\"{user}\", Sys.getenv(\"NEO4J_PASSWORD\")),\n  body = list(statements = list(list(statement = \"CALL dbms.components() YIELD name, versions RETURN name, versions[0]\"))),\n  encode = \"json\"\n)\nstop_for_status(answer)\nprint(unlist(content(answer)$results[[1]]$data[[1]]$row))\n"
            ),
        )
        .install(R),
        s(
            "jdbc",
            "JDBC",
            "java",
            "For Java and for tools such as DBeaver. They prompt for the password. To verify the server, Java must \
             trust ca.pem: the cypher-shell tab creates ca.p12 from it, which the options \
             -Djavax.net.ssl.trustStore=ca.p12 and -Djavax.net.ssl.trustStorePassword=ca-only make Java use.",
            format!("jdbc:{url}/neo4j?user={user}"),
        )
        .install(JDBC),
    ]
}
