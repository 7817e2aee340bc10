//! Examples of how to connect to MongoDB.

use crate::engine::connect::{Authority, Endpoint, Snippet, Tls, snippet as s};

const MONGOSH: &[(&str, &str)] = &[
    ("Debian, Ubuntu", "sudo apt install mongodb-mongosh  # from MongoDB’s repository: repo.mongodb.org"),
    ("macOS", "brew install mongosh"),
    ("Windows", "winget install MongoDB.Shell"),
    ("npm", "npm install --global mongosh"),
];
const PYMONGO: &[(&str, &str)] = &[("pip", "pip install pymongo"), ("conda", "conda install -c conda-forge pymongo")];
const MONGOLITE: &[(&str, &str)] =
    &[("R", "install.packages(\"mongolite\")"), ("conda", "conda install -c conda-forge r-mongolite")];
const JAVA: &[(&str, &str)] = &[("Maven", "org.mongodb:mongodb-driver-sync")];
/// Makes the CA certificate trusted in Java, which cannot read PEM files.
const TRUST: &str = "        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        try (InputStream file = new FileInputStream(\"ca.pem\")) {
            trusted.setCertificateEntry(\"ca\", CertificateFactory.getInstance(\"X.509\").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance(\"TLS\");
        context.init(null, trust.getTrustManagers(), null);
";
/// Accepts any certificate.
const ACCEPT: &str = "        TrustManager anyone = new X509ExtendedTrustManager() {
            public void checkClientTrusted(X509Certificate[] chain, String type) {}
            public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}
            public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}
            public void checkServerTrusted(X509Certificate[] chain, String type) {}
            public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}
            public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}
            public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
        };
        SSLContext context = SSLContext.getInstance(\"TLS\");
        context.init(null, new TrustManager[] { anyone }, null);
";

/// The options of a URL.
pub(super) fn options(tls: Tls<'_>) -> &'static str {
    tls.pick("tls=true&tlsCAFile=ca.pem", "tls=true&tlsAllowInvalidCertificates=true")
}

/// The examples. `url` is the URL of the database without a password.
pub(super) fn snippets(e: &Endpoint<'_>, tls: Tls<'_>, url: &str) -> Vec<Snippet> {
    let (host, port, db, user) = (e.host, e.port("mongodb"), e.dbname, e.dbuser);
    let fetch = |text: fn(&Authority) -> String| tls.authority().map(text).unwrap_or_default();
    let (shell, python, r) = (fetch(Authority::shell), fetch(Authority::python), fetch(Authority::r));
    let options = options(tls);
    let arguments = tls.pick("tls=True, tlsCAFile=\"ca.pem\"", "tls=True, tlsAllowInvalidCertificates=True");
    vec![
        s(
            "mongosh",
            "mongosh",
            "sh",
            "Run in a terminal. It prompts for the password.",
            format!("{shell}mongosh \"{url}\""),
        )
        .install(MONGOSH),
        s(
            "url",
            "URL",
            "url",
            "For programs that take a connection URL. Add the password after the user name, percent-encoded.",
            url.to_owned(),
        ),
        s(
            "python",
            "Python",
            "python",
            "Uses the package PyMongo. Reads the password from the environment variable MONGO_PASSWORD.",
            format!(
                "{python}import os\nfrom pymongo import MongoClient\n\nclient = MongoClient(\n    \"{host}\", {port}, username=\"{user}\", password=os.environ[\"MONGO_PASSWORD\"], authSource=\"{db}\",\n    {arguments},\n)\ndatabase = client[\"{db}\"]\nprint(database.command(\"buildInfo\")[\"version\"])\n"
            ),
        )
        .install(PYMONGO),
        s(
            "r",
            "R",
            "r",
            "Uses the package mongolite. Reads the password from the environment variable MONGO_PASSWORD.",
            format!(
                "{r}library(mongolite)\n\npassword <- URLencode(Sys.getenv(\"MONGO_PASSWORD\"), reserved = TRUE)\nconnection <- mongo(\n  collection = \"measurements\", db = \"{db}\",\n  url = sprintf(\"mongodb://{user}:%s@{host}:{port}/{db}?authSource={db}&{options}\", password)\n)\nprint(connection$run('{{\"buildInfo\": 1}}')$version)\n"
            ),
        )
        .install(MONGOLITE),
        java(e, tls),
    ]
}

/// The example in Java: a program, because its driver takes no CA file in a URL.
fn java(e: &Endpoint<'_>, tls: Tls<'_>) -> Snippet {
    let (host, port, db, user) = (e.host, e.port("mongodb"), e.dbname, e.dbuser);
    let imports = tls.pick(
        "import java.io.*;\nimport java.security.KeyStore;\nimport java.security.cert.CertificateFactory;\n",
        "import java.net.Socket;\nimport java.security.cert.X509Certificate;\n",
    );
    let trust = tls.pick(TRUST, ACCEPT);
    let names = tls.pick("", ".invalidHostNameAllowed(true)");
    let note = "Uses the MongoDB driver. Reads the password from the environment variable MONGO_PASSWORD.";
    let text = format!(
        "import com.mongodb.*;\nimport com.mongodb.client.*;\nimport org.bson.Document;\nimport java.util.List;\nimport javax.net.ssl.*;\n{imports}\nclass Try {{\n    public static void main(String[] arguments) throws Exception {{\n{trust}        MongoCredential user = MongoCredential.createCredential(\n            \"{user}\", \"{db}\", System.getenv(\"MONGO_PASSWORD\").toCharArray());\n        MongoClientSettings settings = MongoClientSettings.builder().credential(user)\n            .applyToSslSettings(s -> s.enabled(true){names}.context(context))\n            .applyToClusterSettings(c -> c.hosts(List.of(new ServerAddress(\"{host}\", {port})))).build();\n        try (MongoClient client = MongoClients.create(settings)) {{\n            Document info = client.getDatabase(\"{db}\").runCommand(new Document(\"buildInfo\", 1));\n            System.out.println(info.getString(\"version\"));\n        }}\n    }}\n}}\n"
    );
    s("java", "Java", "java", note, text).install(JAVA)
}
