//! A store with fault injection: an HTTP proxy in front of an embedded store. Forwarded requests are real, including
//! their signatures, because the proxy keeps the host name that the client signed.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use mydb::config::{Config, Target};
use mydb::objects::embedded::EmbeddedStore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Options, TestPortal, store};

/// The operations of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Create a multipart upload.
    Begin,
    /// Upload a part.
    Part,
    /// Complete a multipart upload.
    Complete,
    /// Abort a multipart upload.
    Abort,
    /// Put a small object.
    Put,
    /// Read an object.
    Get,
    /// Read the metadata of an object.
    Head,
    /// List objects or uploads.
    List,
    /// Delete an object.
    Delete,
}

/// All operations that write.
pub const WRITES: &[Op] = &[Op::Begin, Op::Part, Op::Complete, Op::Put];
/// All operations.
pub const ALL: &[Op] =
    &[Op::Begin, Op::Part, Op::Complete, Op::Abort, Op::Put, Op::Get, Op::Head, Op::List, Op::Delete];

impl Op {
    fn of(method: &Method, uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        // `/bucket/key`, or only the bucket.
        let bucket = uri.path().trim_matches('/').split('/').count() < 2;
        let upload = query.contains("uploadId=");
        match *method {
            Method::GET if bucket => Self::List,
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::DELETE if upload => Self::Abort,
            Method::DELETE => Self::Delete,
            Method::PUT if upload => Self::Part,
            Method::PUT => Self::Put,
            _ if upload => Self::Complete,
            _ => Self::Begin,
        }
    }
}

/// The faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The store responds with this error instead of acting: status and S3 error code.
    Says(u16, &'static str),
    /// Nothing is done, and no response is sent.
    Hangs,
    /// The connection is closed in the middle of the request.
    Closes,
    /// The request is executed, but the connection is closed before the response.
    ClosesAfter,
    /// Half of the response is sent, then the connection is closed.
    HalfAnswer,
    /// The headers of the response are sent, but nothing of its body.
    HeadOnly,
    /// The store ignores ranges and returns the complete object.
    IgnoresRange,
    /// Half of the response is sent, then nothing more.
    StallsHalfway,
    /// A bit is flipped on the way to the store.
    FlipsSent,
    /// A bit is flipped on the way from the store.
    FlipsAnswer,
    /// The store returns the ETag of other data.
    OtherTag,
}

struct Rule {
    at: &'static str,
    on: &'static [Op],
    wrong: Wrong,
    left: u32,
    struck: u32,
}

/// A portal whose store is behind a proxy, with a response timeout of this many seconds.
pub async fn portal(answer_seconds: u32) -> (TestPortal, StoreProxy) {
    let made = Arc::new(Mutex::new(None));
    let kept = made.clone();
    let configure = move |config: &mut Config| {
        store(config);
        let target = config.targets.first_mut().expect("a store");
        target.answer_seconds = answer_seconds;
        let dir = target.embedded.clone().expect("its directory");
        *kept.lock().expect("no panic") = Some(StoreProxy::start(&dir, target));
    };
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let proxy = made.lock().expect("no panic").take().expect("it was made");
    (portal, proxy)
}

