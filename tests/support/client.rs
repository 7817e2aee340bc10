//! A headless HTTP client: keeps cookies, does not follow redirects, and reads pages as text.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode, redirect};
use scraper::{Html, Selector};

use super::PATIENCE;

/// The builder of every HTTP client of the tests. The cryptography is that of the portal.
pub fn http() -> reqwest::ClientBuilder {
    // An error says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// A client of the portal.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// `Location`, or empty.
    pub location: String,
    /// All headers.
    pub headers: reqwest::header::HeaderMap,
    /// Body.
    pub body: String,
}

impl Reply {
    /// The visible text of the page, with whitespace collapsed.
    pub fn text(&self) -> String {
        let html = Html::parse_document(&self.body);
        let root = html.root_element();
        let pieces: Vec<&str> = root.text().flat_map(str::split_whitespace).collect();
        pieces.join(" ")
    }

    /// The texts of all elements that match a selector.
    pub fn all(&self, selector: &str) -> Vec<String> {
        let html = Html::parse_document(&self.body);
        let selector = Selector::parse(selector).expect("a selector");
        html.select(&selector).map(|e| e.text().collect::<String>()).collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.body))
    }

    /// Fails unless the status is this one; returns the response.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.location, self.text());
        self
    }
}

impl Client {
    /// A client that is not signed in.
    pub fn nobody(base: &str) -> Self {
        let http = http()
            .cookie_store(true)
            .redirect(redirect::Policy::none())
            .tls_danger_accept_invalid_certs(true)
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        Self { http, base: base.to_owned(), token: None }
    }

    /// A client of the same portal with a bearer token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::nobody(&self.base) }
    }

    /// Signs in, and fails the test if that fails.
    pub async fn sign_in(&self, username: &str, password: &str) {
        let reply = self.post("/login", &[("username", username), ("password", password)]).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{username} signs in: {}", reply.text());
    }

    /// Sends any request; `build` adds headers or a body.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        build: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Reply {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = build(request).send().await.expect("an answer");
        let headers = response.headers().clone();
        let location = headers.get("location").and_then(|l| l.to_str().ok()).unwrap_or_default().to_owned();
        Reply { status: response.status(), location, headers, body: response.text().await.expect("a body") }
    }

    /// Sends a GET request.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, |r| r).await
    }

    /// Sends a GET request and reads only the beginning of the response, without its body.
    pub async fn begin(&self, path: &str) -> Reply {
        let response = self.http.get(format!("{}{path}", self.base)).send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let location = headers.get("location").and_then(|l| l.to_str().ok()).unwrap_or_default().to_owned();
        Reply { status, location, headers, body: String::new() }
    }

    /// Sends a form by POST from a page of the portal.
    pub async fn post_from(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        let referer = format!("{}{page}", self.base);
        let form = |r: reqwest::RequestBuilder| r.header("sec-fetch-site", "same-origin").header("referer", referer);
        self.send(Method::POST, path, |r| form(r).form(fields)).await
    }

    /// Sends a form by POST, as a browser on the portal's own page does.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.send(Method::POST, path, |r| r.header("sec-fetch-site", "same-origin").form(fields)).await
    }

    /// Sends a JSON body.
    pub async fn json(&self, method: Method, path: &str, body: &serde_json::Value) -> Reply {
        self.send(method, path, |r| r.json(body)).await
    }

    /// Creates a PostgreSQL 17 database with the form, without waiting.
    pub async fn submit_create(&self, name: &str, more: &[(&str, &str)]) -> Reply {
        let mut fields = vec![
            ("engine", "postgres"),
            ("image", super::POSTGRES_17),
            ("name", name),
            ("dbname", "trial"),
            ("dbuser", "ada"),
            ("dbuserpass", "correct-horse"),
        ];
        fields.retain(|(key, _)| !more.iter().any(|(k, _)| k == key));
        fields.extend_from_slice(more);
        self.post("/containers", &fields).await
    }

    /// Creates a database and waits until it runs.
    pub async fn create(&self, name: &str, more: &[(&str, &str)]) {
        self.submit_create(name, more).await.expect(303);
        self.wait_for(name, "running").await;
    }

    /// The word in the state chip on the page of a database.
    pub async fn state(&self, name: &str) -> String {
        let page = self.get(&format!("/containers/{name}")).await;
        // Only this fragment is parsed: parsing a page takes longer than rendering it, and this is called repeatedly.
        let chip = page.body.find("<span class=\"chip ").and_then(|at| page.body.get(at..));
        let chip = chip.and_then(|rest| rest.split_inclusive("</span>").next()).unwrap_or_default();
        let text: String = Html::parse_fragment(chip).root_element().text().collect();
        text.trim().to_owned()
    }

    /// Waits until a database is in this state and no job is active on it.
    pub async fn wait_for(&self, name: &str, state: &str) {
        let begin = Instant::now();
        loop {
            let seen = self.state(name).await;
            if seen == state {
                return;
            }
            if begin.elapsed() > PATIENCE {
                let page = self.get(&format!("/containers/{name}")).await.text();
                panic!("{name} should be {state} but is {seen}: {page}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until a permanently deleted database no longer has a page.
    pub async fn wait_until_gone(&self, name: &str) {
        let begin = Instant::now();
        while self.get(&format!("/containers/{name}")).await.status != StatusCode::NOT_FOUND {
            assert!(begin.elapsed() < PATIENCE, "{name} still has a page");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
