//! A client of the interface for databases from templates (port 5001) of a portal, usually on another machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::surroundings::Surroundings;

/// Timeout for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Timeout for a response: the portal responds to a request for a database when the database is ready.
const ANSWER: Duration = Duration::from_secs(960);

/// The address of the portal, and the user's token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    url: String,
    token: Option<SecretString>,
    /// File with the certificate authority of the portal.
    ca: Option<PathBuf>,
}

/// A client.
pub(super) struct Remote {
    http: reqwest::Client,
    url: String,
    token: Option<SecretString>,
}

/// A database as the portal describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Database {
    #[serde(rename = "database")]
    pub(super) dbname: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) running: bool,
    pub(super) status: String,
    pub(super) created: String,
    pub(super) expires_at: Option<i64>,
}

/// The result of a request for a database.
pub(super) enum Asked {
    /// It is ready.
    Ready,
    /// The first import of the template is not complete.
    Importing,
}

impl Remote {
    /// The client that the environment describes: `DB4SCI_URL`, `DB4SCI_TOKEN` and `DB4SCI_CA`, or else the file
    /// `db4sci/login.toml` in the configuration directory of the user.
    pub(super) fn open(at: &Surroundings, url: Option<&str>) -> anyhow::Result<Self> {
        let given = url.or_else(|| at.var("DB4SCI_URL"));
        let login = match given {
            Some(url) => Login {
                url: url.to_owned(),
                token: at.var("DB4SCI_TOKEN").map(SecretString::from),
                ca: at.var("DB4SCI_CA").map(PathBuf::from),
            },
            None => read(at)?,
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder().connect_timeout(CONNECT).timeout(ANSWER);
        if let Some(file) = &login.ca {
            let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            http = http.add_root_certificate(reqwest::Certificate::from_pem(&pem)?);
        }
        Ok(Self { http: http.build()?, url: login.url.trim_end_matches('/').to_owned(), token: login.token })
    }

    /// Sends a request and returns status and body.
    async fn send(&self, method: Method, path: &str, form: &[(&str, &str)]) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if method == Method::POST {
            request = request.form(form);
        }
        let response = request.send().await.with_context(|| format!("{} is not responding", self.url))?;
        let status = response.status();
        let text = response.text().await?;
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Ok((status, body))
    }

    /// A request that must succeed.
    async fn call(&self, method: Method, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self.send(method, path, &[]).await?;
        ensure!(status.is_success(), "{}", said(status, &body));
        Ok(body)
    }

    /// The names of the templates.
    pub(super) async fn templates(&self) -> anyhow::Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Names {
            templates: Vec<String>,
        }
        Ok(serde_json::from_value::<Names>(self.call(Method::GET, "/templates").await?)?.templates)
    }

    /// The databases as the portal lists them.
    pub(super) async fn list(&self) -> anyhow::Result<Vec<Value>> {
        let body = self.call(Method::GET, "/db").await?;
        Ok(body.get("databases").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// A database.
    pub(super) async fn show(&self, template: &str, name: &str) -> anyhow::Result<Database> {
        Ok(serde_json::from_value(self.call(Method::GET, &path(template, name)?).await?)?)
    }

    /// The image of a database.
    pub(super) async fn image(&self, template: &str, name: &str) -> anyhow::Result<String> {
        let body = self.call(Method::GET, &format!("{}?all=1", path(template, name)?)).await?;
        let image = body.pointer("/container/Image").and_then(Value::as_str);
        Ok(image.unwrap_or_default().to_owned())
    }

    /// Requests a database, and waits until it is ready.
    pub(super) async fn make(&self, template: &str, name: &str, ttl: Option<&str>) -> anyhow::Result<Asked> {
        let form: Vec<_> = ttl.map(|ttl| ("ttl", ttl)).into_iter().collect();
        let (status, body) = self.send(Method::POST, &path(template, name)?, &form).await?;
        match status {
            StatusCode::CREATED | StatusCode::NOT_MODIFIED => Ok(Asked::Ready),
            StatusCode::LOCKED => Ok(Asked::Importing),
            status => bail!("{}", said(status, &body)),
        }
    }

    /// Removes a database. It is not an error if the database does not exist.
    pub(super) async fn remove(&self, template: &str, name: &str) -> anyhow::Result<bool> {
        let (status, body) = self.send(Method::DELETE, &path(template, name)?, &[]).await?;
        match status {
            StatusCode::NO_CONTENT => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            status => bail!("{}", said(status, &body)),
        }
    }
}

/// The path of a database.
fn path(template: &str, name: &str) -> anyhow::Result<String> {
    for text in [template, name] {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        ensure!(
            !text.is_empty() && text.chars().all(plain),
            "“{text}” is not a valid name: use letters, digits, “.”, “-” and “_”"
        );
    }
    Ok(format!("/db/{template}/{name}"))
}

/// The portal's error message.
fn said(status: StatusCode, body: &Value) -> String {
    let words = body.get("status").and_then(Value::as_str).or_else(|| body.as_str()).unwrap_or_default();
    format!("the portal responded with {}: {words}", status.as_u16())
}

/// The login file. It contains a token, so nobody else may read it.
fn read(at: &Surroundings) -> anyhow::Result<Login> {
    use std::os::unix::fs::PermissionsExt;
    let config = at.var("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| at.var("HOME").map(|home| PathBuf::from(home).join(".config")));
    let file = config.context("set DB4SCI_URL to the address of the portal")?.join("db4sci/login.toml");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            bail!("set DB4SCI_URL and DB4SCI_TOKEN, or write url and token to {} (mode 0600)", file.display())
        }
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
    };
    let mode = std::fs::metadata(&file)?.permissions().mode();
    ensure!(mode.trailing_zeros() >= 6, "others can read {}, which contains a token: chmod 600 it", file.display());
    toml::from_str(&text).with_context(|| format!("{} is not a login file", file.display()))
}
