//! An S3 store that the portal itself serves from a directory. Its signatures, parts and errors are real, so dev mode
//! and tests use the same client as production.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::Context;
use axum::http::{Extensions, HeaderMap, Method, Uri};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SimpleAuth;
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Target;
use crate::secrets::Random;

/// The owner of uploads, the same in every run, so that a restarted portal can abort those of its previous run.
const KEY_ID: &str = "embedded";

/// Lists open uploads, which the library's store cannot do, from the files that it keeps for them next to the buckets.
struct OpenUploads(PathBuf);

impl OpenUploads {
    /// The key and the upload that a file name stands for.
    fn of(name: &str, bucket: &str) -> Option<(String, String)> {
        let mut parts = name.strip_prefix(".bucket-")?.strip_suffix(".metadata.json")?.split('.');
        let text = |encoded: &str| String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?).ok();
        let (of, key, upload) = (parts.next()?, parts.next()?, parts.next()?);
        let found = (text(key.strip_prefix("object-")?)?, upload.strip_prefix("upload-")?.to_owned());
        (text(of)? == bucket).then_some(found)
    }
}

#[async_trait::async_trait]
impl S3Route for OpenUploads {
    fn is_match(&self, method: &Method, uri: &Uri, _: &HeaderMap, _: &mut Extensions) -> bool {
        let mut asked = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        method == Method::GET && asked.any(|(key, _)| key == "uploads")
    }

    async fn call(&self, req: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let mut asked = url::form_urlencoded::parse(req.uri.query().unwrap_or_default().as_bytes());
        let prefix = asked.find(|(key, _)| key == "prefix").map(|(_, value)| value.into_owned()).unwrap_or_default();
        let mut text = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>".to_owned();
        let mut files = tokio::fs::read_dir(&self.0).await.map_err(s3s::S3Error::internal_error)?;
        while let Some(file) = files.next_entry().await.map_err(s3s::S3Error::internal_error)? {
            let found = Self::of(&file.file_name().to_string_lossy(), req.uri.path().trim_matches('/'));
            if let Some((key, upload)) = found.filter(|(key, _)| key.starts_with(&prefix)) {
                let key = key.replace('&', "&amp;").replace('<', "&lt;");
                text.extend(["<Upload><Key>", &key, "</Key><UploadId>", &upload, "</UploadId></Upload>"]);
            }
        }
        text.push_str("</ListMultipartUploadsResult>");
        Ok(S3Response::new(Body::from(text)))
    }
}

/// Removes leftovers of uploads that were being started or completed when the process was killed: the library's store
/// records an upload before the key it belongs to, and forgets it before its parts.
fn remove_cut(dir: &Path) -> std::io::Result<()> {
    let files = std::fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = files.iter().map(|f| f.file_name().to_string_lossy().into_owned()).collect();
    for (file, name) in files.iter().zip(&names) {
        let begun = name.strip_prefix(".upload-").and_then(|rest| rest.strip_suffix(".json"));
        if let Some(id) = begun
            && !names.iter().any(|of| of.contains(&format!(".upload-{id}.")) && !of.starts_with(".upload-"))
        {
            std::fs::remove_file(file.path())?;
        }
        let upload = name.strip_prefix(".upload_id-").and_then(|rest| rest.split_once(".part-"));
        if let Some((id, _)) = upload
            && !dir.join(format!(".upload-{id}.json")).exists()
        {
            std::fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// A store that is bound but not served yet.
pub struct EmbeddedStore {
    listener: TcpListener,
    service: S3Service,
}

impl EmbeddedStore {
    /// Binds a store for `dir` on loopback and fills in its URL and keys. The secret is new at every start and never
    /// leaves this process.
    pub fn bind(dir: &Path, target: &mut Target) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir.join(&target.bucket)).with_context(|| format!("can't create {}", dir.display()))?;
        let files = FileSystem::new(dir).map_err(|e| anyhow::anyhow!("can't serve {}: {e:?}", dir.display()))?;
        remove_cut(dir).with_context(|| format!("can't clean up {}", dir.display()))?;
        let random = Random::system();
        let (id, secret) = (KEY_ID.to_owned(), random.token());
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(id.clone(), secret.expose_secret()));
        builder.set_route(OpenUploads(dir.to_owned()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port for the embedded store")?;
        listener.set_nonblocking(true)?;
        target.endpoint = Some(format!("http://{}", listener.local_addr()?));
        target.path_style = true;
        target.access_key_id = Some(id);
        target.secret_access_key = Some(secret);
        Ok(Self { listener, service: builder.build() })
    }

    /// Serves requests until `stop` is cancelled.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let http = auto::Builder::new(TokioExecutor::new());
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            let Ok((socket, _)) = accepted else { continue };
            let served = http.serve_connection(TokioIo::new(socket), self.service.clone());
            let served = graceful.watch(served.into_owned());
            connections.spawn(async move {
                if let Err(e) = served.await {
                    tracing::debug!("A connection to the embedded store ended: {e}");
                }
            });
            while connections.try_join_next().is_some() {}
        }
        connections.shutdown().await;
        Ok(())
    }
}
