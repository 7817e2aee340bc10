//! A store that the portal itself serves from a directory: signatures, parts and errors are real, so in dev mode and
//! in tests everything goes through the same client as in prod.

use std::net::TcpListener;
use std::path::Path;

use anyhow::Context;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Target;
use crate::secrets::Random;

/// A store that is bound and not served yet.
pub struct Server {
    listener: TcpListener,
    service: S3Service,
}

impl Server {
    /// Binds a store over `dir` on loopback, and fills in where and with which keys it is reached. The keys are new
    /// with every start and leave this process nowhere.
    ///
    /// # Errors
    /// If the directory can't be made or no port be had.
    pub fn bind(dir: &Path, target: &mut Target) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir.join(&target.bucket)).with_context(|| format!("can't make {}", dir.display()))?;
        let files = FileSystem::new(dir).map_err(|e| anyhow::anyhow!("can't serve {}: {e:?}", dir.display()))?;
        let random = Random::system();
        let (id, secret) = (hex::encode(random.bytes::<8>()), random.token());
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(id.clone(), secret.expose_secret()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port for the embedded store")?;
        listener.set_nonblocking(true)?;
        target.endpoint = Some(format!("http://{}", listener.local_addr()?));
        target.path_style = true;
        target.access_key_id = Some(id);
        target.secret_access_key = Some(secret);
        Ok(Self { listener, service: builder.build() })
    }

    /// Serves until `stop`.
    ///
    /// # Errors
    /// If the listener breaks.
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