/// The proxy and the store behind it, which run until this is dropped.
pub struct StoreProxy {
    /// Directory in which the store keeps its objects.
    pub dir: PathBuf,
    rules: Arc<Mutex<Vec<Rule>>>,
    line: Arc<Line>,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

/// The shared line to the store.
struct Line {
    /// Bandwidth in bytes per second; 0: unlimited.
    rate: AtomicU64,
    /// Held while bytes pass, so that connections take turns.
    turn: tokio::sync::Mutex<()>,
    /// Whether the store is available.
    up: tokio::sync::watch::Sender<bool>,
    /// Connections that were refused because it was not.
    refused: AtomicU64,
    /// Directory of the store's objects, by bucket and key.
    dir: PathBuf,
    /// The headers of the requests that begin an object.
    begun: Mutex<Vec<(Op, HeaderMap)>>,
}

impl Line {
    #[expect(clippy::cast_precision_loss, reason = "a time to wait")]
    async fn pass(&self, bytes: usize) {
        let rate = self.rate.load(Ordering::Relaxed);
        if rate > 0 {
            let _turn = self.turn.lock().await;
            tokio::time::sleep(Duration::from_secs_f64(bytes as f64 / rate as f64)).await;
        }
    }
}

type Answer = Response<BoxBody<Bytes, io::Error>>;

impl StoreProxy {
    /// Serves a store over `dir`, and changes `target` to reach it through the proxy: the portal treats it like any
    /// remote store.
    pub fn start(dir: &Path, target: &mut Target) -> Self {
        let store = EmbeddedStore::bind(dir, target).expect("a store");
        let inner = target.endpoint.take().expect("its address");
        target.embedded = None;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        target.endpoint = Some(format!("http://{}", listener.local_addr().expect("an address")));
        let (rules, stop) = (Arc::<Mutex<Vec<Rule>>>::default(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let until = stop.clone();
        tasks.spawn(async move { store.serve(until).await.expect("the store serves") });
        let (up, _) = tokio::sync::watch::channel(true);
        let line = Arc::new(Line {
            rate: AtomicU64::new(0),
            turn: tokio::sync::Mutex::new(()),
            up,
            refused: AtomicU64::new(0),
            dir: dir.to_owned(),
            begun: Mutex::default(),
        });
        tasks.spawn(accept(listener, inner, rules.clone(), line.clone()));
        Self { dir: dir.to_owned(), rules, line, stop, _tasks: tasks }
    }

    /// Limits the bandwidth to this many bytes per second, for all connections and both directions together.
    pub fn throttle(&self, bytes: u64) {
        self.line.rate.store(bytes, Ordering::Relaxed);
    }

    /// Stops the store, which closes its connections, or brings it back.
    pub fn up(&self, up: bool) {
        self.line.up.send_replace(up);
    }

    /// How many connections found the store stopped.
    pub fn refused(&self) -> u64 {
        self.line.refused.load(Ordering::Relaxed)
    }

    /// Makes the next `times` of these requests fail.
    pub fn fail(&self, on: &'static [Op], wrong: Wrong, times: u32) {
        self.fail_at("", on, wrong, times);
    }

    /// The same for requests with this text in their path.
    pub fn fail_at(&self, at: &'static str, on: &'static [Op], wrong: Wrong, times: u32) {
        self.rules.lock().expect("no panic").push(Rule { at, on, wrong, left: times, struck: 0 });
    }

    /// A header of each request of this kind that began an object, in their order; empty where it was not sent.
    pub fn sent(&self, on: Op, header: &str) -> Vec<String> {
        let begun = self.line.begun.lock().expect("no panic");
        let of = |headers: &HeaderMap| headers.get(header).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        begun.iter().filter(|(op, _)| *op == on).map(|(_, headers)| of(headers)).collect()
    }

    /// Removes all faults and returns how often each occurred, in the order in which they were requested.
    pub fn heal(&self) -> Vec<u32> {
        self.rules.lock().expect("no panic").drain(..).map(|r| r.struck).collect()
    }
}

impl Drop for StoreProxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: std::net::TcpListener, inner: String, rules: Arc<Mutex<Vec<Rule>>>, line: Arc<Line>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    let http = super::http().pool_max_idle_per_host(0).no_proxy().build().expect("a client");
    let mut connections = JoinSet::new();
    let mut up = line.up.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = up.changed() => {
                if !*up.borrow_and_update() {
                    connections.shutdown().await;
                }
                continue;
            }
        };
        let Ok((socket, _)) = accepted else { continue };
        if !*line.up.borrow() {
            line.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let (inner, rules, http, line) = (inner.clone(), rules.clone(), http.clone(), line.clone());
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let op = Op::of(request.method(), request.uri());
                if matches!(op, Op::Begin | Op::Put) {
                    line.begun.lock().expect("no panic").push((op, request.headers().clone()));
                }
                let wrong = strike(&rules, op, request.uri().path());
                pass(request, wrong, (inner.clone(), http.clone()), line.clone())
            });
            // An error closes the connection, as intended.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

fn strike(rules: &Mutex<Vec<Rule>>, op: Op, path: &str) -> Option<Wrong> {
    let mut rules = rules.lock().expect("no panic");
    let rule = rules.iter_mut().find(|r| r.left > 0 && r.on.contains(&op) && path.contains(r.at))?;
    rule.left -= 1;
    rule.struck += 1;
    Some(rule.wrong)
}

fn whole(body: Bytes) -> BoxBody<Bytes, io::Error> {
    http_body_util::Full::new(body).map_err(|e: Infallible| match e {}).boxed()
}

fn says(status: u16, code: &str) -> Answer {
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>As the test wants it.</Message></Error>");
    let mut answer = Response::new(whole(Bytes::from(text)));
    *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
    answer
}

fn broken() -> io::Error {
    io::Error::other("as the test wants it")
}

fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    Bytes::from(bytes)
}

