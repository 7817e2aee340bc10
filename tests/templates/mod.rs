//! Templates: imported from dumps, and databases made from them, on the pages, by the API and on port 5001.

mod allowed_tiers;
mod bad_dumps;
mod bad_values;
mod ci;
mod ci_examples;
mod crowd;
mod curl;
mod daily;
mod faults;
mod formats;
mod imports;
mod interrupted;
mod myaas;
mod names;
mod origins;
mod problems;
mod sidecar;
mod sources;
mod space;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::support::portal::Options;
use crate::support::{Client, TestPortal};

/// A portal with a directory of dumps and the interface on its own port.
pub async fn portal() -> TestPortal {
    portal_with(|_| {}).await
}

/// The same with other settings.
pub async fn portal_with(other: impl FnOnce(&mut mydb::config::Config) + Send + 'static) -> TestPortal {
    let configure = Box::new(|config: &mut mydb::config::Config| {
        settings(config);
        config.myaas.listen = Some("127.0.0.1:0".parse().expect("an address"));
        other(config);
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    std::fs::create_dir_all(dumps(&portal)).expect("a directory of dumps");
    portal
}

/// Short waits, and a tier that can share blocks if there is one.
fn settings(config: &mut mydb::config::Config) {
    config.templates.settle = Duration::from_millis(50);
    if config.storage.iter().any(|tier| tier.name == "cow") {
        "cow".clone_into(&mut config.templates.storage);
    }
}

/// The directory of dumps.
pub fn dumps(portal: &TestPortal) -> PathBuf {
    portal.config.templates.dumps.clone()
}

/// Writes a dump.
pub fn write(portal: &TestPortal, name: &str, content: impl AsRef<[u8]>) {
    std::fs::write(dumps(portal).join(name), content).expect("a dump");
}

/// SQL that is larger than the smallest dump.
pub fn sql(statements: &str) -> String {
    format!("-- {}\n{statements}", "a comment that makes the file large enough to be a dump ".repeat(3))
}

/// Imports what has changed, and waits until nothing is being imported.
pub async fn update(portal: &TestPortal, api: &Client) -> Value {
    let done = api.json(Method::POST, "/api/v1/templates/update", &serde_json::json!({})).await.expect(200).json();
    settled(portal).await;
    done
}

/// Waits until no import is running.
pub async fn settled(portal: &TestPortal) {
    let running = "select count(*) from job where kind = 'import-template' and status in ('queued', 'running')";
    portal.until(running, |said| said == "0").await;
}

/// A client of port 5001.
pub struct Scripts {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Scripts {
    /// A client of this portal, with a token or without.
    pub fn of(portal: &TestPortal, token: Option<&str>) -> Self {
        let address = portal.running().myaas.expect("the interface listens");
        Self::at(&format!("http://127.0.0.1:{}", address.port()), token)
    }

    /// A client of the interface at this address.
    pub fn at(url: &str, token: Option<&str>) -> Self {
        let http = crate::support::http().build().expect("a client");
        Self { http, base: url.to_owned(), token: token.map(str::to_owned) }
    }

    /// Sends a request.
    pub async fn send(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Response {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if method == Method::POST {
            request = request.form(form);
        }
        request.send().await.expect("a response")
    }

    /// The body of a response with this status code.
    pub async fn call(&self, method: Method, path: &str, form: &[(&str, &str)], code: u16) -> Value {
        let response = self.send(method.clone(), path, form).await;
        let (status, text) = (response.status(), response.text().await.expect("a body"));
        assert_eq!(status, StatusCode::from_u16(code).expect("a code"), "{method} {path}: {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
    }

    /// A GET that responds with 200.
    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, &[], 200).await
    }
}