async fn pass(
    request: Request<Incoming>,
    wrong: Option<Wrong>,
    (inner, http): (String, reqwest::Client),
    line: Arc<Line>,
) -> Result<Answer, io::Error> {
    let (head, mut body) = request.into_parts();
    match wrong {
        Some(Wrong::Says(status, code)) => {
            let _ = (&mut body).collect().await;
            return Ok(says(status, code));
        }
        Some(Wrong::Hangs) => {
            let _ = (&mut body).collect().await;
            std::future::pending::<()>().await;
        }
        Some(Wrong::Closes) => {
            let _ = body.frame().await;
            return Err(broken());
        }
        _ => {}
    }
    let mut taken = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame.map_err(io::Error::other)?.into_data() {
            line.pass(piece.len()).await;
            taken.extend_from_slice(&piece);
        }
    }
    let mut sent = Bytes::from(taken);
    if wrong == Some(Wrong::FlipsSent) {
        sent = flipped(&sent);
    }
    let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
    let mut request = http.request(head.method.clone(), format!("{inner}{path}")).body(sent);
    for (name, value) in
        head.headers.iter().filter(|(name, _)| **name != header::CONNECTION && **name != header::EXPECT)
    {
        request = request.header(name, value);
    }
    let got = request.send().await.map_err(io::Error::other)?;
    let (mut status, mut headers) = (got.status(), got.headers().clone());
    let mut content = got.bytes().await.map_err(io::Error::other)?;
    if wrong == Some(Wrong::IgnoresRange) {
        // The range is part of the signature, so the request is forwarded unchanged, and the complete object is put
        // into the response.
        content = Bytes::from(std::fs::read(line.dir.join(head.uri.path().trim_start_matches('/')))?);
        status = StatusCode::OK;
        headers.remove(header::CONTENT_RANGE);
        headers.insert(header::CONTENT_LENGTH, content.len().into());
    }
    if status == 403 && Op::of(&head.method, &head.uri) == Op::Abort {
        // The embedded store responds with 403 for an upload that no longer exists; other stores return this error.
        return Ok(says(404, "NoSuchUpload"));
    }
    let half = content.slice(..content.len() / 2);
    let answer = match wrong {
        Some(Wrong::ClosesAfter) => return Err(broken()),
        Some(Wrong::HalfAnswer) => {
            let rest = futures::stream::once(async { Err(broken()) });
            BodyExt::boxed(StreamBody::new(futures::stream::iter([Ok(Frame::data(half))]).chain(rest)))
        }
        Some(Wrong::HeadOnly) => {
            BodyExt::boxed(StreamBody::new(futures::stream::once(async { Err::<Frame<Bytes>, _>(broken()) })))
        }
        Some(Wrong::StallsHalfway) => BodyExt::boxed(StreamBody::new(
            futures::stream::iter([Ok(Frame::data(half))]).chain(futures::stream::pending()),
        )),
        Some(Wrong::FlipsAnswer) => whole(flipped(&content)),
        _ if line.rate.load(Ordering::Relaxed) == 0 => whole(content),
        _ => {
            let pieces: Vec<Bytes> = content.chunks(16 * 1024).map(Bytes::copy_from_slice).collect();
            let paced = futures::stream::iter(pieces).then(move |piece| {
                let line = line.clone();
                async move {
                    line.pass(piece.len()).await;
                    Ok::<_, io::Error>(Frame::data(piece))
                }
            });
            BodyExt::boxed(StreamBody::new(paced))
        }
    };
    let mut answer = Response::new(answer);
    *answer.status_mut() = status;
    for (name, value) in
        headers.iter().filter(|(name, _)| **name != header::CONNECTION && **name != header::TRANSFER_ENCODING)
    {
        answer.headers_mut().append(name, value.clone());
    }
    if wrong == Some(Wrong::OtherTag) {
        answer.headers_mut().insert(header::ETAG, "\"d41d8cd98f00b204e9800998ecf8427e\"".parse().expect("a header"));
    }
    Ok(answer)
}
